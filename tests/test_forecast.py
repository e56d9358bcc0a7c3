"""The time left that commands show: what is remembered, what a run says of what is to come, and how a bar shows it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from small_samples import crop_sample

import gstex.cli.progress as progress_module
from gstex.batch.events import Event
from gstex.batch.forecast import BatchForecast
from gstex.batch.options import Options
from gstex.batch.plans import Item
from gstex.cli.progress import ProgressReporter, StagedProgress
from gstex.compare.baselines import Work
from gstex.compare.cache import Cache
from gstex.compare.codecs import CODECS
from gstex.compare.course import COARSE, DECODE, ENCODE, MEASURE, Course, Step
from gstex.compare.encoding import encode_all, find_waiting
from gstex.encode.compress import Progress
from gstex.forecast import Costs, Forecast, Phase, asked_fit, fit_work
from gstex.material import load_material
from gstex.pace import Pace
from gstex.user_state import read_state, write_state

TEXELS = 256 * 256


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("GSTEX_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(moment=0.0)
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now.moment)
    return now


def phase(kind: str, amount: float = 1.0, name: str = "") -> Phase:
    return Phase(name or kind, kind, amount, TEXELS)


def known(**seconds: float) -> None:
    """What a unit of each kind takes on this machine."""
    for kind, value in seconds.items():
        Costs().learn(phase(kind.replace("_", " ")), value)


# ---- What is remembered


def test_costs_are_kept_by_kind_and_size():
    Costs().learn(Phase("a", "fit fast", 4.0, TEXELS), 8.0)
    assert Costs().seconds(Phase("b", "fit fast", 3.0, 250 * 270)) == (pytest.approx(6.0), True)
    Costs().learn(Phase("a", "fit fast", 4.0, 16 * TEXELS), 40.0)
    assert Costs().seconds(Phase("b", "fit fast", 1.0, TEXELS))[0] == pytest.approx(2.0)
    assert Costs().seconds(Phase("b", "fit fast", 1.0, 1000 * TEXELS))[0] == pytest.approx(10.0)  # the nearest size
    Costs().learn(Phase("a", "fit fast", 1.0, TEXELS), 8.0)
    assert Costs().seconds(Phase("b", "fit fast", 1.0, TEXELS))[0] == pytest.approx(2 * 4**0.3)
    Costs().learn(Phase("a", "no such kind", 1.0, TEXELS), 8.0)
    assert set(read_state("costs")) == {"fit fast 8", "fit fast 10"}


def test_what_a_phase_takes_to_begin_with_is_not_taken_for_its_work():
    """Of a tiny picture nearly all is that; a large one is not hundreds of times as slow for it."""
    usual = Costs().seconds(Phase("", "page", 7e6, 10**6))[0]
    Costs().learn(Phase("", "page", 7 * 48 * 48, 48 * 48), 2.0)
    assert usual < Costs().seconds(Phase("", "page", 7e6, 10**6))[0] < 3 * usual


def test_a_machine_is_as_fast_in_one_kind_as_in_others():
    usual = [Costs().seconds(phase(kind))[0] for kind in ("measure", "page")]
    known(measure=3 * usual[0])
    assert Costs().seconds(phase("page")) == (pytest.approx(3 * usual[1]), True)


@pytest.mark.parametrize("kept", ["text", [1], {"measure 8": "x", "page": -1, "page x": 3.0}, {"measure 8": [2]}])
def test_costs_that_cannot_be_read_are_the_usual_ones(kept):
    usual = Costs().seconds(phase("measure"))
    write_state("costs", kept)
    assert Costs().seconds(phase("measure"))[0] == usual[0]


def test_a_fit_takes_longer_for_more_bits_and_channels():
    assert fit_work(100, 8, None) == fit_work(100, 8, 1.0) == 800
    assert fit_work(100, 8, 2.0) == pytest.approx(800 * 2**0.7)
    assert fit_work(100, 4, None) == 400


# ---- One command


def test_without_anything_known_all_steps_take_as_long():
    forecast = Forecast()
    assert forecast.left() is None
    forecast.take(2.0, Phase(), 0.0)
    assert forecast.left() is None
    forecast.take(5.0, Phase(), 0.3)
    assert forecast.left() == pytest.approx(7.0) and forecast.share() == pytest.approx(0.3)


def test_phases_to_come_count_from_the_beginning():
    known(fit_fast=10.0, codecs=20.0, page=5.0)
    forecast = Forecast()
    later = [phase("codecs"), phase("page")]
    forecast.take(0.0, phase("fit fast"), 0.0, later)
    assert forecast.left() == pytest.approx(10 + 20 + 5)
    forecast.take(5.0, phase("fit fast"), 0.5, later)
    assert forecast.left() == pytest.approx(5 + 20 + 5) and forecast.share() == pytest.approx(5 / 35)


def test_a_fit_that_takes_twice_as_long_doubles_the_fits_to_come_and_nothing_else():
    known(fit_fast=10.0, codecs=20.0)
    forecast = Forecast()
    later = [phase("fit fast", name="second"), phase("codecs")]
    forecast.take(0.0, phase("fit fast", name="first"), 0.0, later)
    forecast.take(10.0, phase("fit fast", name="first"), 0.5, later)  # surely
    assert forecast.left() == pytest.approx(10 + 20 + 20)
    forecast.take(19.0, phase("fit fast", name="first"), 0.95, later)
    forecast.take(20.0, phase("fit fast", name="second"), 0.0, later[1:])
    assert forecast.left() == pytest.approx(20 + 20)
    forecast.take(40.0, phase("codecs"), 0.0)
    assert forecast.left() == pytest.approx(20)


def test_a_phase_says_little_of_itself_at_its_beginning():
    known(fit_fast=10.0)
    forecast = Forecast()
    forecast.take(0.0, phase("fit fast"), 0.0)
    forecast.take(1.0, phase("fit fast"), 0.01)  # 100 s, if it were sure
    assert 9 < forecast.left() < 12


def test_steps_that_begin_late_are_not_taken_for_slow_ones():
    """Encoders run in processes, which have to start: the first image is done late."""
    encoding = phase("codecs", 9e6)
    whole = Costs().seconds(encoding)[0]
    lead = whole - Costs().seconds(phase("codecs", 18e6))[0] / 2  # half of it
    forecast = Forecast()
    forecast.take(0.0, encoding, 0.0)
    for share in (0.05, 0.5):
        forecast.take(2 * lead + share * (whole - 2 * lead), encoding, share)
        assert forecast.left() == pytest.approx((1 - share) * (whole - 2 * lead))


def test_small_images_tell_how_long_the_others_take():
    known(coarse_codecs=1.0, codecs=20.0)
    forecast = Forecast()
    forecast.take(0.0, phase("coarse codecs"), 0.0, [phase("codecs")])
    forecast.take(2.0, phase("coarse codecs"), 1.0, [phase("codecs")])
    assert forecast.left() == pytest.approx(20 * 2**0.6)


def test_a_machine_of_which_nothing_is_known_is_as_fast_as_it_was_so_far():
    first, last = phase("fit fast"), phase("page")
    usual = [Costs().seconds(one)[0] for one in (first, last)]
    forecast = Forecast()
    forecast.take(0.0, first, 0.0, [last])
    forecast.take(4 * usual[0], first, 1.0, [last])
    assert forecast.left() == pytest.approx(4 * usual[1])


def test_what_is_left_out_is_corrected_at_once_and_teaches_nothing():
    """Results of the encoders that were kept, or a fit whose budget holds no Gaussian."""
    known(fit_fast=10.0, codecs=20.0)
    forecast = Forecast()
    forecast.take(0.0, phase("fit fast", name="first"), 0.0, [phase("fit fast"), phase("codecs")])
    forecast.take(0.1, phase("fit fast"), 0.0, [phase("codecs")])  # the first has failed
    assert forecast.left() == pytest.approx(30.0)
    forecast.take(10.1, phase("fit fast"), 1.0, [phase("codecs")])
    forecast.take(10.1, phase("codecs", 0.0), 0.0)
    assert forecast.left() == 0.0
    forecast.end(10.2)
    assert Costs().seconds(phase("codecs"))[0] == pytest.approx(20.0)


def test_the_share_never_falls():
    known(fit_fast=1.0, fit_normal=1.0)
    forecast = Forecast()
    forecast.take(0.0, phase("fit fast"), 0.0, [phase("fit normal")])
    forecast.take(1.0, phase("fit fast"), 1.0, [phase("fit normal")])
    assert forecast.share() == pytest.approx(0.5)
    forecast.take(1.0, phase("fit normal", 9.0), 0.0)
    assert forecast.left() == pytest.approx(9.0) and forecast.share() == pytest.approx(0.5)


def test_a_run_is_learned_from_when_it_has_ended_well():
    known(page=8.0)
    forecast = Forecast()
    forecast.take(0.0, phase("page"), 0.0)
    forecast.end(2.0)
    assert Costs().seconds(phase("page"))[0] == pytest.approx(8 * 0.25**0.3)


def test_a_fit_from_a_checkpoint_counts_what_is_left_of_it():
    known(fit_fast=10.0)
    forecast = Forecast()
    forecast.take(0.0, phase("fit fast"), 0.6)
    assert forecast.left() == pytest.approx(4.0) and forecast.share() == pytest.approx(0.6)
    forecast.take(3.0, phase("fit fast"), 0.9)
    assert forecast.left() == pytest.approx(1.0)
    forecast.end(4.0)
    assert Costs().seconds(phase("fit fast"))[0] == pytest.approx(10.0)  # it says nothing of a whole one


# ---- The bars


def test_the_bar_learns_from_a_fit_that_is_done(clock, capfd):
    known(fit_fast=1e-4)

    def fit(*reports: tuple[float, int], seconds: float = 0.0, stop: bool = False) -> None:
        with ProgressReporter(phase=Phase("fit", "fit fast", 1.0, TEXELS, Pace("fast", TEXELS))) as report:
            for moment, step in reports:
                clock.moment = moment
                report(Progress("fit", step, 100, 20.0))
            clock.moment = seconds
            if stop:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit((0, 0), (1, 50), seconds=2, stop=True)
    assert read_state("pace") is None
    fit((0, 0), (40, 20), (80, 40), seconds=100)
    assert Pace("fast", TEXELS).share(0.4) == pytest.approx(0.8)
    capfd.readouterr()
    with ProgressReporter(phase=Phase("fit", "fit fast", 1.0, TEXELS, Pace("fast", TEXELS))) as report:
        clock.moment = 0.0
        report(Progress("fit", 0, 100, None))
        clock.moment = 80.0
        report(Progress("refine", 40, 100, 20.0))
    assert capfd.readouterr().err.splitlines()[-1] == "gstex: refine: 80 %, 20.0 dB, 0:20 left"


def test_a_comparison_has_one_bar_and_one_time_left(clock, capfd):
    known(fit_fast=60.0, codecs=120.0, measure=1.0)
    fit, codecs = phase("fit fast"), phase("codecs")
    with StagedProgress() as report:
        report(Step("fit at 1 bits per texel", 0, 10, None, fit, (codecs,)))
        clock.moment = 60.0
        report(Step("encode block codecs", 0, 10, None, codecs))
        clock.moment = 180.0
        report(Step("measure", 5, 5, None, phase("measure", 0.0)))
    assert capfd.readouterr().err.splitlines() == [
        "gstex: preparing", "gstex: fit at 1 bits per texel: 0 %, 3:00 left",
        "gstex: encode block codecs: 33 %, 2:00 left", "gstex: measure: 100 %, 0:00 left"]  # fmt: skip


# ---- What a comparison has to do


@pytest.fixture
def course(tmp_path):
    """A function (cached) -> (Course of two fits with a page, its steps), and the work."""
    material = load_material(crop_sample("rusted_steel", tmp_path / "steel", 16))
    codecs = [CODECS[name] for name in ("bc1", "bc4", "bc5", "bc7")]
    work = Work.of(material, codecs)

    def make(cache: Cache) -> tuple[Course, list[Step]]:
        steps: list[Step] = []
        return Course(material, [(1.0, "draft"), (2.0, "fast")], work, processes=1, cache=cache, page=True,
                      progress=steps.append), steps  # fmt: skip

    return make, work


def test_a_comparison_knows_all_its_phases_from_the_beginning(course, tmp_path):
    make, work = course
    one, steps = make(Cache(tmp_path / "cache"))
    one.tell(COARSE, 0, 1)
    assert [phase.kind for phase in (steps[0].phase, *steps[0].later)] == [
        "coarse codecs", "fit draft", "fit fast", "codecs", "decode", "measure", "page"]  # fmt: skip
    assert all(phase.amount > 0 for phase in steps[0].later)
    everything = sum(job.work for job in find_waiting(work.jobs, None))
    assert steps[0].phase.amount + steps[0].later[2].amount == everything
    one.tell(ENCODE, 1, 2)  # both fits were left out
    assert steps[1].phase.kind == "codecs" and [p.kind for p in steps[1].later] == ["decode", "measure", "page"]
    one.points(10, 4)
    one.tell(DECODE, 0, 1)
    assert steps[2].later[0].amount == pytest.approx((10 + 6 * 4) * 16 * 16)
    one.tell(MEASURE, 1, 10)
    one.tell(MEASURE, 2, 10)
    assert steps[3].phase is steps[4].phase and [p.kind for p in steps[4].later] == ["page"]


def test_kept_results_of_encoders_cost_nothing_from_the_beginning(course, tmp_path):
    make, work = course
    cache = Cache(tmp_path / "cache")
    work.encode_coarse(processes=1, cache=cache)
    one, steps = make(cache)
    one.tell(COARSE, 0, 0)
    assert steps[0].phase.amount == 0 and steps[0].later[2].amount > 0
    encode_all(work.jobs, processes=1, cache=cache, known=work.known)
    one, steps = make(cache)
    one.tell(COARSE, 0, 0)
    assert steps[0].phase.amount == steps[0].later[2].amount == 0


# ---- A batch


def item(name: str, side: int = 256) -> Item:
    return Item(name, Path(name), (), name, texels=side * side, channels=8, options=Options(effort="fast"))


def batch(*items: Item, jobs: int = 1, seconds: float = 10.0) -> BatchForecast:
    """seconds: of a material of 256x256 on one thread."""
    for size in {one.texels for one in items}:
        Costs().learn(Phase("", "fit fast", 8 * TEXELS, size), seconds)
    forecast = BatchForecast(items)
    forecast.take(0.0, Event("start", total=len(items), jobs=jobs, threads=jobs))
    return forecast


def pace() -> None:
    """All steps of a fit take as long."""
    for texels in (TEXELS, 4 * TEXELS):
        Pace("fast", texels).learn([(0.0, 0.0), (1.0, 0.1)], 10.0)


def test_materials_that_wait_count_by_their_texels():
    pace()
    forecast = batch(item("small"), item("large", 512))
    forecast.take(0.0, Event("begin", "large", threads=1))
    forecast.take(1.0, Event("progress", "large", share=0.0, threads=1))
    assert forecast.left() == pytest.approx(40 + 10 + 0.2, abs=0.01)
    forecast.take(21.0, Event("progress", "large", share=0.5, threads=1))
    assert forecast.left() == pytest.approx(20 + 10 + 0.2, abs=0.01)


def test_only_the_first_material_of_a_process_waits_for_it_to_start():
    pace()
    forecast = batch(*map(item, "abc"))
    forecast.take(0.0, Event("begin", "a", threads=1))
    forecast.take(3.0, Event("progress", "a", share=0.0, threads=1))
    assert forecast.left() == pytest.approx(3 * 10 + 2 * 0.2, abs=0.01)
    forecast.take(13.0, Event("done", "a"))
    forecast.take(13.0, Event("begin", "b", threads=1))
    forecast.take(13.5, Event("progress", "b", share=0.0, threads=1))
    assert forecast.left() == pytest.approx(2 * 10 + 0.5, abs=0.01)


def test_materials_that_are_done_say_how_long_the_others_take():
    pace()
    forecast = batch(*map(item, "abcd"))
    left = []
    for number, name in enumerate("abc"):
        forecast.take(20.0 * number, Event("begin", name, threads=1))
        forecast.take(20.0 * number, Event("progress", name, share=0.0, threads=1))
        forecast.take(20.0 * number + 20, Event("done", name))
        left.append(forecast.left())
    assert 3 * 10 < left[0] < 3 * 20 and 2 * 15 < left[1] < 2 * 20 and 17.5 < left[2] < 20


def test_the_last_material_has_all_threads():
    """Four of 10 s on two threads: two at once, twice; then five, of which the last is alone."""
    pace()
    for count, expected in ((4, 20 + 0.2), (5, 20 + 0.2 + 10.2 / 2**0.7)):
        forecast = batch(*map(item, "abcde"[:count]), jobs=2)
        for name in "ab":
            forecast.take(0.0, Event("begin", name, threads=1))
            forecast.take(0.0, Event("progress", name, share=0.0, threads=1))
        assert forecast.left() == pytest.approx(expected, abs=0.01)


def test_what_is_up_to_date_or_fails_is_no_work():
    pace()
    forecast = batch(*map(item, "abcd"))
    forecast.take(0.0, Event("current", "a"))
    forecast.take(0.0, Event("begin", "b", threads=1))
    forecast.take(0.0, Event("progress", "b", share=0.0, threads=1))
    assert forecast.left() == pytest.approx(30 + 2 * 0.2, abs=0.01)
    forecast.take(5.0, Event("failed", "b", message="no"))
    forecast.take(5.0, Event("failed", "c", message="no"))
    assert forecast.left() == pytest.approx(10 + 0.2, abs=0.01)


def test_a_batch_is_learned_from():
    pace()
    forecast = batch(item("a"))
    forecast.take(0.0, Event("begin", "a", threads=1))
    forecast.take(1.0, Event("progress", "a", share=0.0, threads=1))
    forecast.take(21.0, Event("done", "a"))
    assert Costs().seconds(Phase("", "fit fast", 8 * TEXELS, TEXELS))[0] == pytest.approx(10 * 2**0.3)


def test_a_large_library_and_a_cluster():
    """Of many materials only the last ones are followed one by one; a cluster does not say how many it does at once."""
    pace()
    forecast = batch(*(item(f"{n}") for n in range(3000)), jobs=8)
    forecast.take(0.0, Event("begin", "0", threads=1))
    assert forecast.left() == pytest.approx(3000 * 10 / 8, rel=0.05)
    cluster = batch(*map(item, "abcd"))
    cluster.take(0.0, Event("start", total=4))
    cluster.take(0.0, Event("begin", "a", threads=1))
    cluster.take(0.0, Event("begin", "b", threads=1))
    assert cluster.left() == pytest.approx(20, abs=4)


def test_restoring_is_a_fast_fit_at_its_own_rate() -> None:
    asked = {"effort": "thorough", "bpp": None, "quality": None}
    assert asked_fit(8, loss="l2", **asked) == ("thorough", 1.0)
    assert asked_fit(8, loss="restore", **asked) == ("fast", 8.0)
    assert asked_fit(8, loss="restore", **asked | {"bpp": 3.0}) == ("fast", 3.0)
