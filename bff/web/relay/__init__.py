"""Relays and streams: bytes that pass through, and WebSockets that nginx passes on."""
