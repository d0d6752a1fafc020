"""Serves as `bff serve` does, where a process may have 600 descriptors."""

import resource

from bff.server.application import serve

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600))
    serve()
