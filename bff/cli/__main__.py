"""`python -m bff.cli` is `bff`."""

from bff.cli import main

main()
