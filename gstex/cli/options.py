"""Options that several commands share."""

import click

__all__ = ["debug_option", "json_option"]

# Read by gstex.cli.app.main, which needs it even where click has parsed nothing yet.
debug_option = click.option("--debug", is_flag=True, expose_value=False,
                            help="Print the traceback of an error.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
