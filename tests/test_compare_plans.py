"""Which images a material is shipped as, and at which sizes."""

import numpy as np
import pytest

from gstex.compare.plans import fill_hidden, make_plan
from gstex.compare.scaling import shrink, stretch
from gstex.material import Channel, Material


def material(roles, constant=(), pixels=None, size=(8, 6)):
    """roles: one for each channel; indices in `constant` do not vary."""
    channels = tuple(
        Channel(role, "v", "linear", f"{role}.png", 0, 0.5 if i in constant else None, ())
        for i, role in enumerate(roles)
    )
    if pixels is None:
        pixels = np.random.default_rng(0).random((*size, len(roles)), np.float32)
    return Material("m", pixels.shape[1], pixels.shape[0], (), channels, pixels, None, "clamp")


def names(plan):
    return [[[f"{i.name}{list(i.channels)}" for i in way] for way in group] for group in plan]


def test_a_usual_stack():
    roles = ["albedo"] * 3 + ["normal"] * 2 + ["roughness", "metallic", "ao"]
    assert names(make_plan(material(roles))) == [
        [["albedo[0, 1, 2]"]],
        [["normal[3, 4]"]],
        [["ao+roughness+metallic[7, 5, 6]"], ["ao[7]", "roughness[5]", "metallic[6]"]],
    ]


def test_opacity_goes_with_the_albedo_or_alone():
    plan = make_plan(material(["albedo"] * 3 + ["opacity"]))
    assert names(plan) == [[["albedo+opacity[0, 1, 2, 3]"], ["albedo[0, 1, 2]", "opacity[3]"]]]
    assert plan[0][0][0].alpha_weighted and not plan[0][1][0].alpha_weighted
    assert names(make_plan(material(["opacity", "roughness"]))) == [
        [["roughness+opacity[1, 0]"], ["roughness[1]", "opacity[0]"]]
    ]


def test_constants_are_not_stored():
    roles = ["albedo"] * 3 + ["opacity", "roughness"]
    assert names(make_plan(material(roles, constant=(1, 3)))) == [[["albedo[0, 2]"]], [["roughness[4]"]]]
    assert make_plan(material(["roughness"], constant=(0,))) == []


def test_many_data_maps_and_colours():
    roles = ["albedo", "roughness", "height", "emissive", "emissive", "emissive", "gloss", "mask", "mask"]
    assert names(make_plan(material(roles))) == [
        [["albedo[0]"]],
        [["emissive[3, 4, 5]"]],
        [
            ["roughness+height+gloss[1, 2, 6]", "mask[7, 8]"],
            ["roughness+height+gloss+mask[1, 2, 6, 7]", "mask-2[8]"],
            ["roughness[1]", "height[2]", "gloss[6]", "mask-3[7]", "mask-2[8]"],
        ],
    ]


def test_every_alternative_holds_the_same_channels():
    roles = ["albedo"] * 3 + ["opacity", "roughness", "metallic", "ao", "height", "gloss", "mask", "mask"]
    stack = material(roles)
    plan = make_plan(stack)
    for group in plan:
        assert len({tuple(sorted(c for image in way for c in image.channels)) for way in group}) == 1
    assert sorted(c for group in plan for image in group[0] for c in image.channels) == list(range(len(roles)))


def test_hidden_colour_goes_on_from_what_is_seen():
    pixels = np.zeros((8, 8, 4), np.float32)
    pixels[:, :4] = (0.25, 0.5, 0.75, 1.0)
    filled = fill_hidden(material(["albedo"] * 3 + ["opacity"], pixels=pixels))
    assert np.allclose(filled[:, :, :3], (0.25, 0.5, 0.75), atol=1e-6)
    assert np.array_equal(filled[:, :, 3], pixels[:, :, 3])


def test_shrink_averages_blocks():
    image = np.arange(16.0).reshape(4, 4, 1)
    assert shrink(image, 2)[:, :, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert shrink(image, 4)[:, :, 0].tolist() == [[7.5]]
    odd = np.array([3.0, 6.0, 9.0]).reshape(1, 3, 1)  # to 1 texel: the mean
    assert shrink(odd, 2)[:, :, 0].tolist() == [[6.0]]
    five = np.array([1.0, 1.0, 6.0, 1.0, 1.0]).reshape(1, 5, 1)  # to 2: each takes half of the middle
    assert shrink(five, 2)[:, :, 0].tolist() == [[2.0, 2.0]]


@pytest.mark.parametrize("repeat, expected", [(False, [0, 1, 3, 4]), (True, [1, 1, 3, 3])])
def test_stretch_filters_bilinearly(repeat, expected):
    image = np.array([0.0, 4.0]).reshape(1, 2, 1)
    assert stretch(image, 1, 4, repeat=repeat)[0, :, 0].tolist() == expected
    assert stretch(image, 2, 4, repeat=repeat).shape == (2, 4, 1)


def test_scaling_keeps_a_constant():
    image = np.full((7, 5, 2), 0.3)
    small = shrink(image, 4)
    assert small.shape == (1, 1, 2) and np.allclose(stretch(small, 7, 5, repeat=True), 0.3)
