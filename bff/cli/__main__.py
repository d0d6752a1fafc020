"""`python -m bff.cli` runs the command `bff`."""

from bff.cli import main

main()
