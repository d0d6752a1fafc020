"""Files become views: loading, strict decoding, checking."""
