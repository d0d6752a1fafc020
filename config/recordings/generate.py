#!/usr/bin/env python3
"""Writes the recordings of the shop's six services, the same bytes each time.

    python config/recordings/generate.py [DIRECTORY]

Edit the shop in shop/, run this, and commit both. A test holds that they agree.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from shop.services import Shop, record  # noqa: E402 - found beside this file


def main() -> None:
    """Write every `{service}.har`."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for recorder in record(Shop()):
        recorder.save(directory)


if __name__ == "__main__":
    main()
