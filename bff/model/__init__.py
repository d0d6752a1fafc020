"""The domain model as frozen values; imports nothing else of this package."""
