"""Compare a material stored by gstex with the same material in block codecs, by bytes and by quality.

    codecs      block codecs: image -> bytes -> image, by the best free encoders; bc4: gstex's own encoder
    plans       which channels share an image
    scaling     half and quarter resolution
    encoding    all images through all codecs, in processes, kept in a cache
    hull        the best combinations
    baselines   all of the above: the best that block codecs can do with a material
    stored      from encoded images back to a stack; measuring: its errors
    match       whether a file was made from a folder
    advice      a comparison in plain sentences; judgement: whether a texture is good enough
    run         compare(); result: what it returns
"""

from gstex.compare.result import Comparison, Point
from gstex.compare.run import DEFAULT_CODECS, Step, compare

__all__ = ["DEFAULT_CODECS", "Comparison", "Point", "Step", "compare"]
