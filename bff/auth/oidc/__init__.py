"""OpenID Connect and OAuth 2.0: providers, JWTs and their keys, the authorization code flow."""
