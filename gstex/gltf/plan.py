"""Plan which images of a model go into which .gstex file, in which roles, and which are left alone and why."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gstex.gltf.container import Model, broken, is_remote
from gstex.gltf.extension import NAME
from gstex.json_types import JsonObject

__all__ = ["MaterialPlan", "Plan", "Use", "image_sources", "plan_model"]

_SLOTS = ("baseColorTexture", "metallicRoughnessTexture", "normalTexture", "occlusionTexture", "emissiveTexture")
_COLORS = frozenset(("baseColorTexture", "emissiveTexture"))
_PACKED = frozenset(("metallicRoughnessTexture", "occlusionTexture"))
_NORMAL = frozenset(("normalTexture",))
# Texture extensions that name an image -> whether gstex reads it, if the texture has no image of its own.
_IMAGES = {"EXT_texture_webp": True, "KHR_texture_basisu": False, "EXT_texture_avif": False, "MSFT_texture_dds": False}
_REPEAT = 10497  # REPEAT of a sampler, which is also the default


@dataclass(frozen=True)
class Use:
    """A use of a texture in a material. slot: 'baseColorTexture' and so on, or a name in an extension."""

    material: int
    slot: str
    texture: int


@dataclass
class ImagePlan:
    """An image, and its part in the file of a material.

    slots: all slots in which materials use it. textures: those that show it. alpha: 'opacity' if all uses are
    transparent by its alpha, 'mask' if some are, '' if none is. roles: of its maps in the file.
    """

    image: int
    slots: frozenset[str]
    textures: tuple[int, ...]
    alpha: str = ""
    roles: set[str] = field(default_factory=set)

    def roles_in(self, material_slots: set[str]) -> set[str]:
        """The roles of the image in the file of a material that uses it in `material_slots`."""
        if self.slots & _COLORS:
            color = "albedo" if "baseColorTexture" in material_slots else "emissive"
            return {color, self.alpha} - {"", "opacity"}
        if self.slots & _NORMAL:
            return {"normal"}
        packed = {"metallicRoughnessTexture": {"roughness", "metallic"}, "occlusionTexture": {"ao"}}
        return {role for slot in self.slots for role in packed[slot]}


@dataclass
class MaterialPlan:
    """A .gstex file. material: index of the material that it is named after.

    repeat: whether all of its textures repeat along both axes. alpha_test: threshold of a cut-out material.
    """

    material: int
    name: str
    images: list[ImagePlan] = field(default_factory=list)
    repeat: bool = True
    alpha_test: float | None = None


@dataclass
class Plan:
    """files: to be made. left: (what, why) of what is left uncompressed. notes: lines for people on special cases."""

    files: list[MaterialPlan] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def plan_model(model: Model) -> Plan:
    """Plan the files of a model. Each image goes into the file of the first material that shows it and lacks its roles.

    Raises:
        ModelError: an index or a number breaks a rule.
    """
    plan = Plan()
    by_texture: dict[int, list[Use]] = {}
    by_material: dict[int, list[Use]] = {}
    for use in _uses(model):
        by_texture.setdefault(use.texture, []).append(use)
        by_material.setdefault(use.material, []).append(use)
    by_image: dict[int, list[Use]] = {}
    for number in range(len(model.items("textures"))):
        mine = by_texture.get(number, [])
        image, reason = _image_of(model, number)
        if not mine:
            reason = "is shown by no material"
        if image is None or reason:
            plan.left.append((f"textures[{number}]", reason))
            continue
        by_image.setdefault(image, []).extend(mine)
    files: dict[int, MaterialPlan] = {}
    for image, mine in by_image.items():
        reason = _reason(model, image, mine) or _assign(model, files, image, mine, plan.notes)
        if reason:
            plan.left.append((f"images[{image}]", reason))
    plan.files = [files[material] for material in sorted(files)]
    for file in plan.files:
        _finish(model, file, by_material[file.material], plan.notes)
    return plan


def _uses(model: Model) -> Iterator[Use]:
    """Yield every use of a texture in a material."""
    for number, material in enumerate(model.items("materials")):
        where = f"materials[{number}]"
        metallic = material.get("pbrMetallicRoughness", {})
        if not isinstance(metallic, dict):
            raise broken(f"{where}.pbrMetallicRoughness: is not an object")
        for slot in _SLOTS:
            holder = metallic if slot in ("baseColorTexture", "metallicRoughnessTexture") else material
            if slot in holder:
                info = holder[slot]
                if not isinstance(info, dict):
                    raise broken(f"{where}.{slot}: is not an object")
                yield Use(number, slot, model.index(info.get("index"), "textures", f"{where}.{slot}.index"))
        # This uses a list instead of recursion, because a file may be nested arbitrarily deep.
        left = _members(material.get("extensions"))
        while left:
            name, value = left.pop()
            if isinstance(value, dict) and name.endswith("Texture") and "index" in value:
                index = model.index(value["index"], "textures", f"{where}.extensions.{name}.index")
                yield Use(number, f"extensions.{name}", index)
            left += [(f"{name}.{key}", child) for key, child in _members(value)]


def _members(value: object) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return list(value.items())
    return [(str(number), child) for number, child in enumerate(value)] if isinstance(value, list) else []


def image_sources(model: Model, number: int) -> dict[str, int]:
    """The images that a texture names: {"": its own, name of an extension: another}."""
    texture, where = model.items("textures")[number], f"textures[{number}]"
    images: dict[str, int] = {}
    if "source" in texture:
        images[""] = model.index(texture["source"], "images", f"{where}.source")
    for name in _IMAGES:
        value = texture.get("extensions", {}).get(name)
        if isinstance(value, dict) and "source" in value:
            images[name] = model.index(value["source"], "images", f"{where}.extensions.{name}.source")
    return images


def _image_of(model: Model, number: int) -> tuple[int | None, str]:
    """(image of a texture, ""), or (None, why it has no image that gstex reads)."""
    if NAME in model.items("textures")[number].get("extensions", {}):
        return None, f"is compressed already, by {NAME}"
    sources = image_sources(model, number)
    for name, image in sources.items():
        if not name or _IMAGES[name]:
            return image, ""
    return None, f"has its image by {', '.join(sources)}, which is not read" if sources else "has no image"


def _reason(model: Model, image: int, uses: list[Use]) -> str:
    """Why an image is not compressed; "" if it is."""
    slots = {use.slot for use in uses}
    others = sorted(slot for slot in slots if slot not in _SLOTS)
    if others:
        return f"is shown by {', '.join(others)} too, of which nothing is known here" if len(others) < len(slots) else (
            f"is shown by {', '.join(others)}, of which nothing is known here")
    if not any(slots <= kind for kind in (_COLORS, _PACKED, _NORMAL)):
        return f"is shown as {' and as '.join(sorted(slots))}, which store different things"
    uri = model.items("images")[image].get("uri")
    return f"is elsewhere, at {uri:.80}" if is_remote(uri) else ""


def _assign(model: Model, files: dict[int, MaterialPlan], image: int, uses: list[Use], notes: list[str]) -> str:
    """Add an image to the file of a material that shows it. Returns why that is impossible, or ""."""
    item = ImagePlan(image, frozenset(use.slot for use in uses), tuple(sorted({use.texture for use in uses})))
    if item.slots & _COLORS:
        hides = {use.slot == "baseColorTexture" and _alpha_mode(model, use.material) != "OPAQUE" for use in uses}
        item.alpha = "opacity" if hides == {True} else "mask" if True in hides else ""
    slots: dict[int, set[str]] = {}
    for use in uses:
        slots.setdefault(use.material, set()).add(use.slot)
    for number in sorted(slots):
        item.roles = item.roles_in(slots[number])
        if number not in files or not any(item.roles & other.roles for other in files[number].images):
            break
    else:
        return "has the same roles as another image of each of its materials"
    if number not in files:
        name = model.items("materials")[number].get("name")
        files[number] = MaterialPlan(number, name if isinstance(name, str) and name.strip() else f"material{number}")
    files[number].images.append(item)
    if len(slots) > 1:
        more = len(slots) - 1
        notes.append(f"images[{image}] is in the file of {files[number].name!r}, and shown by {more} more "
                     f"material{'s' if more > 1 else ''}")  # fmt: skip
    return ""


def _alpha_mode(model: Model, material: int) -> str:
    mode = model.items("materials")[material].get("alphaMode", "OPAQUE")
    if mode not in ("OPAQUE", "MASK", "BLEND"):
        raise broken(f"materials[{material}].alphaMode: {mode!r:.40}, expected OPAQUE, MASK or BLEND")
    return str(mode)


def _finish(model: Model, file: MaterialPlan, uses: list[Use], notes: list[str]) -> None:
    """Set `repeat` and `alpha_test` of a file from its samplers and its material."""
    textures = {texture for item in file.images for texture in item.textures}
    file.repeat = all(_wraps(model, texture) == (_REPEAT, _REPEAT) for texture in textures)
    material = model.items("materials")[file.material]
    if _alpha_mode(model, file.material) == "MASK" and any(item.alpha == "opacity" for item in file.images):
        factor = dict(_members(material.get("pbrMetallicRoughness"))).get("baseColorFactor", [1, 1, 1, 1])
        alpha = factor[3] if isinstance(factor, list) and len(factor) == 4 else 1
        cutoff = material.get("alphaCutoff", 0.5)
        if isinstance(cutoff, int | float) and isinstance(alpha, int | float) and 0 < cutoff <= alpha:
            file.alpha_test = float(cutoff / alpha)
    places = {use.slot: _place(model, use) for use in uses if use.texture in textures}
    if len(set(places.values())) > 1:
        notes.append(f"{file.name!r}: its textures lie in different places ({', '.join(sorted(places))}), so that they "
                     "share less")  # fmt: skip


def _wraps(model: Model, number: int) -> tuple[object, object]:
    texture = model.items("textures")[number]
    sampler: JsonObject = {}
    if "sampler" in texture:
        sampler = model.items("samplers")[model.index(texture["sampler"], "samplers", f"textures[{number}].sampler")]
    return sampler.get("wrapS", _REPEAT), sampler.get("wrapT", _REPEAT)


def _place(model: Model, use: Use) -> str:
    """The texture coordinates and transform of a use, as a text to compare."""
    material = model.items("materials")[use.material]
    holder = material if use.slot in material else material["pbrMetallicRoughness"]
    info = holder[use.slot]
    transform = dict(_members(info.get("extensions"))).get("KHR_texture_transform")
    return repr((info.get("texCoord", 0), transform))
