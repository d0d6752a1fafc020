"""Secrets are found in exchanges and replaced by pseudonyms before anything is written."""
