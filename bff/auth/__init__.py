"""Who asks, and with whose tokens services are called: sessions, providers, bearer tokens."""
