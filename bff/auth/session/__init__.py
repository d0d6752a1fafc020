"""Sessions: records, refresh of their tokens, cookies, and the defence against CSRF."""
