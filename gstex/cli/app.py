"""The command group, and the one place where an error becomes one line on stderr and an exit code."""

import _thread
import os
import sys
import threading
import traceback
from typing import Any, NoReturn

import click

from gstex import __version__
from gstex.cli.compare import compare
from gstex.cli.compress import compress
from gstex.cli.decode import decode
from gstex.cli.info import info
from gstex.cli.text import one_line
from gstex.cli.view import view
from gstex.errors import GstexError

__all__ = ["cli", "main"]

_INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended


@click.group(invoke_without_command=True, context_settings={"max_content_width": 110})
@click.version_option(__version__, message="gstex %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """\b
    gstex compress wall/ -o wall.gstex    a folder of maps -> one file
    gstex decode wall.gstex -o maps/      ... and back to the maps, under their own names
    gstex info wall.gstex                 what is in a file: maps, bytes, quality
    gstex compare wall/ wall.gstex        ... beside BC1, BC7 and ASTC on the same maps
    gstex view wall.gstex                 ... in a window: maps, errors, lit, the Gaussians

    Compress the texture maps of a material together, as 2D Gaussians that a shader decodes at random.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (compress, decode, info, compare, view):
    cli.add_command(_command)


def main() -> NoReturn:
    """Run the command line of this process and exit: 0 done, 1 failed, 2 usage, 130 stopped by Ctrl-C."""
    sys.unraisablehook = _repeat_interrupt
    try:
        with cli.make_context("gstex", sys.argv[1:]) as context:
            cli.invoke(context)
        code = 0
    except click.exceptions.Exit as error:  # --help and --version end so
        code = error.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "gstex"
        code = _failed(f"{error.format_message().rstrip('.')}; see '{command} --help'", 2)
    except GstexError as error:
        code = _failed(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        code = _failed("stopped by Ctrl-C; no output was written", _INTERRUPTED)
    except BrokenPipeError:
        # Whoever read stdout has gone. Python would try to flush it once more on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        code = _failed(f"unexpected {type(error).__name__}: {error}; this is a bug, "
                       "add --debug to see where and report it", 1)
    sys.exit(code)


def _repeat_interrupt(unraisable: Any) -> None:
    """Let a Ctrl-C that fell into a callback of the compiler, which drops it, come once more."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        timer = threading.Timer(0.05, _thread.interrupt_main)
        timer.daemon = True
        timer.start()
    else:
        sys.__unraisablehook__(unraisable)


def _failed(message: str, code: int) -> int:
    """Print the error in hand as one line, after its traceback with --debug. Returns the exit code."""
    if "--debug" in sys.argv:  # not from click: the error may be older than its parsing
        traceback.print_exc()
    click.echo(f"gstex: error: {one_line(message)}", err=True)
    return code
