"""Options that several commands share, those of tools/bench.py among them."""

import math

import click

__all__ = ["debug_option", "force_option", "json_option", "parse_rates", "parse_weights"]

# Read by gstex.cli.app.main, which needs it even where click has parsed nothing yet.
debug_option = click.option("--debug", is_flag=True, expose_value=False,
                            help="Print the traceback of an error.")
force_option = click.option("--force", is_flag=True,
                            help="Replace files that this command has not made from the same input.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


def parse_rates(context: click.Context, parameter: click.Parameter, text: str | None) -> list[float] | None:
    """Callback of an option that takes bits per texel: '0.5,1' -> [0.5, 1.0]; None if it was not given."""
    if text is None:
        return None
    try:
        rates = [float(part) for part in text.split(",")]
    except ValueError:
        rates = []
    if not rates or not all(0 < rate <= 64 for rate in rates):
        raise click.BadParameter(f"got {text!r}, expected numbers above 0 and up to 64, such as 0.5,1,2")
    return rates


def parse_weights(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, float] | None:
    """Callback of an option that takes ROLE=NUMBER: ('ao=0.5',) -> {'ao': 0.5}; None if it was not given."""
    weights: dict[str, float] = {}
    for text in texts:
        role, _, number = text.partition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not role or math.isnan(weight):
            raise click.BadParameter(f"got {text!r}, expected ROLE=NUMBER, such as roughness=0.5")
        if role in weights:
            raise click.BadParameter(f"got {role} twice, expected one number for it; drop one")
        weights[role] = weight
    return weights or None
