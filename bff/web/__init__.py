"""Flask ends here: requests come in, answers go out."""
