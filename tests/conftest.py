"""Fixtures for all tests."""

import os
import signal
import tempfile
from pathlib import Path

import pytest
from command import Command

# What `make test-quick` leaves out: compilers, whole fits, browsers, windows.
SLOW = frozenset((
    "test_batch", "test_batch_page",
    "test_bench_compare", "test_bench_fits", "test_bench_gains", "test_bench_times", "test_compare", "test_cuda_arrays",
    "test_cli_view", "test_cuda_compile", "test_cuda_compiled", "test_cuda_decode", "test_cuda_engine",
    "test_cuda_expand", "test_cuda_fit",
    "test_cuda_fit_compile", "test_cuda_refine", "test_cuda_source", "test_decoder_c", "test_expand_glsl",
    "test_export",
    "test_fit", "test_fit_palettes",
    "test_glsl", "test_glsl_points", "test_gpu_check", "test_image_gs", "test_material_data", "test_mip_chain",
    "test_native", "test_packaging", "test_refine", "test_report", "test_report_browser", "test_same_everywhere",
    "test_samples", "test_sampling", "test_shader_examples", "test_shader_languages", "test_transcode_readers",
    "test_transcoder",
    "test_uniform_grid", "test_untrusted", "test_view",
    "test_view_window", "test_web_loader", "test_web_page", "test_panda3d_sample", "test_write_shaders",
))  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in SLOW:
            item.add_marker(pytest.mark.slow)


def pytest_configure(config: pytest.Config) -> None:
    """One thread of torch: its problems are small here, and several would wait for one another and for others."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in what a shell runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "slow: make test-quick leaves it out")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if "GSTEX_STATE" not in os.environ:  # what the user's gstex remembers is not ours; workers take the folder over
        folder = tempfile.TemporaryDirectory(prefix="gstex-state-")
        os.environ["GSTEX_STATE"] = folder.name
        config.add_cleanup(folder.cleanup)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, tmp_path: Path) -> Command:
    """The gstex command, in an empty current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Command(monkeypatch, capfd)
