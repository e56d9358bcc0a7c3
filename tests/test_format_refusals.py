"""What `pack` is given and the format does not hold: refused under the name of the argument, and nothing is cut off."""

from dataclasses import replace

import numpy as np
import pytest
from random_material import make_layout, make_material

from gstex import format as fmt
from gstex.errors import FormatError

NO_GEOMETRY = (0, 0, 0, 0, 0)
INF, NAN = float("inf"), float("nan")


def with_channel(material, number, **changes):
    channels = list(material.channels)
    channels[number] = replace(channels[number], **changes)
    return replace(material, channels=tuple(channels))


def with_group(material, number=0, **changes):
    groups = list(material.groups)
    groups[number] = replace(groups[number], **changes)
    return replace(material, groups=tuple(groups))


def with_mips(material, *mips):
    """Other mips for all groups, as many as there are."""
    changed = replace(material, mip_count=len(mips), tail=len(mips))
    for number in range(len(material.groups)):
        changed = with_group(changed, number, mips=mips)
    return changed


def with_mip(material, **changes):
    return with_mips(material, replace(material.groups[0].mips[0], **changes))


def with_level(material, **changes):
    return with_mip(material, levels=(replace(material.groups[0].mips[0].levels[0], **changes),))


def texels(width, height, members, dtype=np.uint8):
    return fmt.PackedRawMip(np.zeros((height, width, members), dtype))


def shared(filter, *bend):
    return fmt.PackedSharedMip(filter, np.array(bend or [[0, 0, 0], [0, 0, 0]]))


# Of a material of one group, the first and the last of three channels, and one mip, one level of 50 Gaussians. A change
# is told the material m, its group g and its level lv.
@pytest.mark.parametrize("change, message", [
    # the material
    (lambda m, g, lv: replace(m, width=16385), "width: got 16385, expected 1 .. 16384"),
    (lambda m, g, lv: replace(m, width=0), "width: got 0, expected 1 .. 16384"),
    (lambda m, g, lv: replace(m, height=0), "height: got 0, expected 1 .. 16384"),
    (lambda m, g, lv: replace(m, height=16385), "height: got 16385, expected 1 .. 16384"),
    (lambda m, g, lv: replace(m, mip_count=8, tail=8), "mip_count: got 8, expected 1 .. 7"),
    (lambda m, g, lv: replace(m, mip_count=0, tail=0), "mip_count: got 0, expected 1 .. 7"),
    (lambda m, g, lv: replace(m, channels=m.channels * 6), "channel_count: got 18, expected 1 .. 16"),
    (lambda m, g, lv: replace(m, channels=(), groups=()), "channel_count: got 0, expected 1 .. 16"),
    (lambda m, g, lv: replace(m, groups=(g,) * 5), "group_count: got 5, expected 0 .. 4"),
    (lambda m, g, lv: replace(m, tail=0), "tail: got 0, expected 1 .. 1"),
    (lambda m, g, lv: replace(m, tail=2), "tail: got 2, expected 1 .. 1"),
    # channels
    (lambda m, g, lv: with_channel(m, 0, role="wood"), "role[0]: got 'wood', expected one of other, albedo, color,"),
    (lambda m, g, lv: with_channel(m, 2, role=""), "role[2]: got '', expected one of other, albedo, color, opacity,"),
    (lambda m, g, lv: with_channel(m, 1, component="a"), "component[1]: got 'a', expected one of v, r, g, b, x, y"),
    (lambda m, g, lv: with_channel(m, 2, role="normal", component="x", flipped=True),
     "flipped[2]: got 1, expected 0: only Y of a normal points up or down"),
    (lambda m, g, lv: with_channel(m, 0, role="height", component="y", flipped=True), "flipped[0]: got 1, expected 0"),
    (lambda m, g, lv: with_channel(m, 1, constant=2.5), "constant[1]: got 2.5, expected -1 .. 2"),
    (lambda m, g, lv: with_channel(m, 1, constant=-1.25), "constant[1]: got -1.25, expected -1 .. 2"),
    (lambda m, g, lv: with_channel(m, 1, constant=NAN), "constant[1]: got nan, expected -1 .. 2"),
    (lambda m, g, lv: with_channel(m, 0, scale=0.0), "scale[0]: got 0.0, expected a finite number other than 0"),
    (lambda m, g, lv: with_channel(m, 1, scale=-0.0), "scale[1]: got -0.0, expected a finite number other than 0"),
    (lambda m, g, lv: with_channel(m, 2, scale=1e-60), "scale[2]: got 0.0, expected a finite number other than 0"),
    (lambda m, g, lv: with_channel(m, 2, scale=INF), "scale[2]: got inf, expected a finite number other than 0"),
    (lambda m, g, lv: with_channel(m, 2, scale=NAN), "scale[2]: got nan, expected a finite number other than 0"),
    (lambda m, g, lv: with_channel(m, 0, bias=NAN), "bias[0]: got nan, expected a finite number"),
    (lambda m, g, lv: with_channel(m, 0, bias=-INF), "bias[0]: got -inf, expected a finite number"),
    *((lambda m, g, lv, stops=stops: with_channel(m, 0, stops=stops),
       f"stops[0]: got {stops}, expected a number above 0, at most 32, or 0 for no curve")
      for stops in (-1.0, 33.0, INF, NAN)),
    (lambda m, g, lv: with_channel(m, 1, constant=None),
     "groups of channel 1: got [], expected one, or none for a constant channel"),
    (lambda m, g, lv: with_channel(m, 0, constant=0.5),
     "groups of channel 0: got [0], expected one, or none for a constant channel"),
    (lambda m, g, lv: replace(m, groups=()), "groups of channel 0: got [], expected one, or none"),
    (lambda m, g, lv: replace(m, groups=(g, g)), "groups of channel 0: got [0, 1], expected one, or none"),
    # groups
    (lambda m, g, lv: with_group(m, members=(0, 3)),
     "group 0 members: got [0, 3], expected channels 0 .. 2 in rising order, at least one"),
    (lambda m, g, lv: with_group(m, members=(-1, 2)), "group 0 members: got [-1, 2], expected channels 0 .. 2"),
    (lambda m, g, lv: with_group(m, members=(2, 0)), "group 0 members: got [2, 0], expected channels 0 .. 2 in rising"),
    (lambda m, g, lv: with_group(m, members=(2, 2)), "group 0 members: got [2, 2], expected channels 0 .. 2 in rising"),
    (lambda m, g, lv: with_group(m, members=(), channel_lo=g.channel_lo[:0], channel_step=g.channel_lo[:0],
                                 channel_bits=g.channel_bits[:0]),
     "group 0 members: got [], expected channels 0 .. 2 in rising order, at least one"),
    (lambda m, g, lv: with_group(m, members=(0, 1, 2)), "group 0 shape of channel_lo: got (2,), expected (3,)"),
    (lambda m, g, lv: with_group(m, channel_lo=g.channel_lo[:1]),
     "group 0 shape of channel_lo: got (1,), expected (2,)"),
    (lambda m, g, lv: with_group(m, channel_step=g.channel_step[0]), "group 0 shape of channel_step: got (), expected"),
    (lambda m, g, lv: with_group(m, channel_bits=g.channel_bits[:, None]),
     "group 0 shape of channel_bits: got (2, 1),"),
    (lambda m, g, lv: with_group(m, top_k=33), "group 0 top_k: got 33, expected 0 .. 32"),
    (lambda m, g, lv: with_group(m, amplitude_lo=-16.5), "group 0 amplitude_lo: got -16.5, expected -16 .. 8"),
    (lambda m, g, lv: with_group(m, amplitude_step=NAN), "group 0 amplitude_step: got nan, expected 0 .. 8"),
    (lambda m, g, lv: with_group(m, amplitude_step=1.0),
     "group 0 mip 0 level 0 log-amplitude of the last code: got 12.0, expected -16 .. 8"),
    (lambda m, g, lv: with_group(m, channel_lo=np.array([0, 2.5])), "group 0 channel_lo[1]: got 2.5, expected -1 .. 2"),
    (lambda m, g, lv: with_group(m, channel_step=np.array([-0.5, 0])),
     "group 0 channel_step[0]: got -0.5, expected 0 .. 1"),
    (lambda m, g, lv: with_group(m, channel_bits=np.array([8, 13])),
     "group 0 channel_bits[1]: got 13, expected 0 .. 12"),
    (lambda m, g, lv: with_group(m, channel_bits=np.array([0, 5])),
     "group 0 channel_bits[0]: got 0, expected 1 .. 12: there are no palettes"),
    (lambda m, g, lv: with_group(m, mips=g.mips * 2), "group 0 number of mips: got 2, expected 1"),
    (lambda m, g, lv: with_group(m, mips=()), "group 0 number of mips: got 0, expected 1"),
    # mips
    (lambda m, g, lv: with_mip(m, levels=(lv,) * 17), "group 0 mip 0 level_count: got 17, expected 0 .. 16"),
    (lambda m, g, lv: with_mip(m, levels=(lv, replace(lv, layout=replace(lv.layout, cells_x=5)))),
     "group 0 mip 0 level 1 cells: got 5 x 3, expected at most the 4 x 3 of the level before: finest level first"),
    (lambda m, g, lv: with_mip(m, levels=(lv, replace(lv, layout=replace(lv.layout, cells_y=4)))),
     "group 0 mip 0 level 1 cells: got 4 x 4, expected at most the 4 x 3 of the level before: finest level first"),
    (lambda m, g, lv: with_mip(m, background=g.channel_lo[:1]),
     "group 0 mip 0 shape of background: got (1,), expected (2,)"),
    (lambda m, g, lv: with_mip(m, background=g.channel_lo - 9), "group 0 mip 0 background[0]: got -"),
    (lambda m, g, lv: with_mip(m, background=np.array([0, NAN])),
     "group 0 mip 0 background[1]: got nan, expected -1 .. 2"),
    (lambda m, g, lv: with_mips(m, texels(64, 32, 3)),
     "group 0 mip 0 shape of texels: got (32, 64, 3), expected (32, 64, 2)"),
    (lambda m, g, lv: with_mips(m, g.mips[0], texels(64, 32, 2)),
     "group 0 mip 1 shape of texels: got (32, 64, 2), expected (16, 32, 2)"),
    (lambda m, g, lv: with_mips(m, g.mips[0], texels(32, 16, 2, np.float32)),
     "group 0 mip 1 dtype of texels: got float32, expected uint8"),
    (lambda m, g, lv: with_mips(m, shared(1.0)),
     "group 0 mip 0 shared: got 1, expected 0: only mips below a mip 0 of Gaussians share them, and none in the tail"),
    (lambda m, g, lv: with_mips(m, texels(64, 32, 2), shared(1.0)),
     "group 0 mip 1 shared: got 1, expected 0: only mips"),
    (lambda m, g, lv: with_mips(m, g.mips[0], shared(-1.0)), "group 0 mip 1 filter: got -1.0, expected 0 .. 16384"),
    (lambda m, g, lv: with_mips(m, g.mips[0], shared(16385.0)),
     "group 0 mip 1 filter: got 16385.0, expected 0 .. 16384"),
    (lambda m, g, lv: with_mips(m, g.mips[0], shared(NAN)), "group 0 mip 1 filter: got nan, expected 0 .. 16384"),
    (lambda m, g, lv: with_mips(m, g.mips[0], shared(1.0, [0, 0, 0], [7, 512, 0])),
     "group 0 mip 1 bend[1]: got [7, 512, 0], expected -512 .. 511"),
    (lambda m, g, lv: with_mips(m, g.mips[0], shared(1.0, [0, 0, -513], [0, 0, 0])),
     "group 0 mip 1 bend[0]: got [0, 0, -513], expected -512 .. 511"),
    (lambda m, g, lv: with_mips(m, g.mips[0], shared(1.0, [0, 0, 0])),
     "group 0 mip 1 shape of bend: got (1, 3), expected (2, 3)"),
    (lambda m, g, lv: with_mips(m, g.mips[0], shared(1.0, [0, 0], [0, 0])), "group 0 mip 1 shape of bend: got (2, 2),"),
    # levels
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, scale_step=1.0)),
     "group 0 mip 0 level 0 log2 of the inverse scale of the last code: got 27.0, expected -16 .. 8"),
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, stride=328)), "group 0 mip 0 level 0 stride: got 328,"),
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, stride=42)),
     "group 0 mip 0 level 0 stride: got 42, expected a multiple of 4 in 43 .. 320"),
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, stride=52, position_x_bits=14)),
     "group 0 mip 0 level 0 geometry bits: got 38, expected at most 36 with a stride of 52 bits"),
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, cells_x=10**9)),
     "group 0 mip 0 level 0 cells_x: got 1000000000, expected 3 .. 8192"),
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, cells_y=2)),
     "group 0 mip 0 level 0 cells_y: got 2, expected 3"),
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, position_x_bits=-1)),
     "group 0 mip 0 level 0 position_x_bits: got -1, expected 0 .. 15"),
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, position_x_bits=16)),
     "group 0 mip 0 level 0 position_x_bits: got 16, expected 0 .. 15"),
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, position_y_bits=16)),
     "group 0 mip 0 level 0 position_y_bits: got 16, expected 0 .. 15"),
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, rotation_bits=0)),
     "group 0 mip 0 level 0 rotation code: got 31, expected 0 .. 0"),
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, scale_bits=-1)),
     "group 0 mip 0 level 0 scale_bits: got -1, expected 0 .. 12"),
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, regular=True)),
     "group 0 mip 0 level 0 count: got 50, expected 12, one for every cell of a regular level"),
    (lambda m, g, lv: with_level(m, cell=lv.cell[:0], geometry=lv.geometry[:0], features=lv.features[:0]),
     "group 0 mip 0 level 0 count: got 0, expected 1"),
    (lambda m, g, lv: with_level(m, cell=lv.cell[::-1]), "group 0 mip 0 level 0 cell: got cells that fall"),
    (lambda m, g, lv: with_level(m, cell=lv.cell + 12), "group 0 mip 0 level 0 cell: got 12 .. 23, expected 0 .. 11"),
    (lambda m, g, lv: with_level(m, cell=lv.cell - 12), "group 0 mip 0 level 0 cell: got -12 .. -1, expected 0 .. 11"),
    (lambda m, g, lv: with_level(m, cell=lv.cell[:3]),
     "group 0 mip 0 level 0 shape of geometry: got (50, 6), expected (3, 6)"),
    (lambda m, g, lv: with_level(m, features=lv.features[:, :1]),
     "group 0 mip 0 level 0 shape of features: got (50, 1), expected (50, 2)"),
    (lambda m, g, lv: with_level(m, geometry=lv.geometry | np.uint32([0, 32, 0, 0, 0, 0])),
     "group 0 mip 0 level 0 position_y code: got 63, expected 0 .. 31"),
    (lambda m, g, lv: with_level(m, features=lv.features | np.uint32([256, 0])),
     "group 0 mip 0 level 0 feature[0] code: got 511, expected 0 .. 255"),
    (lambda m, g, lv: with_level(m, features=lv.features | np.uint32([0, 32])),
     "group 0 mip 0 level 0 feature[1] code: got 63, expected 0 .. 31"),
    (lambda m, g, lv: with_level(m, geometry=lv.geometry.astype(np.int64)),
     "group 0 mip 0 level 0 dtype of geometry: got int64, expected uint32"),
    (lambda m, g, lv: with_level(m, cell=np.full(5000, 3), geometry=np.zeros((5000, 6), np.uint32),
                                 features=np.zeros((5000, 2), np.uint32), entries=None),
     "candidates_max of all groups: got 5000, expected at most 4096; use finer cells or fewer Gaussians"),
])
def test_pack_refuses(change, message):
    material = make_material(np.random.default_rng(0), mips=[[(make_layout(), 50)]])
    group, = material.groups
    level = group.mips[0].levels[0]
    # Every code that can be there, so that what is too large is known.
    level = replace(level, geometry=level.geometry.copy(), features=level.features.copy())
    level.geometry[0], level.features[0] = [63, 31, 31, 31, 31, 15], [255, 31]
    level.cell[0], level.cell[-1] = 0, 11
    material = with_level(material, **{name: getattr(level, name) for name in ("cell", "geometry", "features")})
    assert group.members == (0, 2)
    assert_refused(material, change(material, material.groups[0], level), message)


def assert_refused(material, changed, message):
    """The material itself can be written."""
    fmt.pack(material)
    with pytest.raises(FormatError) as raised:
        fmt.pack(changed)
    assert str(raised.value).startswith(message)


# Of a material of one group, the first two of three channels, with palettes of 4 and 8 entries.
@pytest.mark.parametrize("change, message", [
    (lambda m, g, lv: with_group(m, palettes=g.palettes * 3), "group 0 number of palettes: got 6, expected 0 .. 4"),
    (lambda m, g, lv: with_group(m, palettes=(g.palettes[0][:3], g.palettes[1])),
     "group 0 palette 0 shape: got (3, 2), expected (a power of two, 2)"),
    (lambda m, g, lv: with_group(m, palettes=(g.palettes[0], g.palettes[1][:0])),
     "group 0 palette 1 shape: got (0, 2),"),
    (lambda m, g, lv: with_group(m, palettes=(g.palettes[0], g.palettes[1][:, :1])),
     "group 0 palette 1 shape: got (8, 1), expected (a power of two, 2)"),
    (lambda m, g, lv: with_group(m, palettes=(g.palettes[0], g.palettes[1][0])), "group 0 palette 1 shape: got (2,),"),
    (lambda m, g, lv: with_group(m, palettes=(g.palettes[0], g.palettes[1].astype(int))),
     "group 0 palette 1 dtype: got int64, expected uint8"),
    (lambda m, g, lv: with_group(m, palettes=(g.palettes[0][:1], g.palettes[1])),
     "group 0 palette_bits[0]: got 0, expected 1 .. 12"),
    (lambda m, g, lv: with_group(m, palettes=(np.zeros((8192, 2), np.uint8),)),
     "group 0 palette_bits[0]: got 13, expected 1 .. 12"),
    (lambda m, g, lv: with_group(m, palettes=()),
     "group 0 channel_bits[1]: got 0, expected 1 .. 12: there are no palettes"),
    (lambda m, g, lv: with_group(m, palettes=g.palettes[:1]),
     "group 0 mip 0 level 0 shape of entries: got (50, 2), expected (50, 1)"),
    (lambda m, g, lv: with_level(m, entries=lv.entries | np.uint32([0, 8])),
     "group 0 mip 0 level 0 entry of palette 1: got 15, expected 0 .. 7"),
    (lambda m, g, lv: with_level(m, entries=lv.entries[:, :1]),
     "group 0 mip 0 level 0 shape of entries: got (50, 1), expected (50, 2)"),
    (lambda m, g, lv: with_level(m, entries=lv.entries.astype(np.int64)),
     "group 0 mip 0 level 0 dtype of entries: got int64, expected uint32"),
    (lambda m, g, lv: with_level(m, features=lv.features | np.uint32([0, 1])),
     "group 0 mip 0 level 0 feature[1] code: got 1, expected 0 .. 0"),
    (lambda m, g, lv: with_level(m, layout=replace(lv.layout, stride=40)),
     "group 0 mip 0 level 0 stride: got 40, expected a multiple of 4 in 43 .. 320"),
])
def test_pack_refuses_palettes(change, message):
    material = make_material(np.random.default_rng(0), channel_bits=(8, 0, 0), varying=(1, 1, 0), palette_bits=(2, 3),
                             mips=[[(make_layout(stride=44), 50)]])
    group, = material.groups
    assert_refused(material, change(material, group, group.mips[0].levels[0]), message)


@pytest.mark.parametrize("change, message", [
    (lambda m, lv: with_level(m, cell=np.array([0, 1, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11])),
     "group 0 mip 0 level 0 cell: got an empty cell, expected one Gaussian in every cell of a regular level"),
    (lambda m, lv: with_level(m, cell=lv.cell[:-1], geometry=lv.geometry[:-1], features=lv.features[:-1],
                              entries=None),
     "group 0 mip 0 level 0 count: got 11, expected 12, one for every cell of a regular level"),
    (lambda m, lv: with_level(m, cell=lv.cell[::-1]), "group 0 mip 0 level 0 cell: got cells that fall"),
    (lambda m, lv: with_level(m, layout=replace(lv.layout, cells_x=5)),
     "group 0 mip 0 level 0 count: got 12, expected 15, one for every cell of a regular level"),
    (lambda m, lv: with_level(m, layout=replace(lv.layout, stride=0)),
     "group 0 mip 0 level 0 stride: got 0, expected a multiple of 4 in 4 .. 320"),
    (lambda m, lv: with_level(m, layout=replace(lv.layout, scale_step=5.0)),
     "group 0 mip 0 level 0 scale_step: got 5.0, expected -4 .. 4"),
    (lambda m, lv: with_level(m, layout=replace(lv.layout, scale_lo=8.5)),
     "group 0 mip 0 level 0 scale_lo: got 8.5, expected -16 .. 8"),
    (lambda m, lv: with_level(m, geometry=lv.geometry + np.uint32([1, 0, 0, 0, 0, 0])),
     "group 0 mip 0 level 0 position_x code: got 1, expected 0 .. 0"),
])
def test_pack_refuses_regular_levels(change, message):
    """Of records that hold one code and nothing else."""
    layout = make_layout(4, 3, 4, NO_GEOMETRY, regular=True)
    material = make_material(np.random.default_rng(0), channel_bits=(2,), mips=[[(layout, None)]])
    assert_refused(material, change(material, material.groups[0].mips[0].levels[0]), message)


# Of two groups; three mips, of which the last two are the tail. The second mip of the first group is drawn from mip 0,
# with texels in the tail; a second block in the tail is of no other mip.
@pytest.mark.parametrize("change, message", [
    (lambda m, one, two: replace(m, tail=0), "tail: got 0, expected 1 .. 3"),
    (lambda m, one, two: replace(m, tail=4), "tail: got 4, expected 1 .. 3"),
    (lambda m, one, two: with_group(m, 0, tail_mips=one.tail_mips[:1]),
     "group 0 number of tail_mips: got 1, expected 2"),
    (lambda m, one, two: replace(m, tail=2), "group 0 number of tail_mips: got 2, expected 1"),
    (lambda m, one, two: replace(m, tail=3), "group 0 number of tail_mips: got 2, expected 0: there is no tail"),
    (lambda m, one, two: with_group(m, 1, tail_mips=(None,) * 3), "group 1 number of tail_mips: got 3, expected 2"),
    (lambda m, one, two: with_group(m, 0, tail_mips=()),
     "group 0 mip 1 in the tail: got none, expected one for a mip that is shared, and for no other"),
    (lambda m, one, two: with_group(m, 0, tail_mips=(None, None)), "group 0 mip 1 in the tail: got none, expected one"),
    (lambda m, one, two: with_group(m, 0, tail_mips=(one.tail_mips[0], one.mips[2])),
     "group 0 mip 2 in the tail: got one, expected one for a mip that is shared, and for no other"),
    (lambda m, one, two: with_group(m, 1, tail_mips=(two.mips[1], None)),
     "group 1 mip 1 in the tail: got one, expected"),
    (lambda m, one, two: with_group(m, 0, tail_mips=(texels(64, 32, 2), None)),
     "group 0 mip 1 shape of texels: got (32, 64, 2), expected (16, 32, 2)"),
    (lambda m, one, two: with_group(m, 0, tail_mips=(fmt.PackedMip(two.mips[2].background, ()), None)),
     "group 0 mip 1 shape of background: got (1,), expected (2,)"),
    (lambda m, one, two: with_group(m, 0, tail_mips=(shared(1.0), None)),
     "group 0 mip 1 shared: got 1, expected 0: only mips below a mip 0 of Gaussians share them, and none in the tail"),
    (lambda m, one, two: with_group(m, 1, members=(1,), mips=two.mips[:2]),
     "group 1 number of mips: got 2, expected 3"),
    (lambda m, one, two: with_group(m, 1, members=(2,)), "groups of channel 1: got [], expected one, or none"),
    (lambda m, one, two: with_group(m, 1, members=(3,)), "groups of channel 1: got [], expected one, or none"),
    (lambda m, one, two: with_group(with_channel(m, 1, constant=0.5), 1, members=(3,)),
     "groups of channel 3: got [0, 1], expected one, or none for a constant channel"),
    (lambda m, one, two: with_group(m, 1, members=(4,)),
     "group 1 members: got [4], expected channels 0 .. 3 in rising"),
    (lambda m, one, two: with_group(m, 1, top_k=-1), "group 1 top_k: got -1, expected 0 .. 32"),
    (lambda m, one, two: with_group(m, 1, palettes=(np.zeros((2, 2), np.uint8),)),
     "group 1 palette 0 shape: got (2, 2),"),
    (lambda m, one, two: replace(m, groups=(two, two)), "groups of channel 0: got [], expected one, or none"),
])
def test_pack_refuses_groups_and_tails(change, message):
    layout = make_layout(stride=48)
    groups = [{"members": (0, 3), "channel_bits": (8, 5), "mips": [[(layout, 50)], 2.0, None]},
              {"members": (1,), "channel_bits": (8,), "mips": [[(layout, 9)], [(layout, 5)], []]}]  # fmt: skip
    material = make_material(np.random.default_rng(0), channels=4, groups=groups, tail=1)
    assert_refused(material, change(material, *material.groups), message)


def test_pack_refuses_a_tail_of_constants():
    material = make_material(np.random.default_rng(0), channel_bits=(0, 0), mips=[[], []])
    assert material.groups == () and material.tail == 2
    message = "tail: got 1, expected 2, mip_count: all channels of this material are constant"
    assert_refused(material, replace(material, tail=1), message)


def test_a_bend_takes_the_whole_of_its_bits():
    """Ten for each number, in two's complement."""
    material = make_material(np.random.default_rng(0), channel_bits=(8,), mips=[[(make_layout(), 50)], 1.0])
    bend = np.array([[-512, 511, -1]])
    group, = material.groups
    words = fmt.pack(with_group(material, mips=(group.mips[0], fmt.PackedSharedMip(1.0, bend))))
    mip = fmt.validate(words).groups[0].mips[1]
    assert words[mip.offset + 2] == 512 | 511 << 10 | 1023 << 20
    np.testing.assert_array_equal(fmt.unpack(words).groups[0].mips[1].bend, bend)
