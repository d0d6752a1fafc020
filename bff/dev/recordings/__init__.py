"""Recordings of services as HAR files: made, read, matched and replayed."""
