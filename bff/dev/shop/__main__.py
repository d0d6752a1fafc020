"""`python -m bff.dev.shop FOLDER` writes the recordings of the shop's services into a folder."""

import sys
from pathlib import Path

from bff.dev.shop.recordings import write

if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and its argument
        sys.exit("usage: python -m bff.dev.shop FOLDER")
    write(Path(sys.argv[1]))
