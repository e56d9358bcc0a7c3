"""A material stored by gstex and by the block codecs: what each costs and what each looks like.

    codecs      block codecs: image -> bytes -> image, by the best free encoders; bc4: our own
    plans       which channels share an image
    scaling     half and quarter resolution
    encoding    all images through all codecs, in processes, kept in a cache
    hull        the best combinations
    baselines   these together
    stored      from encoded images back to a stack; measuring: its errors
    match       whether a file was made from a folder
    advice      sentences
    run         compare(); result: what it returns
"""

from gstex.compare.result import Comparison, Point
from gstex.compare.run import DEFAULT_CODECS, Step, compare

__all__ = ["DEFAULT_CODECS", "Comparison", "Point", "Step", "compare"]
