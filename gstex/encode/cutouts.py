"""Cut-outs: decoded mips of which as much passes an alpha test as of mip 0."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gstex.encode.mip_chain import Mip, Shared
from gstex.encode.problem import Result, Task
from gstex.material import Material
from gstex.material.coverage import coverage, keep_coverage
from gstex.texture import Texture

__all__ = ["COVERAGE_ROUNDS", "Changes", "Cutout", "opacity_index"]

COVERAGE_ROUNDS = 3  # most fits of the mips below mip 0, to bring their coverage near
_ALLOWED = 0.008  # of the area, that the coverage of a mip may differ from that of full size; 0.01 is promised


@dataclass(frozen=True)
class Changes:
    """What to fit anew below mip 0. sharing: how many mips share its Gaussians. tasks: of all mips."""

    sharing: int
    tasks: list[Task]


class Cutout:
    """The coverage of a material at an alpha test, and the coverage at which its mips aim to keep it.

    varying: the channels that are fitted.
    """

    def __init__(self, material: Material, alpha_test: float, varying: Sequence[int], *, repeat: bool) -> None:
        self.alpha_test, self.repeat = alpha_test, repeat
        self.index = opacity_index(material)
        self.pixels = None if self.index is None else material.pixels[:, :, self.index]
        self.column = None if self.index is None else list(varying).index(self.index)
        self.own_mips = material.own_mips
        self.aims: dict[int, float] = {}

    def coverage(self, texture: Texture) -> list[float]:
        """The share 0..1 that passes, of the material itself and then of mips 1, 2 .. as they decode."""
        if self.pixels is None:
            return []
        pictures = [self.pixels] + [texture.decode(m)[:, :, self.index] for m in range(1, texture.mip_count)]
        return [coverage(p.astype(np.float64), self.alpha_test, repeat=self.repeat) for p in pictures]

    def improve(self, texture: Texture, mips: Sequence[Mip], tasks: Sequence[Task]) -> Changes | None:
        """What to change so that the mips hold the coverage; None where they do, or nothing helps.

        If a mip that shares the Gaussians of mip 0 fails, it and all smaller mips get Gaussians of their own. A mip
        that has its own aims higher by what it lacks.
        """
        covered = self.coverage(texture)
        sharing = sum(isinstance(mip, Shared) for mip in mips)
        failing = [m for m, c in enumerate(covered) if abs(c - covered[0]) > _ALLOWED]
        changed = list(tasks)
        tuned = False
        for mip in failing:
            if mip <= sharing:
                return Changes(mip - 1, changed)
            if isinstance(mips[mip], Result) and not self._given(mip):
                self.aims[mip] = self.aims.get(mip, covered[0]) + covered[0] - covered[mip]
                changed[mip] = self._aimed(tasks[mip], float(np.clip(self.aims[mip], 0, 1)))
                tuned = True
        return Changes(sharing, changed) if tuned else None

    def _given(self, mip: int) -> bool:
        """Whether the user gives the opacity of a mip, which is taken as it is."""
        pixels = self.own_mips[mip - 1] if mip <= len(self.own_mips) else None
        return pixels is not None and not np.isnan(pixels[0, 0, self.index])

    def _aimed(self, task: Task, target: float) -> Task:
        image = task.target.image.copy()
        opacity = image[:, :, self.column].astype(np.float64)
        image[:, :, self.column] = keep_coverage(opacity, self.alpha_test, target, repeat=self.repeat)
        return replace(task, target=replace(task.target, image=image))


def opacity_index(material: Material) -> int | None:
    """The channel of an opacity that varies, None if there is none."""
    return next((i for i, c in enumerate(material.channels) if c.role == "opacity" and c.constant is None), None)
