"""Sessions of browsers: their store records, cookies, CSRF checks and token refresh."""
