"""The exchange over non-blocking sockets: the requesting thread sends, and reads the replies."""
