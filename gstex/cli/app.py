"""The command group, and the one place where an error becomes one line on stderr and an exit code.

A command is imported when it is called, and its module imports NumPy and other large packages when the command runs. So
--help and usage errors, which need neither, appear at once.
"""

import _thread
import json
import os
import sys
import threading
import traceback
from difflib import get_close_matches
from importlib import import_module
from typing import NoReturn

import click

from gstex import __version__
from gstex.cli.text import one_line
from gstex.errors import GstexError

__all__ = ["INTERRUPTED", "TERMINATED", "cli", "main"]

INTERRUPTED = 130  # exit code that a shell reports for a program ended by Ctrl-C
TERMINATED = 143  # .. and for one ended by SIGTERM
_COMPLETE = "_GSTEX_COMPLETE"  # the variable by which a shell asks click for completions


# Each command is the function of the same name in gstex.cli.<name>. The values are one-line help texts.
_COMMANDS = {
    "batch": "Compress a library of materials, and again only what has changed.",
    "compare": "Compare a material with BC1, BC7 and ASTC, in bytes and quality.",
    "compress": "Compress a folder of maps or an image into one file.",
    "decode": "Write the maps of a file as images.",
    "export": "Write a file as buffer, decoder and constants for an engine.",
    "gltf": "Compress the materials of a glTF model inside the model, or back.",
    "info": "Show what is in a file: maps, bytes, quality.",
    "strip": "Leave out of a file what a game does not need.",
    "transcode": "Write a file or maps as BC or ASTC textures, in DDS or KTX2.",
    "validate": "Check whether files are sound.",
    "view": "Show a file in a window: maps, errors, lit, Gaussians.",
    "watch": "Compress materials while somebody works on them.",
}

# What `gstex` alone prints.
_WELCOME = f"""gstex {__version__} compresses the texture maps of a material together into one small file.

  gstex compress wall/ -o wall.gstex    a folder of maps, or one image
  gstex view wall.gstex                 look at it; needs pip install "gstex[view]"
  gstex decode wall.gstex -o maps/      the maps again, under their own names

All commands: gstex --help. The options of one: gstex compress --help."""


class _LazyGroup(click.Group):
    """A group that imports a command when it is first used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"gstex.cli.{cmd_name}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:  # fmt: skip
        """As click does; the error for an unknown name also names the one that was perhaps meant."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            similar_names = get_close_matches(args[0], _COMMANDS, n=1)
            what = f"did you mean {similar_names[0]!r}?" if similar_names else f"expected one of {', '.join(_COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}: {what}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, invoke_without_command=True, context_settings={"max_content_width": 110})
@click.option("--version", is_flag=True,
              help="Print the version and exit; with --json, of all that the outputs depend on.")
@click.option("--json", "as_json", is_flag=True, help="With --version: print one JSON object, for keys of caches.")
@click.pass_context
def cli(context: click.Context, version: bool, as_json: bool) -> None:
    """\b
    gstex compress wall/ -o wall.gstex    a folder of maps -> one file
    gstex view wall.gstex                 what it looks like, in a window
    gstex decode wall.gstex -o maps/      the maps again, under their own names

    Compress the texture maps of a material together, as 2D Gaussians that a shader decodes at any texel.
    `gstex COMMAND --help` shows the options of a command.
    """
    if as_json and not version:
        raise click.UsageError("--json: goes with --version, or after a command, as in gstex info FILE --json")
    if version:
        from gstex.cli.about import about

        click.echo(json.dumps(about()) if as_json else f"gstex {__version__}")
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(_WELCOME)


def main() -> NoReturn:
    """Run the command line of this process and exit; docs/exit-codes.md has the codes."""
    sys.unraisablehook = _repeat_interrupt
    if instruction := os.environ.get(_COMPLETE):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, "gstex", _COMPLETE, instruction))
    try:
        with cli.make_context("gstex", sys.argv[1:]) as context:
            cli.invoke(context)
        code = 0
    except click.exceptions.Exit as error:  # --help and --version end so
        code = error.exit_code
    except click.UsageError as error:
        code = _failed(f"{error.format_message().rstrip('.')}; see '{_command_of(error)} --help'", 2)
    except GstexError as error:
        code = _failed(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        code = _failed("stopped by Ctrl-C; no output was written", INTERRUPTED)
    except BrokenPipeError:
        # The reader of stdout has closed the pipe. Without this, Python would fail to flush stdout when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        code = _failed(f"unexpected {type(error).__name__}: {error}; this is a bug: "
                       "run it again with --debug, and report what it prints", 1)
    sys.exit(code)


def _command_of(error: click.UsageError) -> str:
    """The command whose --help tells more: an option without its value is found out before there is a context."""
    if error.ctx and error.ctx.parent:
        return error.ctx.command_path
    name = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    return f"gstex {name}" if name in _COMMANDS else "gstex"


def _repeat_interrupt(unraisable: "sys.UnraisableHookArgs") -> None:
    """Repeat a Ctrl-C that was raised in a callback from C code, because C code drops the exception."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        timer = threading.Timer(0.05, _thread.interrupt_main)
        timer.daemon = True
        timer.start()
    else:
        sys.__unraisablehook__(unraisable)


def _failed(message: str, code: int) -> int:
    """Print the current error as one line, with --debug after its traceback. Returns the exit code."""
    if "--debug" in sys.argv:  # not from click: the error may come from before click has parsed the options
        traceback.print_exc()
    click.echo(f"gstex: error: {one_line(message)}", err=True)
    return code
