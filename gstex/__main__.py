"""`python -m gstex` is the `gstex` command."""

from gstex.cli import main

main()
