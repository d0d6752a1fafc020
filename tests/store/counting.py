"""A process that adds to a counter in a store, by compare-and-set: `counting.py URL TIMES`.

It says when it is ready, and begins at the first line that it is told.
"""

import sys
from pathlib import Path
from time import time

from bff.store.open import open_store
from bff.store.protocol import Store

KEY = "counter"


def add(store: Store, times: int) -> None:
    """Add one, so many times, whoever else does the same."""
    done = 0
    while done < times:
        entry = store.get(KEY)
        if entry is None:
            done += bool(store.put(KEY, b"1", time() + 100))
        else:
            more = b"%d" % (int(entry.value) + 1)
            done += bool(store.put(KEY, more, time() + 100, entry.version))


if __name__ == "__main__":
    opened = open_store(sys.argv[1], Path("unused"), time)
    opened.get(KEY)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    add(opened, int(sys.argv[2]))
