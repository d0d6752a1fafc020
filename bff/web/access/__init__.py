"""Who may ask: sign-in and sign-out, authentication, sessions of a person, rate limits."""
