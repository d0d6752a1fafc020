"""Development tools, which production images leave out: recordings, stubs, a local provider."""
