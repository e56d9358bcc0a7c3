"""Compress the materials of a model to one .gstex file each. The textures refer to the files."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from gstex.errors import ModelError
from gstex.format.container import write_bytes
from gstex.gltf.binary import Editor
from gstex.gltf.container import Model, is_remote, write_glb
from gstex.gltf.extension import NAME, Component, File, Image, Root, Texture
from gstex.gltf.pictures import Picture, fallback_bytes, mime_type, read_picture, why_not
from gstex.gltf.plan import ImagePlan, MaterialPlan, image_sources, plan_model
from gstex.json_types import JsonObject
from gstex.material import Material, load_material
from gstex.texture import Texture as Compressed

__all__ = ["Packed", "PackedFile", "pack_model"]

# Extensions that refer to images only by `source` in textures, or not at all. If a model uses others, images are not
# renumbered.
_KNOWN = ("KHR_", "EXT_mesh_gpu_instancing", "EXT_meshopt", "EXT_texture_", "MSFT_texture_dds", "MSFT_lod", NAME)
_PLANE = {"R": 0, "G": 1, "B": 2, "A": 3}


@dataclass(frozen=True)
class PackedFile:
    """A .gstex file in a model. bytes: of the file. images: its images, as (index, slots). report: `Texture.report`."""

    name: str
    bytes: int
    width: int
    height: int
    images: tuple[tuple[int, tuple[str, ...]], ...]
    report: JsonObject


@dataclass
class Packed:
    """A compressed model.

    data: the GLB file. image_bytes: of the compressed images, before. fallback_bytes, fallback_images: bytes and number
    of the fallback images. left: (what, why) of what is left uncompressed. notes: lines for people.
    """

    data: bytes = b""
    files: list[PackedFile] = field(default_factory=list)
    image_bytes: int = 0
    fallback_bytes: int = 0
    fallback_images: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def pack_model(
    model: Model,
    compress: Callable[[Material, str, float | None, tuple[int, int]], Compressed],
    *,
    name: str,
    fallback: int | None,
) -> Packed:
    """Compress the materials of a model. This changes its document.

    Args:
        compress: makes a texture. Arguments: the material, its wrap ('repeat' or 'clamp'), the threshold of its alpha
            test or None, and (its number from 1 on, number of all).
        name: of the model's file. The result stores it, so that the command recognises its own outputs.
        fallback: the largest size, in texels along an axis, of images for other viewers; None for no such images,
            which makes the extension required.

    Raises:
        ModelError: the model breaks a rule, or has nothing to compress. MaterialError: an image is damaged.
    """
    model.check_views()
    plan = plan_model(model)
    result = Packed(left=plan.left, notes=[*model.notes, *plan.notes])
    writer = _Writer(model, result, fallback)
    for file in plan.files:
        reasons = {item.image: why_not(model.image(item.image), f"images[{item.image}]") for item in file.images}
        result.left += [(f"images[{image}]", reason) for image, reason in reasons.items() if reason]
        file.images = [item for item in file.images if not reasons[item.image]]
    files = [file for file in plan.files if file.images]
    if not files:
        why = "; ".join(f"{what} {reason}" for what, reason in result.left[:3])
        raise ModelError(f"no texture can be compressed ({why or 'the model has none'}); nothing was written")
    for number, file in enumerate(files, 1):
        pictures = {}
        for item in file.images:
            data = model.image(item.image)
            pictures[item.image] = read_picture(data, f"images[{item.image}]")
            result.image_bytes += len(data)
        with tempfile.TemporaryDirectory(prefix="gstex-") as folder:
            material = _material(file, pictures, Path(folder), result.notes)
        texture = compress(material, "repeat" if file.repeat else "clamp", file.alpha_test, (number, len(files)))
        writer.add(file, pictures, material, texture)
    result.data = writer.finish(name)
    return result


def _material(
    file: MaterialPlan, pictures: dict[int, Picture], folder: Path, notes: list[str]
) -> Material:  # fmt: skip
    """Load the maps of a file as a material. Each is written as an image that is named after its role."""
    for item in file.images:
        picture = pictures[item.image]
        for map_name, channels in _maps(item, picture).items():
            picture.write(folder / f"{map_name}.png", channels)
        unused = _unused(item, picture)
        if unused:
            notes.append(f"images[{item.image}]: {unused} varies and glTF does not look at it, so it is left out")
    return load_material(folder, name=file.name)


def _maps(item: ImagePlan, picture: Picture) -> dict[str, list[int]]:
    """The maps of an image: {role: channels of the image}."""
    maps: dict[str, list[int]] = {}
    for role in sorted(item.roles):
        if role in ("albedo", "emissive"):
            maps[role] = [0, 1, 2, 3] if item.alpha == "opacity" and picture.has_alpha else [0, 1, 2]
        elif role == "normal":
            maps[role] = [0, 1, 2]
        else:
            maps[role] = [{"ao": 0, "roughness": 1, "metallic": 2, "mask": 3}[role]]
    return maps


def _unused(item: ImagePlan, picture: Picture) -> str:
    """Letters of the channels of an image that vary and that no map uses."""
    used = {channel for channels in _maps(item, picture).values() for channel in channels}
    if item.roles == {"ao"} and (picture.pixels[:, :, :1] == picture.pixels[:, :, :3]).all():
        used |= {1, 2}  # a grey image
    return " ".join(letter for letter, n in _PLANE.items()
                    if n not in used and (picture.pixels[:, :, n] != picture.pixels[0, 0, n]).any())  # fmt: skip


def _components(item: ImagePlan, picture: Picture, material: Material) -> list[Component]:
    """The components R, G, B and perhaps A of an image, as the extension describes them."""
    components: dict[int, Component] = {}
    for name, channels in _maps(item, picture).items():
        for plane, channel in zip(material.planes[f"{name}.png"], channels, strict=True):
            if "channel" in plane:
                components[channel] = Component(channel=plane["channel"])
            elif "normal_z" in plane:
                components[channel] = Component(normalZ=tuple(plane["normal_z"]))
            else:
                components[channel] = Component(value=float(plane["fill"]))
    if item.roles == {"ao"}:
        components[1] = components[2] = components[0]
    top = np.iinfo(picture.pixels.dtype).max
    for channel in range(3):  # channels that glTF does not read
        components.setdefault(channel, Component(value=float(np.median(picture.pixels[:, :, channel])) / top))
    return [components[channel] for channel in sorted(components)]


class _Writer:
    """Writes the compressed model."""

    def __init__(self, model: Model, result: Packed, fallback: int | None) -> None:
        self.model, self.result, self.fallback = model, result, fallback
        self.unknown = [n for n in model.document.get("extensionsUsed", []) if not n.startswith(_KNOWN)]
        self.editor = Editor(model, may_free=not self.unknown)
        self.files: list[File] = []
        self.gone: set[int] = set()  # images that no texture shows any more

    def add(
        self, file: MaterialPlan, pictures: dict[int, Picture], material: Material, texture: Compressed
    ) -> None:  # fmt: skip
        data = write_bytes(texture.words, texture.metadata)
        for item in file.images:
            picture = pictures[item.image]
            parts = _components(item, picture, material)
            for number in item.textures:
                self._texture(number, item.image, picture, parts)
            self._image(item.image, picture, alpha=len(parts) == 4)
        self.files.append(File(bufferView=self.editor.view(data), name=file.name))
        images = tuple((item.image, tuple(sorted(item.slots))) for item in file.images)
        packed_file = PackedFile(file.name, len(data), texture.width, texture.height, images, texture.report)
        self.result.files.append(packed_file)

    def _texture(self, number: int, image: int, picture: Picture, parts: list[Component]) -> None:
        texture = self.model.items("textures")[number]
        height, width = picture.pixels.shape[:2]
        kind = "image/jpeg" if picture.mime_type == "image/jpeg" else "image/png"
        name = self.model.items("images")[image].get("name")
        facts = Image(width, height, kind, picture.bit_depth, name if isinstance(name, str) else msgspec.UNSET)
        extensions = texture.setdefault("extensions", {})
        for other, index in image_sources(self.model, number).items():
            if other and index == image:  # the fallback takes its place
                del extensions[other]
        texture["source"] = image
        extensions[NAME] = msgspec.to_builtins(Texture(len(self.files), parts, facts))

    def _image(self, index: int, picture: Picture, *, alpha: bool) -> None:
        image = self.model.items("images")[index]
        if self.fallback is None:
            self.gone.add(index)
            self.editor.free(image)
            return
        if max(picture.pixels.shape[:2]) <= self.fallback and picture.mime_type != "image/webp":
            data, kind = self.model.image(index), picture.mime_type
        else:
            data, kind = fallback_bytes(picture, self.fallback, alpha=alpha)
        self.result.fallback_bytes += len(data)
        self.result.fallback_images += 1
        self.editor.set_image(image, data, kind)

    def finish(self, name: str) -> bytes:
        document = self.model.document
        if self.gone:
            self._drop_images()
        for number, image in enumerate(self.model.items("images")):  # the result has no external images
            if "uri" in image and not is_remote(image["uri"]):
                data = self.model.image(number)
                self.editor.set_image(image, data, mime_type(data) or str(image.get("mimeType", "image/png")))
        _name_extension(document, required=self.fallback is None)
        document.setdefault("extensions", {})[NAME] = msgspec.to_builtins(Root(self.files, name))
        return write_glb(document, self.editor.finish())

    def _drop_images(self) -> None:
        """Remove the images that no texture needs, and renumber the others."""
        textures = self.model.items("textures")
        for texture in textures:
            if NAME in texture.get("extensions", {}):
                texture.pop("source", None)
        if self.unknown:
            names = ", ".join(self.unknown)
            self.result.notes.append(f"the images stay in the file, because {names} may name them")
            return
        images = self.model.items("images")
        remaining = [n for n in range(len(images)) if n not in self.gone]
        numbers = {old: new for new, old in enumerate(remaining)}
        for texture in textures:
            extensions = texture.get("extensions", {})
            for holder in (texture, *(value for value in extensions.values() if isinstance(value, dict))):
                if "source" in holder and holder["source"] in numbers:
                    holder["source"] = numbers[holder["source"]]
        if remaining:
            self.model.document["images"] = [images[n] for n in remaining]
        else:
            del self.model.document["images"]


def _name_extension(document: JsonObject, *, required: bool) -> None:
    """Update the lists of used and required extensions."""
    textures = document.get("textures", [])
    shown = {name for texture in textures for name in texture.get("extensions", {})}
    used = [name for name in document.get("extensionsUsed", []) if not name.startswith("EXT_texture_") or name in shown]
    document["extensionsUsed"] = used if NAME in used else [*used, NAME]
    needed = [name for name in document.get("extensionsRequired", []) if name in document["extensionsUsed"]]
    if required and NAME not in needed:
        needed.append(NAME)
    if needed:
        document["extensionsRequired"] = needed
    else:
        document.pop("extensionsRequired", None)
