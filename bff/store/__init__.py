"""State that processes share, in SQLite or Redis: entries, groups, locks, idempotency keys."""
