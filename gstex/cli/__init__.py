"""The `gstex` command. Results go to stdout, progress and errors to stderr."""

from gstex.cli.app import main

__all__ = ["main"]
