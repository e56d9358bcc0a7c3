"""The kernels of the fit compile for numbers of channels of every kind, and keep what they hold in registers."""

import shutil

import pytest
from cuda_compilers import find_compiler, kernel_usage

from gstex.cuda import kernel_source

COMPILER = find_compiler()
FILES = ["encode/blend.cu", "encode/gather.cu", "encode/kmeans.cu", "encode/codebooks.cu", "encode/sample_points.cu",
         "encode/refine_features.cu", "encode/refine_geometry.cu", "encode/removal_cost.cu",
         "encode/picture.cu"]  # fmt: skip


@pytest.mark.skipif(COMPILER is None, reason="no nvcc on the path and no wheel of NVRTC")
# With 4 channels test_cuda_compile.py compiles them. A single one is where loops over channels go away.
@pytest.mark.parametrize("file, channels", [
    *((file, 16) for file in FILES),
    *((file, 1) for file in ("encode/blend.cu", "encode/codebooks.cu", "encode/refine_features.cu")),
])
def test_compiles_for_a_number_of_channels(file, channels, tmp_path):
    assert COMPILER is not None
    COMPILER[1](kernel_source(file, {"CHANNELS": channels}), "sm_75", tmp_path)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc on the path, whose ptxas counts registers")
@pytest.mark.parametrize("channels", [3, 8])
def test_a_step_fits_into_registers(channels, tmp_path):
    """Two warps of every scheduler at the least, and nothing of a point's sums in memory."""
    usage = kernel_usage(kernel_source("encode/blend.cu", {"CHANNELS": channels}), "sm_80", tmp_path)
    for name in ("fit_step", "fit_backward", "fit_render"):
        assert usage[name].spills == 0 and usage[name].registers <= 96, (name, vars(usage[name]))
        assert usage[name].shared < 24 << 10
