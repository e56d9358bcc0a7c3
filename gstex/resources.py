"""The one loader of GPU sources: `cuda/` and `shaders/` of a checkout, or their copies in a wheel."""

from pathlib import Path

__all__ = ["source_path"]

_PACKAGE = Path(__file__).resolve().parent


def source_path(name: str) -> Path:
    """Path of a GPU source.

    Args:
        name: folder and file as in the checkout: "shaders/decode.glsl", "cuda/splat.cu".

    Raises:
        FileNotFoundError: there is no such source.
    """
    folder, _, file = name.partition("/")
    installed = _PACKAGE / f"_{folder}"  # setup.py puts cuda/ into a wheel as gstex/_cuda/
    path = (installed if installed.is_dir() else _PACKAGE.parent / folder) / file
    if folder not in ("cuda", "shaders") or not path.is_file():
        raise FileNotFoundError(f"{name}: no such GPU source")
    return path
