"""An OpenID provider for development: test accounts, loopback only."""
