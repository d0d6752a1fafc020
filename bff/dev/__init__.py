"""What a developer's machine runs and a production image leaves out: recordings and stubs."""
