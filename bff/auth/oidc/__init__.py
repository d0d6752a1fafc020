"""OpenID Connect and OAuth 2.0: providers, tokens and their keys, what a sign-in is made of."""
