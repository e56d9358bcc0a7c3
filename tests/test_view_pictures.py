"""Pictures of the viewer, pixel by pixel against the CPU."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from make_golden import golden_file
from view_samples import SIZE, make_sample, need_gl, to_bytes

from gstex import decode, shading
from gstex.filtering import bilinear
from gstex.format import pack, unpack
from gstex.gl import surfaceless
from gstex.view.colors import LEVEL_COLORS, RAMP
from gstex.view.document import open_document
from gstex.view.environment import HEIGHT, direction_of, filter_environment, make_sky
from gstex.view.errors import chosen_gain, shown_error
from gstex.view.maps import shown
from gstex.view.orbit import direction
from gstex.view.screenshot import wanted_of
from gstex.view.stacks import Stack, load_reference, to_codes
from gstex.view.state import GSTEX, TONES, Lit, ViewState
from gstex.view.surface import surface_channels


class Drawer:
    """One context, so that shaders are compiled once for all tests."""

    def __init__(self, sample):
        from gstex.view.scene import Scene
        from gstex.view.target import Target

        self.document = open_document(sample.file)
        self.texture = self.document.texture
        self.reference, self.file = load_reference(sample.source, wanted_of(self.document), self.texture)
        self.scene, self.target = Scene(self.document), Target()
        self.scene.set_stack("reference", self.reference)

    def __call__(self, size=(SIZE, SIZE), content_scale=1.0, **state) -> np.ndarray:
        """int [h, w, 3] of a state; a pixel per texel if it says nothing else."""
        usual = {"zoom": 1.0, "hidden": "shown"}
        self.scene.draw(ViewState(**{**usual, **state}), self.target, size, content_scale)
        return self.target.read().astype(int)

    def map(self, name: str) -> int:
        return [one.name for one in self.document.maps].index(name)

    def reference_stack(self) -> np.ndarray:
        """float [H, W, C]."""
        codes = np.moveaxis(self.reference.levels[0], 0, 2).reshape(SIZE, SIZE, -1)
        return codes[:, :, : self.texture.channels] / 65535


@pytest.fixture(scope="module")
def draw(tmp_path_factory):
    need_gl()
    sample = make_sample(tmp_path_factory.mktemp("view"))
    with surfaceless():
        yield Drawer(sample)


def uv_of_pixels(size: int, zoom: float) -> np.ndarray:
    """[size * size, 2] of a picture with the texture's middle in its own."""
    corner = round(size / 2 - zoom * SIZE / 2)
    at = (np.arange(size) + 0.5 - corner) / (zoom * SIZE)
    return np.stack(np.meshgrid(at, at), axis=2).reshape(-1, 2)


def test_every_map_at_a_pixel_a_texel_is_what_the_cpu_decodes(draw):
    stack = draw.texture.decode()
    assert len(draw.document.maps) >= 4
    for number, one in enumerate(draw.document.maps):
        picture = draw(map=number)
        assert np.abs(picture - to_bytes(shown(stack, one))).max() <= 1, one.name
        for channel in range(len(one.channels)):
            expected = to_bytes(shown(stack, one.pick(channel)))
            assert np.abs(draw(map=number, channel=channel) - expected).max() <= 1, (one.name, channel)


def test_texels_are_squares_when_enlarged(draw):
    expected = to_bytes(shown(draw.texture.decode(), draw.document.maps[0]))
    picture = draw((8 * SIZE, 8 * SIZE), zoom=8.0, sampling="texels")
    assert np.abs(picture - expected.repeat(8, axis=0).repeat(8, axis=1)).max() <= 1


@pytest.mark.parametrize("sampling", ["direct", "bilinear"])
@pytest.mark.parametrize(("zoom", "lod"), [(3.7, None), (1.0, 1.0), (1.0, 0.6), (0.4, None)])
def test_sampling_between_texels_and_mips_is_that_of_the_cpu(draw, sampling, zoom, lod):
    size = 30
    uv = uv_of_pixels(size, zoom)
    picture = draw((size, size), zoom=zoom, lod=lod, sampling=sampling, tiled=True).reshape(-1, 3)
    detail = max(0.0, -np.log2(zoom)) if lod is None else lod
    values = draw.texture.sample(uv, detail, filter=sampling)
    assert np.abs(picture - to_bytes(shown(values, draw.document.maps[0]))).max() <= 1


def test_beyond_the_border_is_the_backdrop_or_the_next_tile(draw):
    inside = draw()
    wide = draw((3 * SIZE, SIZE))
    assert np.array_equal(wide[:, SIZE : 2 * SIZE], inside)
    assert wide[:, :SIZE].max() < 40
    tiled = draw((3 * SIZE, SIZE), tiled=True)
    assert np.abs(tiled - np.tile(inside, (1, 3, 1))).max() <= 1


def test_split_shows_the_file_left_and_the_reference_right_of_the_line(draw):
    one = draw.document.maps[0]
    picture = draw(view="split", split=0.25)
    line = SIZE // 4
    assert np.array_equal(picture[:, : line - 2], draw()[:, : line - 2])
    expected = to_bytes(shown(draw.reference_stack(), one))
    assert np.abs(picture[:, line + 2 :] - expected[:, line + 2 :]).max() <= 1
    assert (picture[:, line] == 255).all()


def test_the_reference_is_filtered_like_the_file(draw):
    uv = uv_of_pixels(30, 3.7)
    picture = draw((30, 30), view="split", split=0.0, zoom=3.7, tiled=True).reshape(-1, 3)
    values = bilinear(draw.reference_stack(), uv, repeat=True)
    beside_line = np.ones((30, 30), bool)
    beside_line[:, :2] = False
    expected = to_bytes(shown(values, draw.document.maps[0]))
    assert np.abs(picture - expected)[beside_line.ravel()].max() <= 1


def test_differences_are_amplified(draw):
    number = draw.map("normal")
    one = draw.document.maps[number]
    apart = np.abs(shown(draw.texture.decode(), one) - shown(draw.reference_stack(), one))
    assert apart.max() > 0.02
    for gain in (1.0, 8.0):
        picture = draw(view="diff", map=number, gain=gain, error="channels")
        assert np.abs(picture - to_bytes(apart * gain)).max() <= 1, gain


def test_differences_are_a_heat_map_of_their_size_for_normals_by_angle(draw):
    draw.scene.set_stack(GSTEX, draw.file)
    for name in ("albedo", "normal", "roughness"):
        number = draw.map(name)
        size = shown_error(draw.texture.decode(), draw.reference_stack(), draw.document.maps[number])
        gain = chosen_gain(None, [draw.file.errors], number)
        assert gain > 1
        picture = draw(view="diff", map=number)
        assert np.abs(picture - to_bytes(ramp(size * gain))).max() <= 2, name
    draw.scene.set_stack(GSTEX, None)


def hidden_texels(draw) -> np.ndarray:
    hidden = draw.reference_stack()[:, :, draw.document.opacity] < 0.5 / 255
    assert 0.1 < hidden.mean() < 0.9
    return hidden


def test_hidden_texels_are_hatched_and_no_difference(draw):
    hidden, plain = hidden_texels(draw), draw()
    picture = draw(hidden="hatched")
    assert np.array_equal(picture[~hidden], plain[~hidden])
    grey = picture[hidden]
    assert (np.ptp(grey, axis=1) == 0).all() and set(grey[:, 0]) == {41, 61}
    apart = draw(view="diff", hidden="hatched", gain=4.0)
    assert set(apart[hidden][:, 0]) == {41, 61}
    assert np.array_equal(apart[~hidden], draw(view="diff", gain=4.0)[~hidden])
    normals = draw.map("normal")  # zero opacity hides colour alone
    assert np.array_equal(draw(map=normals, hidden="hatched"), draw(map=normals))
    opacity = draw.texture.decode()[:, :, draw.document.opacity, None]
    row, column = np.mgrid[:SIZE, :SIZE]
    checker = np.where((row // 16 + column // 16) % 2, 0.56, 0.38)[:, :, None]
    expected = plain / 255 * opacity + checker * (1 - opacity)
    assert np.abs(draw(hidden="opacity") - to_bytes(expected)).max() <= 1


def test_without_the_reference_the_file_says_what_is_hidden(draw):
    draw.scene.set_stack("reference", None)
    hidden = draw.texture.decode()[:, :, draw.document.opacity] < 0.5 / 255
    picture = draw(hidden="hatched")
    assert hidden.any() and set(picture[hidden][:, 0]) == {41, 61}
    assert np.array_equal(picture[~hidden], draw()[~hidden])
    draw.scene.set_stack("reference", draw.reference)


def test_one_thing_alone_takes_the_whole_picture(draw):
    expected = to_bytes(shown(draw.reference_stack(), draw.document.maps[0]))
    for view in ("map", "split", "diff", "heat"):
        assert np.abs(draw(view=view, alone="reference") - expected).max() <= 1, view
        assert np.array_equal(draw(view=view, alone=GSTEX), draw()), view
    lit = draw((64, 64), view="lit", alone="reference", lit=Lit(surroundings="even"))
    split = draw((64, 64), view="lit", split=0.0, lit=Lit(split=True, surroundings="even"))
    assert np.array_equal(lit[:, 3:], split[:, 3:])


def test_a_grey_map_is_stretched_over_its_range(draw):
    number = draw.map("roughness")
    one = draw.document.maps[number]
    low, high = draw.document.value_range(one)
    plane = draw.texture.decode()[:, :, one.channels[0]]
    assert (low, high) == (plane.min(), plane.max())
    picture = draw(map=number, stretch=True)
    assert picture.min() <= 1 and picture.max() >= 254
    expected = to_bytes(np.repeat((plane[:, :, None] - low) / (high - low), 3, axis=2))
    assert np.abs(picture - expected).max() <= 2
    shares = draw.document.histogram(draw.document.maps[0])
    assert shares.shape == (3, 64) and np.allclose(shares.sum(axis=1), 1)


def test_differences_to_a_codec_are_beside_those_of_the_file(draw):
    """The stand-in for a codec is wrong by 0.1 everywhere."""
    wrong = Stack("stand-in", tuple(to_codes(np.full((s, s, draw.texture.channels), 0.4)) for s in _sizes(draw)))
    draw.scene.set_stack("bc1", wrong)
    one = draw.document.maps[0]
    picture = draw(view="diff", other="bc1", gain=2.0, error="channels")
    expected = to_bytes(2 * np.abs(0.4 - shown(draw.reference_stack(), one)))
    half = SIZE // 2
    assert np.abs(picture[:, half + 2 :] - expected[:, half + 2 :]).max() <= 1
    assert np.array_equal(picture[:, : half - 2], draw(view="diff", gain=2.0, error="channels")[:, : half - 2])
    draw.scene.set_stack("bc1", None)


def _sizes(draw) -> list[int]:
    return [max(1, SIZE >> mip) for mip in range(draw.texture.mip_count)]


def ramp(values: np.ndarray) -> np.ndarray:
    """Colours [..., 3] of values [...] in 0..1, as shaders/view/heat.frag mixes them."""
    at = np.clip(values, 0, 1) * (len(RAMP) - 1)
    low = np.minimum(at.astype(np.int64), len(RAMP) - 2)
    share = (at - low)[..., None]
    return RAMP[low] * (1 - share) + RAMP[low + 1] * share


@pytest.mark.parametrize("mip", [0, 1])
def test_heat_map_shows_the_number_of_candidates(draw, mip):
    counts = decode.count_candidates(draw.texture.words, mip)
    most = draw.document.info["mips"][mip]["candidates_max"]
    assert counts.min() < counts.max()
    expected = to_bytes(ramp(counts / most)).repeat(1 << mip, axis=0).repeat(1 << mip, axis=1)
    assert np.abs(draw(view="heat", lod=float(mip)) - expected).max() <= 1


def test_heat_is_that_of_the_group_of_the_map(draw):
    """Channels of the other groups are made constant ones to count by hand."""
    from gstex.view.scene import Scene

    document = open_document(golden_file("groups"))
    packed = unpack(document.texture.words)
    scene = Scene(document)
    for number, one in enumerate(document.maps):
        group = document.group_of(one)
        if group == 3:  # of texels
            continue
        kept = packed.groups if group is None else (packed.groups[group],)
        members = {channel for part in kept for channel in part.members}
        channels = tuple(c if i in members or c.constant is not None else replace(c, constant=0.5)
                         for i, c in enumerate(packed.channels))  # fmt: skip
        counts = decode.count_candidates(pack(replace(packed, channels=channels, groups=kept)))
        expected = to_bytes(ramp(counts / document.candidates(0, group)[1]))
        scene.draw(ViewState(zoom=1.0, view="heat", map=number), draw.target, (19, 13), 1.0)
        assert np.abs(draw.target.read().astype(int) - expected).max() <= 1, one.name
    scene.delete()


def test_an_ellipse_lies_where_its_gaussian_is(draw):
    """The smallest is drawn last, so that nothing covers it."""
    mip = draw.document.gaussians(0, 0)
    number = int(np.argmin(mip.sigma.max(axis=1)))
    zoom = 60 / mip.sigma[number].max()
    center = mip.center[number] / SIZE
    picture = draw((200, 200), 4.0, view="gaussians", zoom=zoom, center=tuple(center), tiled=True)
    corner = np.round(100 - center * zoom * SIZE)
    cos, sin = mip.direction[number]
    for along, length in (((cos, sin), mip.sigma[number][0]), ((-sin, cos), mip.sigma[number][1])):
        for sign in (-1, 1):
            x, y = np.floor(corner + zoom * (mip.center[number] + sign * length * np.array(along))).astype(int)
            color = to_bytes(LEVEL_COLORS[mip.level[number]])
            assert np.abs(picture[y, x] - color).max() <= 1, (x, y)
    alone = draw((200, 200), 4.0, view="gaussians", level=int(mip.level.max()), zoom=zoom, center=tuple(center))
    assert not np.array_equal(alone, picture)


def test_cells_are_where_the_grid_says(draw):
    mip = draw.document.gaussians(0, 0)
    across, down = mip.cells[0]
    picture = draw((10 * SIZE, 10 * SIZE), 2.0, view="cells", zoom=10.0, level=0)
    color = to_bytes(LEVEL_COLORS[0])
    row = int(10 * SIZE * 0.5 / down)  # through the middle of the first row of cells
    borders = [round(10 * SIZE * k / across) for k in range(1, across)]
    middles = [round(10 * SIZE * (k + 0.5) / across) for k in range(across)]
    for x in borders:
        assert np.abs(picture[row, x - 1 : x + 1] - color).max(axis=1).min() < 60, x
    dimmed = draw((10 * SIZE, 10 * SIZE), view="gaussians", zoom=10.0, level=15)[row, middles]
    assert np.array_equal(picture[row, middles], dimmed)


def test_the_inspected_texel_lights_up_its_cells_and_its_gaussians(draw):
    for view in ("cells", "gaussians"):
        plain, pinned = (draw((4 * SIZE, 4 * SIZE), view=view, zoom=4.0, pinned=pin) for pin in (None, (20, 20)))
        assert (plain != pinned).any() and pinned.sum() > plain.sum(), view


def test_a_plane_seen_straight_on_is_lit_as_on_the_cpu(draw):
    """From far away through a narrow lens all pixels are seen from the same direction."""
    far = 400.0
    lit = Lit(shape="plane", surroundings="even", distance=far, tiling=1.0,
              field_of_view=float(np.degrees(2 * np.arctan(1 / far))))  # fmt: skip
    picture = draw(view="lit", lit=lit)
    day = shading.VIEWS[0]
    light = replace(day.lights[0], to=tuple(direction(lit.light_yaw, lit.light_pitch)))
    seen = replace(day, lights=(light, day.lights[1]))
    stack, metadata = draw.texture.decode(), draw.texture.material
    surface = shading.read_surface(stack, metadata["channels"], metadata["normal_convention"])
    covered = surface.opacity > 0.999  # the checker behind is another
    assert covered.mean() > 0.2
    expected = to_bytes(np.moveaxis(shading.tone_map(shading.shade(surface, seen)), 0, -1))
    assert np.abs(picture - expected)[covered].max() <= 2
    assert np.abs(picture - expected)[covered].mean() < 0.3


def test_the_sphere_is_round_stays_the_same_and_follows_the_light(draw):
    size, lit = (64, 64), Lit(light_yaw=-50.0, light_pitch=0.0)
    picture = draw(size, view="lit", lit=lit)
    assert np.array_equal(picture, draw(size, view="lit", lit=lit))
    assert np.ptp(picture[:, 0], axis=0).max() < 30  # background alone
    right = draw(size, view="lit", lit=replace(lit, light_yaw=50.0))
    assert (picture - right)[:, 8:24].mean() > 5 and (right - picture)[:, 40:56].mean() > 5
    turned = draw(size, view="lit", lit=replace(lit, yaw=90.0))
    assert not np.array_equal(turned, picture)


def test_the_lit_view_is_split_too(draw):
    lit = Lit(split=True, surroundings="even")
    size = (64, 64)
    picture, alone = draw(size, view="lit", lit=lit), draw(size, view="lit", lit=Lit(surroundings="even"))
    assert np.array_equal(picture[:, :30], alone[:, :30])
    assert (picture[:, 36:] != alone[:, 36:]).any()
    assert np.abs(picture[:, 36:] - alone[:, 36:]).mean() < 40


def test_what_is_on_its_way_leaves_its_side_empty(draw):
    half = SIZE // 2
    picture = draw(view="split", other="bc7")
    assert np.array_equal(picture[:, : half - 2], draw()[:, : half - 2])
    assert (picture[:, half] == 255).all() and set(picture[:, half + 2 :].ravel()) == {33, 38}  # broad stripes
    lit = draw((64, 64), view="lit", other="bc7", lit=Lit(split=True, surroundings="even"))
    assert (lit[:, 32] == 255).all() and lit[:, 34:].max() < 60
    draw.scene.set_stack("reference", None)
    assert np.array_equal(draw(view="diff"), draw())  # a difference to nothing is none
    draw.scene.set_stack("reference", draw.reference)


def straight(half: float, **changes) -> Lit:
    """A square of this half side fills the picture, seen from far away."""
    far = 400.0
    return Lit(distance=far + half, tiling=1.0, field_of_view=float(np.degrees(2 * np.arctan(half / far))), **changes)


def test_the_side_of_a_cube_wears_the_material_like_the_plane(draw):
    draw.scene.set_environment(filter_environment("sky", make_sky()))
    size = (2 * SIZE, 2 * SIZE)
    plane = draw(size, view="lit", lit=straight(1.0, shape="plane"))
    for shape, edge in (("cube", 4), ("rounded cube", 16)):
        side = draw(size, view="lit", lit=straight(0.62, shape=shape))
        inside = slice(edge, -edge), slice(edge, -edge)
        assert np.abs(side - plane)[inside].mean() < 2, shape
        assert np.percentile(np.abs(side - plane)[inside], 99) < 16, shape
    cube = draw((96, 96), view="lit", lit=Lit(shape="cube", yaw=32.0, pitch=24.0))
    assert not np.array_equal(cube, draw((96, 96), view="lit", lit=Lit(shape="rounded cube", yaw=32.0, pitch=24.0)))
    draw.scene.set_environment(None)


def test_surroundings_light_a_surface_by_its_normal_and_turn_with_the_light(draw):
    """Where light comes from one side alone, that side of a ball is lit."""
    lit_from = np.where(direction_of(HEIGHT) > 0, np.float32(2), np.float32(0))
    right_side, front = (lit_from[:, :, axis, None].repeat(3, axis=2) for axis in (0, 2))
    size, lit = (64, 64), Lit(light_yaw=90.0, strength=0.0, surroundings="file")
    draw.scene.set_environment(filter_environment("right", right_side))
    before, behind = (draw(size, view="lit", lit=replace(lit, light_yaw=yaw))[20:44, 20:44].mean() for yaw in (-90, 90))
    assert before > 1.25 * behind
    draw.scene.set_environment(filter_environment("front", front))
    right = draw(size, view="lit", lit=lit)
    left = draw(size, view="lit", lit=replace(lit, light_yaw=-90.0))
    assert right[:, 40:56].mean() > 1.25 * right[:, 8:24].mean()
    assert left[:, 8:24].mean() > 1.25 * left[:, 40:56].mean()
    lighter = draw(size, view="lit", lit=replace(lit, exposure=1.0))
    assert lighter.sum() > right.sum()
    tones = [draw(size, view="lit", lit=replace(lit, tone=tone)) for tone in TONES]
    assert not any(np.array_equal(a, b) for a, b in itertools.combinations(tones, 2))
    draw.scene.set_environment(None)


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ([("albedo", "r"), ("albedo", "g"), ("albedo", "b")], {"base_channels": [0, 1, 2], "roughness_channel": -1}),
        ([("color", "v"), ("color", "v")], {"base_channels": [0, 0, 0], "normal_channels": [-1, -1]}),
        ([("gloss", "v"), ("normal", "x"), ("normal", "y")], {"is_gloss": True, "normal_channels": [1, 2]}),
    ],
)
def test_channels_of_the_surface(roles, expected):
    rows = [{"role": role, "component": c, "color_space": "srgb", "constant": None} for role, c in roles]
    found = surface_channels(rows, "dx")
    assert expected.items() <= found.items() and found["normal_up"] == -1
