"""What the block codecs can do with a material: every image in every codec and size, and the best combinations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gstex.arrays import F32Array
from gstex.compare.cache import Cache
from gstex.compare.codecs import CODECS, Codec
from gstex.compare.encoding import Job, encode_all
from gstex.compare.hull import Option, add_hulls, lower_hull
from gstex.compare.measuring import measure_errors
from gstex.compare.plans import Group, MapImage, fill_hidden, make_plan
from gstex.compare.scaling import SCALES, shrink
from gstex.compare.stored import Stored
from gstex.material import Material

__all__ = ["Baselines", "Combination", "Options", "Work", "best_mixes", "encode_baselines", "usual_bytes"]

# The usual stacks of engines, at full size: a label, and the codec by the number of channels of an image.
_BC_STACKS = (
    ("BC1", {1: "bc4", 2: "bc1", 3: "bc1", 4: "bc3"}),
    ("BC1 + BC5", {1: "bc4", 2: "bc5", 3: "bc1", 4: "bc3"}),
    ("BC7 + BC5", {1: "bc4", 2: "bc5", 3: "bc7", 4: "bc7"}),
)
Options = dict[str, list[Option]]  # by image name; Option.choice is {image: Stored}


@dataclass(frozen=True)
class Combination:
    """One way to store all images. option.choice: {image: Stored}."""

    family: str
    label: str
    option: Option


@dataclass(frozen=True)
class Baselines:
    """hulls: by family, all corners of the lower convex hull. usual: the usual stacks, at full size."""

    hulls: dict[str, list[Option]]
    usual: list[Combination]


@dataclass(frozen=True)
class Work:
    """Everything that is to be encoded for a material. stored: one per job, without data. known: results by job key."""

    plan: Sequence[Group]
    jobs: Sequence[Job]
    stored: Sequence[Stored]
    known: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, material: Material, codecs: Sequence[Codec], *, exhaustive: bool = False) -> "Work":
        """The work for every image of the material's plan in every codec and size."""
        plan = make_plan(material)
        jobs: list[Job] = []
        stored: list[Stored] = []
        filled = fill_hidden(material)
        for image in {image.name: image for group in plan for way in group for image in way}.values():
            for scale in SCALES:
                for job in _jobs(image, filled, scale, codecs, exhaustive):
                    height, width, _ = job.image.shape
                    jobs.append(job)
                    stored.append(Stored(image.name, image.channels, job.codec, scale, height, width, b""))
        return cls(plan, jobs, stored)

    def coarse(self) -> list[Job]:
        """The jobs of the smallest images. They are done soon, and their times show how long the others take."""
        return [job for job, stored in zip(self.jobs, self.stored, strict=True) if stored.scale == SCALES[-1]]

    def encode_coarse(
        self, *, processes: int | None = None, cache: Cache | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Encode the smallest images first and keep the results in `known`."""
        jobs = self.coarse()
        results = encode_all(jobs, processes=processes, cache=cache, progress=progress)
        self.known.update((job.key, data) for job, data in zip(jobs, results, strict=True))


def encode_baselines(
    material: Material,
    codecs: Sequence[Codec],
    *,
    exhaustive: bool = False,
    on_disk: bool = False,
    processes: int | None = None,
    cache: Cache | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
    work: Work | None = None,
) -> Baselines:
    """Store a material with block codecs in every way of its plan.

    Args:
        codecs: those to try.
        exhaustive: see `codecs.encode`.
        on_disk: count the bytes after zstd -19, not those that the GPU reads.
        processes: see `pool.run_all`.
        progress: called with ('encode' or 'decode', done, all).
        work: the work of this material with these codecs, if the caller has it already.
    """
    work = work or Work.of(material, codecs, exhaustive=exhaustive)
    plan, jobs, stored = work.plan, work.jobs, list(work.stored)
    zipped = encode_all(jobs, processes=processes, cache=cache, known=work.known,
                        progress=lambda *at: progress("encode", *at))  # fmt: skip
    stored = [replace(item, zipped=data) for item, data in zip(stored, zipped, strict=True)]
    options: Options = {item.image: [] for item in stored}
    for done, (number, errors) in enumerate(measure_errors(stored, material, processes=processes), start=1):
        item = replace(stored[number], errors=errors)
        size = len(item.zipped) if on_disk else item.bytes
        options[item.image].append(Option(size, sum(errors), {item.image: item}))
        progress("decode", done, len(stored))

    hulls = {}
    for family in dict.fromkeys(codec.family for codec in codecs):
        mine = {
            name: [o for o in row if CODECS[o.choice[name].codec].family == family] for name, row in options.items()
        }
        if hull := best_mixes(plan, mine):
            hulls[family] = hull
    return Baselines(hulls, _usual(plan, options, codecs))


def best_mixes(plan: Sequence[Group], options: Options) -> list[Option]:
    """The hull over all ways to store a plan, with any option for each image. Empty if a group cannot be stored."""
    hulls = {name: lower_hull(row) for name, row in options.items()}
    return add_hulls([_group_hull(group, hulls) for group in plan])


def usual_bytes(material: Material, codecs: Sequence[Codec]) -> list[tuple[str, int]]:
    """(label, bytes) of the stacks in `Baselines.usual`. The bytes follow from sizes alone, so nothing is encoded."""
    images = [image for group in make_plan(material) for image in group[0]]
    known = {codec.name for codec in codecs}
    labels: dict[tuple[str, ...], str] = {}  # by the codecs of the images; equal stacks keep the first label
    for _, label, by_channels in _usual_stacks(codecs):
        picked = tuple(by_channels[len(image.channels)] for image in images)
        if images and known.issuperset(picked):
            labels.setdefault(picked, label)
    return [(label, sum(CODECS[name].size(material.height, material.width) for name in picked))
            for picked, label in labels.items()]


def _usual_stacks(codecs: Sequence[Codec]) -> list[tuple[str, str, dict[int, str]]]:
    """(family, label, {channels of an image: codec}) of each usual stack."""
    return [("bc", label, by_channels) for label, by_channels in _BC_STACKS] + [
        ("astc", codec.label, dict.fromkeys(codec.channels, codec.name)) for codec in codecs if codec.family == "astc"
    ]


def _jobs(image: MapImage, filled: F32Array, scale: int, codecs: Sequence[Codec], exhaustive: bool) -> list[Job]:
    """The image at one size for every codec that can hold it."""
    small = np.round(shrink(filled[:, :, image.channels], scale) * 255).astype(np.uint8)
    fitting = [codec for codec in codecs if len(image.channels) in codec.channels]
    return [Job(codec.name, small, image.alpha_weighted, exhaustive) for codec in fitting]


def _group_hull(group: Group, hulls: Options) -> list[Option]:
    """The hull over all ways to store the channels of a group."""
    return lower_hull(o for way in group for o in add_hulls([hulls[image.name] for image in way]))


def _usual(plan: Sequence[Group], options: Options, codecs: Sequence[Codec]) -> list[Combination]:
    """The usual stacks at full size and in the usual packing; those that the codecs here cannot make are left out."""
    images = [image for group in plan for image in group[0]]
    result: list[Combination] = []
    for family, label, by_channels in _usual_stacks(codecs):
        picked = [
            next((o for o in options[image.name] if _is(o.choice[image.name], by_channels[len(image.channels)])), None)
            for image in images
        ]
        option = _sum([o for o in picked if o is not None])
        if all(picked) and picked and all(option.choice != c.option.choice for c in result):
            result.append(Combination(family, label, option))
    return result


def _is(stored: Stored, codec: str) -> bool:
    return stored.codec == codec and stored.scale == 1


def _sum(options: Sequence[Option]) -> Option:
    return add_hulls([[option] for option in options])[0] if options else Option(0, 0.0, {})
