"""The sources of cuda/ that a fit uses, so that all of them can be compiled at once, before the first is needed."""

__all__ = ["sources_of_fit"]

_FOR_ALL = ("adam", "cell_pyramid", "pairs", "quantisation", "sums", "tile_lists")
# Those that take longest to compile stand first, and are begun first.
_BY_CHANNELS = ("blend", "refine_geometry", "refine_features", "sample_points", "removal_cost", "gather", "codebooks",
                "kmeans", "picture", "solve_features")  # fmt: skip


def sources_of_fit(channels: int, loss: str) -> list[tuple[str, dict[str, int | str]]]:
    """(file, defines) of Device.kernel for a fit of so many channels. loss: of the settings, 'l2' or 'perceptual'."""
    sources: list[tuple[str, dict[str, int | str]]] = [
        (f"encode/{name}.cu", {"CHANNELS": channels}) for name in _BY_CHANNELS
    ]
    more = ("perceptual_loss",) if loss == "perceptual" else ()
    return sources + [(f"encode/{name}.cu", {}) for name in (*_FOR_ALL, *more)]
