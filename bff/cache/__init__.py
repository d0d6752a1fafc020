"""The cache of replies and answers: pure decisions, keys, memory, and shared stores."""
