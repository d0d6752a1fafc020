"""Shared state with six verbs, in SQLite or Redis, and what is built on it: locks, idempotency."""
