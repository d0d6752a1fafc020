"""Stub services: real HTTP on ports of their own, from recordings or scripts."""
