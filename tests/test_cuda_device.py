"""What `open_device` says about GPUs that cannot be used, and what `CupyDevice` asks of CuPy."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import cuda_host_cases
import numpy as np
import pytest
from cuda_decode_cases import words_of
from cuda_devices import CopyingDevice
from fake_cupy import CUDARuntimeError, FakeCupy, OutOfMemoryError

from gstex import decode
from gstex.cuda import CupyDevice, GpuTexture, open_device
from gstex.cuda import device as cuda_device
from gstex.errors import DeviceError, UsageError


def install(monkeypatch: pytest.MonkeyPatch, cupy: object) -> None:
    monkeypatch.setitem(sys.modules, "cupy", cupy)


def refusal(preference: str = "auto") -> str:
    """The message of open_device."""
    with pytest.raises(DeviceError) as error:
        open_device(preference)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_this_machine_gets_a_gpu_or_one_line_that_says_why() -> None:
    try:
        device = open_device("cuda")
    except DeviceError as error:
        assert str(error).startswith("CUDA: ") and "\n" not in str(error)
        assert str(error).endswith("; or use the CPU: --device cpu")
    else:
        assert device.capability >= cuda_device.LEAST_CAPABILITY


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(UsageError, match="device: got 'gpu', expected 'auto' or 'cuda'"):
        open_device("gpu")


def test_without_cupy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, None)
    assert refusal() == "CUDA: CuPy is not installed; pip install gstex[cuda]"
    assert refusal("cuda") == "CUDA: CuPy is not installed; pip install gstex[cuda]; or use the CPU: --device cpu"


def test_a_cupy_that_cannot_be_loaded_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        raise ImportError("libcuda.so.1: cannot open shared object file\nmore")

    monkeypatch.setattr(cuda_device, "import_module", load)
    assert refusal() == (
        "CUDA: CuPy cannot be loaded (libcuda.so.1: cannot open shared object file); reinstall it: "
        "pip install gstex[cuda]"
    )


def test_a_gpu_that_works_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = FakeCupy(name="Fake 5000", capability=(7, 5))
    install(monkeypatch, cupy)
    device = open_device()
    assert device.name == "Fake 5000" and device.torch_device == "cuda:0" and device.xp is cupy


def test_an_old_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeCupy(name="Old 900", capability=(7, 0)))
    assert refusal() == "CUDA: Old 900 has compute capability 7.0, expected 7.5 or newer; use a newer GPU"


def test_no_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeCupy(count=0))
    assert refusal() == "CUDA: the driver finds no GPU; check nvidia-smi and CUDA_VISIBLE_DEVICES"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OutOfMemoryError("Out of memory allocating 256 bytes"), "not enough GPU memory"),
        (CUDARuntimeError("cudaErrorMemoryAllocation: out of memory"), "not enough GPU memory"),
        (CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected"), "the driver finds no GPU"),
        (CUDARuntimeError("cudaErrorInsufficientDriver: too old"), "no driver, or one that is too old for CuPy"),
        (RuntimeError("nvrtc: error: invalid value"), "a kernel does not compile"),
        (RuntimeError("something\nlong"), r"the GPU does not work \(something\)"),
    ],
)
def test_what_fails_is_explained(error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = FakeCupy()
    cupy.error = error
    install(monkeypatch, cupy)
    with pytest.raises(DeviceError, match=rf"^CUDA: {message}.*; \w"):
        open_device()


def test_a_gpu_that_computes_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = FakeCupy(name="Broken")
    cupy.wrong = 1
    install(monkeypatch, cupy)
    assert refusal() == "CUDA: Broken computed something wrong in a first test; check the driver"


def test_a_failure_that_shows_later_is_a_device_error() -> None:
    cupy = FakeCupy()
    device = CupyDevice(cupy)
    device.synchronize()
    cupy.error = CUDARuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")
    with pytest.raises(DeviceError, match="the GPU does not work"):
        device.synchronize()


def test_modules_are_compiled_once_for_each_set_of_defines() -> None:
    cupy = FakeCupy()
    device = CupyDevice(cupy)
    for defines in ({"VARYING": 2, "TOP_K": 0}, {"TOP_K": 0, "VARYING": 2}, {"VARYING": 3, "TOP_K": 0}):
        device.kernel("decode/fetch.cu", "fetch", defines)
        device.kernel("decode/fetch.cu", "count_candidates", defines)
    assert len(cupy.modules) == 2
    assert all(module.options == ("--std=c++14",) for module in cupy.modules)


def test_much_shared_memory_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = FakeCupy()
    monkeypatch.setattr(cuda_device, "kernel_source", lambda file, defines: cuda_host_cases.SOURCE)
    out = np.zeros(1, np.int32)
    kernel = CupyDevice(cupy).kernel("any.cu", "beyond_shared")
    kernel((1,), (1,), out, np.int32(15_000), shared=60 << 10)  # the fake one refuses more than was asked for
    assert out[0] == 1


@pytest.mark.parametrize("old", [False, True])
def test_kernels_run_in_torch_s_stream_for_tensors(old: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tensor(np.ndarray):
        is_cuda = True

    stream = SimpleNamespace(cuda_stream=0x1234)
    torch = SimpleNamespace(Tensor=Tensor, cuda=SimpleNamespace(current_stream=lambda number: stream))
    monkeypatch.setitem(sys.modules, "torch", torch)
    cupy = FakeCupy(old=old)
    kernel = CupyDevice(cupy).kernel("check.cu", "check")
    numbers, out = np.arange(8, dtype=np.int32), np.zeros(8, np.int32)
    kernel((1,), (8,), numbers, out.view(Tensor), np.int32(8))
    assert (out == 3 * numbers + 1).all()
    kernel((1,), (8,), numbers, out, np.int32(8))
    stream.cuda_stream = 0
    kernel((1,), (8,), numbers, out.view(Tensor), np.int32(8))
    assert cupy.streams == [0x1234, 0, 0]


def test_a_texture_on_it() -> None:
    words = words_of(4)
    texture = GpuTexture(words, CupyDevice(FakeCupy()))
    expected = decode.decode_texels(words)
    np.testing.assert_allclose(texture.decode(), expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(texture.sample([[0.25, 0.5]]), texture.sample(np.array([[0.25, 0.5]])))


# ---- Arrays of the host, kernels on a GPU: how the other tests use one (cuda_devices.py) ---------------------------


def copying() -> CopyingDevice:
    return CopyingDevice(CupyDevice(FakeCupy()))


def test_copied_arrays_come_back() -> None:
    device, numbers, out = copying(), np.arange(8, dtype=np.int32), np.zeros(8, np.int32)
    device.kernel("check.cu", "check")((1,), (8,), numbers, out, np.int32(8))
    np.testing.assert_array_equal(out, 3 * np.arange(8) + 1)
    np.testing.assert_array_equal(numbers, np.arange(8))
    assert device.launches == {"check": 1}


@pytest.mark.parametrize("first", [0, 3, 8])
def test_arrays_with_memory_in_common_stay_one(first: int) -> None:
    """A kernel reads what it has written, through another argument; what is beside it comes back as it was."""
    memory = np.arange(100, 124, dtype=np.int32)
    numbers, out = memory[:8], memory[first : first + 8]
    expected = memory.copy()
    for i in range(8):  # threads run one after the other on the host
        expected[first + i] = 3 * expected[i] + 1
    copying().kernel("check.cu", "check")((1,), (8,), numbers, out, np.int32(8))
    np.testing.assert_array_equal(memory, expected)


def test_arrays_that_are_read_only_or_empty_are_passed() -> None:
    numbers, out = np.arange(8, dtype=np.int32), np.zeros(8, np.int32)
    numbers.flags.writeable = False
    kernel = copying().kernel("check.cu", "check")
    kernel((1,), (8,), numbers, out, np.int32(8))
    assert out[7] == 22
    kernel((1,), (8,), numbers[:0], out, np.int32(0))


# ---- Compiling in the background ------------------------------------------------------------------------------------


def test_sources_are_compiled_beside_other_work() -> None:
    cupy = FakeCupy()
    device = CupyDevice(cupy)
    numbers, out = np.arange(64, dtype=np.int32), np.zeros(64, np.int32)
    for _ in range(2):  # the second time there is nothing to do
        device.prepare([("check.cu", {}), ("check.cu", {"OTHER": 1})])
    for defines in (None, {"OTHER": 1}):
        device.kernel("check.cu", "check", defines)((2,), (32,), numbers, out, np.int32(64))
        np.testing.assert_array_equal(out, 3 * numbers + 1)
    assert len(cupy.modules) == len(cupy.compiled) == 2
    assert all(name.startswith("gstex-compile") for name in cupy.compiled)
    device.kernel("check.cu", "check", {"OTHER": 2})  # and what nobody has prepared
    assert len(cupy.modules) == 3


def test_what_compiling_raised_is_raised_where_the_kernel_is_needed() -> None:
    cupy = FakeCupy()
    device = CupyDevice(cupy)
    cupy.compile_error = CUDARuntimeError("NVRTC_ERROR_COMPILATION")
    device.prepare([("check.cu", {})])
    with pytest.raises(CUDARuntimeError, match="NVRTC_ERROR_COMPILATION"):
        device.kernel("check.cu", "check")
