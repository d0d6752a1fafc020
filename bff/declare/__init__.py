"""The configuration: loading YAML files, decoding them strictly, checking the result."""
