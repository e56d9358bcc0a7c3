"""What samples/web/index.html shows: two samples as materials, and a model with one of them, from images and as .gstex.

    python samples/web/make_demo.py [--effort fast] [--quality normal]

writes samples/web/demo/, which git ignores.
"""

import argparse
import json
import math
import shutil
import struct
from pathlib import Path

import gstex
from gstex.cli.app import cli

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent
# By name of the parameter of MeshStandardMaterial: the end of the file's name.
MATERIALS = {
    "rusted_steel": {"map": "baseColor", "normalMap": "normal", "aoMap": "orm", "roughnessMap": "orm",
                     "metalnessMap": "orm"},
    "scifi_panel": {"map": "albedo", "normalMap": "normal", "aoMap": "ao", "roughnessMap": "metalRoughness",
                    "metalnessMap": "metalRoughness", "emissiveMap": "emissive"},
}  # fmt: skip


def write_sphere(path: Path, images: dict[str, bytes]) -> None:
    """A GLB file of a sphere, whose texture is there three times around and twice from pole to pole.

    images: PNG files by glTF's names of textures, such as normalTexture.
    """
    columns, rows = 64, 32
    positions, uvs, indices = [], [], []
    for row in range(rows + 1):
        for column in range(columns + 1):
            phi, theta = 2 * math.pi * column / columns, math.pi * row / rows
            positions += [-math.cos(phi) * math.sin(theta), math.cos(theta), math.sin(phi) * math.sin(theta)]
            uvs += [column / columns, row / rows]
    for row in range(rows):
        for column in range(columns):
            a = row * (columns + 1) + column
            b = a + columns + 1
            indices += [a, b, a + 1, a + 1, b, b + 1]
    corners = len(positions) // 3
    parts = [struct.pack(f"<{len(positions)}f", *positions), struct.pack(f"<{len(uvs)}f", *uvs),
             struct.pack(f"<{len(indices)}H", *indices), *images.values()]  # fmt: skip
    views, chunk = [], b""
    for part in parts:
        views.append({"buffer": 0, "byteOffset": len(chunk), "byteLength": len(part)})
        chunk += part + bytes(-len(part) % 4)
    transform = {"extensions": {"KHR_texture_transform": {"scale": [3, 2]}}}
    textures = {name: {"index": n, **transform} for n, name in enumerate(images)}
    metallic = {name: textures.pop(name) for name in ("baseColorTexture", "metallicRoughnessTexture")}
    attributes = {"POSITION": 0, "NORMAL": 0, "TEXCOORD_0": 1}  # a unit sphere: its normals are its positions
    document = {
        "asset": {"version": "2.0", "generator": "samples/web/make_demo.py"}, "scene": 0, "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 2, "material": 0}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": corners, "type": "VEC3", "min": [-1] * 3, "max": [1] * 3},
            {"bufferView": 1, "componentType": 5126, "count": corners, "type": "VEC2"},
            {"bufferView": 2, "componentType": 5123, "count": len(indices), "type": "SCALAR"},
        ],
        "bufferViews": views, "buffers": [{"byteLength": len(chunk)}], "samplers": [{}],
        "images": [{"bufferView": 3 + n, "mimeType": "image/png", "name": name} for n, name in enumerate(images)],
        "textures": [{"source": n, "sampler": 0} for n in range(len(images))],
        "materials": [{"name": "panel", "pbrMetallicRoughness": metallic, "emissiveFactor": [1, 1, 1], **textures}],
        "extensionsUsed": ["KHR_texture_transform"],
    }  # fmt: skip
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(chunk), 0x004E4942) + chunk
    path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body)


def make_demo(folder: Path, *options: str) -> None:
    """Write everything into a folder. options: of `gstex compress` and `gstex gltf`."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for name, images in MATERIALS.items():
        sources = {parameter: next((SAMPLES / name).glob(f"*_{end}.png")) for parameter, end in images.items()}
        files = {parameter: path.name for parameter, path in sources.items()}
        for path in set(sources.values()):
            shutil.copy(path, folder)
        run("compress", SAMPLES / name, "-o", folder / f"{name}.gstex", *options)
        entries.append({"name": name.replace("_", " "), "images": files, "gstex": f"{name}.gstex"})
    slots = {"baseColorTexture": "albedo", "normalTexture": "normal", "metallicRoughnessTexture": "metalRoughness",
             "occlusionTexture": "ao", "emissiveTexture": "emissive"}  # fmt: skip
    start = SAMPLES / "scifi_panel" / "scifi_panel_"
    write_sphere(folder / "sphere.glb", {slot: Path(f"{start}{end}.png").read_bytes() for slot, end in slots.items()})
    run("gltf", folder / "sphere.glb", "-o", folder / "sphere.gstex.glb", "--no-fallback", *options)
    entries.append({"name": "glTF sphere", "original": "sphere.glb", "compressed": "sphere.gstex.glb"})
    (folder / "demo.json").write_text(json.dumps(entries, indent=1))


def run(*arguments: object) -> None:
    """A command of gstex."""
    cli.main([str(argument) for argument in arguments], prog_name="gstex", standalone_mode=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--effort", default="normal", choices=["draft", "fast", "normal", "thorough"])
    parser.add_argument("--quality", default="high", choices=["draft", "normal", "high"])
    chosen = parser.parse_args()
    make_demo(HERE / "demo", "--effort", chosen.effort, "--quality", chosen.quality)
    print(f"gstex {gstex.__version__}: {HERE / 'demo'} is ready; samples/web/README.md says how to open the page")
