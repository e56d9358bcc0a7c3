"""A material stored by gstex and by the block codecs: what each costs and what each looks like."""

from gstex.compare.result import Comparison, Point

__all__ = ["Comparison", "Point"]
