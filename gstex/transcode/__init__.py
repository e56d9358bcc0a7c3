"""Write a .gstex file or the maps of a material as block-compressed textures with mips, as DDS or KTX2.

    source   what is transcoded: channels and their mips, from a file, a folder or an image
    plan     which channels go into which texture, in which format
    run      encode, and write the files
    export   write a .gstex file for an engine that decodes it itself
"""

from .plan import PACKS, TARGETS, Plane, TexturePlan, plan_textures
from .run import Written, transcode
from .source import Source, open_source

__all__ = ["PACKS", "TARGETS", "Plane", "Source", "TexturePlan", "Written", "open_source", "plan_textures", "transcode"]
