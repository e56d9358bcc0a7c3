"""How the channels of a material are divided into groups, each with Gaussians of its own."""


from gstex.encode.group_fits import Division
from gstex.encode.problem import Task
from gstex.encode.settings import Settings
from gstex.encode.tasks import varying_channels
from gstex.encode.work import Progress
from gstex.errors import UsageError
from gstex.format.layout import MAX_GROUPS
from gstex.material import Material

__all__ = ["check_groups", "divide"]


def check_groups(groups: str, material: Material) -> None:
    """Refuse a division that names maps that are not there, or one twice.

    Raises:
        UsageError: so it is.
    """
    if groups in ("auto", "1"):
        return
    roles = {channel.role for channel in material.channels}
    named = [[role.strip() for role in group.split(",")] for group in groups.split(";")]
    flat = [role for group in named for role in group]
    allowed = f"'auto', '1', or maps of {', '.join(sorted(roles))} with ',' in a group and ';' between groups"
    for role in flat:
        if role not in roles:
            raise UsageError(f"groups: got {role!r}, expected {allowed}")
        if flat.count(role) > 1:
            raise UsageError(f"groups: got {role!r} twice, expected each map in one group")
    if len(named) + (set(flat) != roles) > MAX_GROUPS:
        raise UsageError(f"groups: got more than {MAX_GROUPS}, expected at most {MAX_GROUPS}")


def divide(
    groups: str, material: Material, task: Task, settings: Settings, budget_words: int, *, seed: int,
    progress: Progress, stack_channels: int, mip_count: int, tail: int,
) -> Division:  # fmt: skip
    """The division that an option of `compress` asks for."""
    varying = varying_channels(material)
    roles = [material.channels[c].role for c in varying]
    if groups in ("auto", "1"):
        return Division.one(len(varying))
    named = [[role.strip() for role in group.split(",")] for group in groups.split(";")]
    named.append([role for role in roles if not any(role in group for group in named)])
    columns = [tuple(c for c, role in enumerate(roles) if role in group) for group in named]
    columns = [group for group in columns if group]
    return Division(tuple(columns), tuple(len(group) / len(varying) for group in columns))
