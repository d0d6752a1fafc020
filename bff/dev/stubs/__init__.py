"""Stub services: HTTP servers on ports of their own, which replay recordings or run scripts."""
