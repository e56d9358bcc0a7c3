"""The one loader of sources for GPUs and engines: `cuda/` and `shaders/` of a checkout, or their copies in a wheel, and
the headers of gstex/native, which they share with the core."""

from pathlib import Path

__all__ = ["source_path"]

PACKAGE = Path(__file__).resolve().parent


def source_path(name: str) -> Path:
    """Path of a GPU source.

    Args:
        name: folder and file: "shaders/gstex.glsl", "cuda/decode/mip.cu", "native/formulas.h".

    Raises:
        FileNotFoundError: there is no such source.
    """
    folder, _, file = name.partition("/")
    if folder == "native" and file.endswith(".h") and (PACKAGE / folder / file).is_file():
        return PACKAGE / folder / file
    installed = PACKAGE / f"_{folder}"  # CMakeLists.txt puts cuda/ into a wheel as gstex/_cuda/
    path = (installed if installed.is_dir() else PACKAGE.parent / folder) / file
    if folder not in ("cuda", "shaders") or not path.is_file():
        raise FileNotFoundError(f"{name}: no such GPU source")
    return path
