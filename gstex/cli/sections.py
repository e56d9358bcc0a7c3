"""Help of commands with many options: what belongs together stands together."""

import click

__all__ = ["SECTIONS", "SectionedCommand"]

# Heading -> names of options; all others stand first, under "Options".
SECTIONS = {
    "Size": ("bpp", "quality", "psnr", "match", "max_bpp", "gaussians"),
    "Time": ("effort", "device", "threads", "jobs", "ray", "ray_files", "checkpoint"),
    "What counts": ("weights", "importance", "loss", "groups"),
    "Mips and sampling": (
        "wrap", "mips", "tail", "mip_filter", "roughness_from_normals", "alpha_test", "sampling",
    ),
}  # fmt: skip


class SectionedCommand(click.Command):
    """A command whose help has a heading for each kind of option."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options as click does, divided by headings."""
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        records = {str(option.name): record for option in options if (record := option.get_help_record(ctx))}
        sections = {heading: [records.pop(name) for name in names if name in records]
                    for heading, names in SECTIONS.items()}  # fmt: skip
        for heading, rows in ({"Options": list(records.values())} | sections).items():
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
