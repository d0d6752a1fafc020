"""Access control: sign-in and sign-out, authentication, session endpoints, rate limits."""
