"""Small copies of the sample materials, so that the tests that compress one take seconds."""

from pathlib import Path

import OpenImageIO as oiio

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
MATERIALS = sorted({path.parent.name for path in SAMPLES.glob("*/*.png")})


def crop_sample(name: str, target: Path, size: int = 40) -> Path:
    """Copy the top left `size` x `size` texels of every map of a sample into the folder `target`."""
    target.mkdir(parents=True)
    for source in sorted((SAMPLES / name).glob("*.png")):
        whole = oiio.ImageBuf(str(source))
        part = oiio.ImageBufAlgo.cut(whole, oiio.ROI(0, size, 0, size, 0, 1, 0, whole.nchannels))
        assert part.write(str(target / source.name)), part.geterror()
    return target
