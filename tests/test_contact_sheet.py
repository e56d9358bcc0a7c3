"""The contact sheet: which pixels stand where."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

from contact_sheet import contact_sheet

LABEL, GAP = 26, 8


def channel(role: str, component: str, space: str = "linear") -> dict[str, str]:
    return {"role": role, "component": component, "color_space": space, "file": f"wall_{role}.png"}


ALBEDO = [channel("albedo", c, "srgb") for c in "rgb"]
NORMAL = [channel("normal", c) for c in "xy"]


def test_rows_hold_original_decoded_and_error() -> None:
    original = np.full((4, 10, 6), 0.5, np.float32)
    original[:, :, 5] = 0.25
    decoded = original.copy()
    decoded[:, :, 0] += 0.1  # albedo red
    decoded[:, :, 5] += 0.02  # roughness
    sheet = contact_sheet(original, decoded, [*ALBEDO, *NORMAL, channel("roughness", "v")], {"albedo": 20.0})
    scale = 528 // 10
    assert sheet.dtype == np.uint8
    width, height = 10 * scale, 4 * scale + LABEL
    assert sheet.shape == (3 * height + 2 * GAP, 3 * width + 2 * GAP, 3)
    assert sheet.shape[1] <= 1600

    def at(row: int, column: int) -> list[int]:
        """The colour in the middle of a picture."""
        return sheet[row * (height + GAP) + LABEL + 2 * scale, column * (width + GAP) + width // 2].tolist()

    assert at(0, 0) == [128, 128, 128]
    assert at(0, 1) == [153, 128, 128]
    assert at(0, 2) == [204, 0, 0]  # 0.1 x 8: x 16 would leave the range
    assert at(1, 0) == [128, 128, 255]  # the normal's Z is rebuilt
    assert at(1, 2) == [0, 0, 0]
    assert at(2, 0) == [64, 64, 64]
    assert at(2, 2) == [163, 163, 163]  # 0.02 x 32


def test_labels_are_drawn_with_the_bundled_font() -> None:
    stack = np.zeros((4, 4, 3), np.float32)
    sheet = contact_sheet(stack, stack, ALBEDO)
    strip = sheet[:LABEL]
    third = strip.shape[1] // 3
    assert all(np.ptp(strip[:, i * third : (i + 1) * third]) > 100 for i in range(3))


def test_linear_colour_is_shown_as_srgb() -> None:
    stack = np.full((4, 4, 3), 0.2140, np.float32)
    sheet = contact_sheet(stack, stack, [channel("emissive", c) for c in "rgb"])
    assert abs(int(sheet[LABEL + 2, 2, 0]) - 128) <= 1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2000), (5000, 6), (600, 529), (1111, 1583)])
def test_any_size_fits(height: int, width: int) -> None:
    stack = np.zeros((height, width, 1), np.float32)
    stack[:, : width // 2] = 1.0  # white on the left
    sheet = contact_sheet(stack, stack, [channel("height", "v")])
    assert sheet.shape[1] <= 1600 and sheet.shape[0] <= 2048 + LABEL
    if width > 1:
        assert sheet[-1, 0, 0] == 255
    error = 2 * ((sheet.shape[1] - 2 * GAP) // 3 + GAP)  # its first column
    assert sheet[LABEL:, error].max() == 0
