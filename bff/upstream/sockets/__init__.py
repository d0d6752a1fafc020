"""The exchange over non-blocking sockets: the asking thread sends, and reads the replies."""
