"""The benchmark: this app and hand-written pages, the same calls, the same machine, in one go."""
