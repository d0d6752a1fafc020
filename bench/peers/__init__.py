"""The same page as people write it by hand."""
