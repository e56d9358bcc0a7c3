"""The phases of a comparison, the work of each, and the progress reports."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gstex.compare.baselines import Work, usual_bytes
from gstex.compare.cache import Cache
from gstex.compare.codecs import CODECS
from gstex.compare.encoding import Job, encode_processes, find_waiting
from gstex.compare.measuring import measure_processes
from gstex.compare.pool import count_processes
from gstex.forecast import Phase, fit_phase
from gstex.material import Material

__all__ = ["Course", "Step"]

COARSE, ENCODE, DECODE, MEASURE, PAGE = ("encode small images", "encode block codecs", "decode block codecs", "measure",
                                         "write the page")  # fmt: skip
# Estimates until the numbers are known: best mixes and pictures of each family of codecs. And the time of FLIP, as a
# multiple of all other measurements of a point.
_MIXES, _PICTURES, FLIP = 10, 3, 6


@dataclass(frozen=True)
class Step:
    """How far a comparison is. stage: what it does, for people; step of steps of that stage are done. psnr: the best
    result of a fit so far, in dB. phase: the stage as a phase of the forecast; later: the phases to come."""

    stage: str
    step: int
    steps: int
    psnr: float | None = None
    phase: Phase = field(default_factory=Phase)
    later: tuple[Phase, ...] = ()


class Course:
    """Calls progress(Step) as the phases of a comparison follow each other.

    fits: (bits per texel, effort). page: whether a page is written in the end.
    """

    def __init__(
        self, material: Material, fits: Sequence[tuple[float, str]], work: Work, *, processes: int | None,
        cache: Cache | None, page: bool, progress: Callable[[Step], None],
    ):  # fmt: skip
        self._material, self._processes, self._progress = material, processes, progress
        families = len({CODECS[job.codec].family for job in work.jobs})
        points = len(fits) + len(usual_bytes(material, [CODECS[job.codec] for job in work.jobs])) + families * _MIXES
        shown = 1 + families * _PICTURES
        self._texels = material.width * material.height
        coarse = set(map(id, work.coarse()))
        waiting = find_waiting(work.jobs, cache)
        self._coming = [
            self._codecs(COARSE, "coarse codecs", [job for job in waiting if id(job) in coarse]),
            *(fit_phase(material, effort, rate, fit_name(rate)) for rate, effort in fits),
            self._codecs(ENCODE, "codecs", [job for job in waiting if id(job) not in coarse]),
            self._of_stacks(DECODE, "decode", len(work.jobs), 1),
            self._of_stacks(MEASURE, "measure", points, 1 + FLIP * shown / points),
        ]
        if page:
            self._coming.append(Phase(PAGE, "page", shown * self._texels, self._texels))
        self._now = Phase()

    def tell(self, name: str, step: int, steps: int, psnr: float | None = None) -> None:
        """Report that `step` of `steps` of a phase are done. Earlier phases are over or were left out."""
        names = [phase.name for phase in self._coming]
        if name in names:
            self._now = self._coming[names.index(name)]
            del self._coming[: names.index(name) + 1]
        self._progress(Step(name, step, steps, psnr, self._now, tuple(self._coming)))

    def points(self, count: int, shown: int) -> None:
        """Correct the work of the measuring phase. count: points to measure. shown: how many have pictures."""
        amount = self._of_stacks(MEASURE, "measure", count, 1 + FLIP * shown / count)
        self._coming = [amount if phase.name == MEASURE else phase for phase in self._coming]

    def _codecs(self, name: str, kind: str, jobs: Sequence[Job]) -> Phase:
        lanes = count_processes(len(jobs), encode_processes(jobs, self._processes))
        return Phase(name, kind, sum(job.work for job in jobs) / max(lanes, 1), self._texels)

    def _of_stacks(self, name: str, kind: str, count: int, each: float) -> Phase:
        lanes = count_processes(count, measure_processes(count, self._material, self._processes))
        return Phase(name, kind, count * each * self._texels / max(lanes, 1), self._texels)


def fit_name(rate: float) -> str:
    """The name of the phase of a fit at this rate, in bits per texel."""
    return f"fit at {rate:.3g} bits per texel"
