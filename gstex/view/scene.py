"""Draws a ViewState of a document into a Target, for the window and for screenshots. It has no user interface."""


import numpy as np

from gstex.gl import Program, WordBuffer
from gstex.gl.context import import_gl
from gstex.gl.program import Uniforms
from gstex.gltf.mesh import Mesh
from gstex.material.material import HIDDEN_BELOW
from gstex.view.colors import LEVEL_COLORS, RAMP
from gstex.view.document import Document
from gstex.view.ellipses import Ellipses
from gstex.view.environment import Environment
from gstex.view.errors import Errors, chosen_gain
from gstex.view.gaussians import MipGaussians
from gstex.view.maps import LOOKS, ShownMap
from gstex.view.orbit import Camera, camera_of, lights_of
from gstex.view.pan import Placement, place
from gstex.view.programs import Programs, bind_stacks, set_array
from gstex.view.relief import Relief
from gstex.view.stacks import Stack
from gstex.view.state import GSTEX, OTHERS, OWN_MESH, ViewState
from gstex.view.surface import surface_channels
from gstex.view.target import Target, upload_environment, upload_stack
from gstex.view.triangles import Triangles

__all__ = ["Scene"]

_GRID_ZOOM = 8.0  # pixels per texel from which lines between texels are drawn
_DIMMED = 0.45  # brightness of the picture under ellipses and cells
_READS = {"texels": "texels", "direct": "point", "bilinear": "point", "anisotropic": "grad"}
_SHAPES = {"sphere": (0, 0.0), "cube": (1, 0.015), "rounded cube": (1, 0.22), "plane": (2, 0.0),
           OWN_MESH: (0, 0.0)}  # (number, radius of edges); OWN_MESH is a sphere while there is no mesh
_NOWHERE = 1e6  # pixels: a position outside of every picture
_FOUR_FETCHES = 1 << 25  # bit of word 3 of the header (docs/format.md)


class Scene:
    """Everything on the GPU for one document. Needs a current context, in which it must also be deleted."""

    def __init__(self, document: Document):
        self.document = document
        texture = document.texture
        self._gl = gl = import_gl()
        self._words = WordBuffer([texture.words])
        top_k = max((group.header.top_k for group in texture.table.groups), default=0)
        self._programs = Programs(-(-texture.channels // 4), top_k)
        self._nothing = gl.glGenVertexArrays(1)  # the core profile needs a vertex array to draw, even an empty one
        self._stacks: dict[str, int] = {}
        self._errors: dict[str, Errors] = {}
        self._environment: Environment | None = None
        self._environment_texture = 0
        self._ellipses = Ellipses()
        self._relief = Relief(document)
        self._triangles: Triangles | None = None
        self._facts = {
            "texture_size": (texture.width, texture.height), "mip_count": texture.mip_count,
            "wraps": texture.wrap == "repeat",
            "srgb_bits": sum(channel.srgb << c for c, channel in enumerate(texture.table.header.channels)),
        }  # fmt: skip
        flipped = any(channel.flipped for channel in texture.table.header.channels)
        self._surface = surface_channels(document.roles, "dx" if flipped else "gl")

    def set_stack(self, name: str, stack: Stack | None) -> None:
        """Set a picture to compare with, by name in `state.OTHERS`, or the file's quality as GSTEX; None removes it."""
        self._errors.pop(name, None)
        if name in self._stacks:
            self._gl.glDeleteTextures(1, [self._stacks.pop(name)])
        if stack is not None and stack.errors is not None:
            self._errors[name] = stack.errors
        if stack is not None and stack.levels:
            self._stacks[name] = upload_stack(stack)

    def set_environment(self, surroundings: Environment | None) -> None:
        """Set the surroundings that light a surface; None removes them."""
        if self._environment_texture:
            self._gl.glDeleteTextures(1, [self._environment_texture])
        self._environment = surroundings
        self._environment_texture = 0 if surroundings is None else upload_environment(surroundings)

    def set_mesh(self, mesh: Mesh | None) -> None:
        """Set the mesh of the shape OWN_MESH; None removes it."""
        self._relief.own = mesh

    def is_mesh(self, state: ViewState) -> bool:
        """Whether a state shows a triangle mesh, which needs shaders of its own."""
        return state.view == "lit" and self._relief.key(state.lit, 0.0, (1.0, 1.0)) is not None

    def has(self, name: str) -> bool:
        """Whether a stack is there."""
        return name in self._stacks

    def placement(self, state: ViewState, size: tuple[int, int]) -> Placement:
        """Where the texture lies in a picture of this size."""
        texture = self.document.texture
        return place(state, texture.width, texture.height, texture.mip_count, size)

    def shown_mip(self, placement: Placement) -> int:
        """The mip that the views of Gaussians, cells and candidates show."""
        return int(placement.lod + 0.5)

    def draw(self, state: ViewState, target: Target, size: tuple[int, int], content_scale: float = 1.0) -> None:
        """Draw a state. The place of a missing stack stays empty; without the reference, no differences are shown.

        size: (width, height) in pixels. content_scale: pixels per unit of length of the screen, for the width of lines.
        """
        gl = self._gl
        target.bind(size)
        gl.glDisable(gl.GL_BLEND)
        gl.glDisable(gl.GL_SCISSOR_TEST)
        gl.glDisable(gl.GL_DEPTH_TEST)
        self._bind_words(state.sampling)
        gl.glBindVertexArray(self._nothing)
        if state.view == "lit":
            self._draw_lit(state, target, size)
            return
        placement = self.placement(state, size)
        frame = self._frame(state, placement, size)
        if state.alone:
            self._draw_flat(state, placement, frame)
            return
        if state.view == "heat":
            self._draw_heat(frame, self.shown_mip(placement), self.document.group_of(self.shown_map(state)))
        else:
            self._draw_flat(state, placement, frame)
        if state.view == "cells":
            self._draw_cells(state, placement, frame, content_scale)
        if state.view == "gaussians":
            self._draw_ellipses(state, placement, frame, content_scale)

    def delete(self) -> None:
        """Free everything. Objects are unbound first, because a bound object would outlive its deletion."""
        gl = self._gl
        gl.glUseProgram(0)
        gl.glBindVertexArray(0)
        self._words.delete()
        self._programs.delete()
        self._ellipses.delete()
        gl.glDeleteVertexArrays(1, [self._nothing])
        if self._triangles is not None:
            self._triangles.delete()
        for handle in self._stacks.values():
            gl.glDeleteTextures(1, [handle])
        self.set_environment(None)

    def shown_map(self, state: ViewState) -> ShownMap:
        """The map, or the channel of it, that the state shows."""
        maps = self.document.maps
        return maps[min(state.map, len(maps) - 1)].pick(state.channel)

    def gaussians(self, state: ViewState, mip: int) -> MipGaussians | None:
        """The Gaussians that draw a mip of the map that is shown; None for a constant map."""
        group = self.document.group_of(self.shown_map(state))
        return None if group is None else self.document.gaussians(mip, group)

    def _frame(self, state: ViewState, placement: Placement, size: tuple[int, int]) -> Uniforms:
        return {
            "picture_size": size, "corner": (placement.left, placement.top), "zoom": placement.zoom,
            "lod": placement.lod, "tiled": state.tiled, **self._facts,
        }  # fmt: skip

    def _draw_flat(self, state: ViewState, placement: Placement, frame: Uniforms) -> None:
        shown_map, beside, width = self.shown_map(state), state.beside(), frame["picture_size"][0]
        shows_diff = state.view == "diff" and not state.alone and self.has("reference")
        has_line = state.has_line() and (state.view != "diff" or shows_diff)
        line = round(state.split * width) if has_line else -_NOWHERE
        split = line if has_line else -_NOWHERE if state.alone in OTHERS else _NOWHERE
        hides = self.document.hides(shown_map) and state.hidden != "shown"
        errors = [self._errors[name] for name in dict.fromkeys((GSTEX, state.other)) if name in self._errors]
        program = self._programs.get("screen.vert", "flat.frag", SAMPLING=_READS[state.sampling])
        program.set(
            **frame, **self._look(shown_map, state), shows_diff=shows_diff, heats=state.error == "heat",
            has_reference=self.has("reference"), has_other=self.has(beside), split=float(split), line=float(line),
            gain=chosen_gain(state.gain, errors, min(state.map, len(self.document.maps) - 1)),
            grid=0.35 if state.grid and placement.zoom >= _GRID_ZOOM else 0.0,
            brightness=_DIMMED if state.view in ("gaussians", "cells") and not state.alone else 1.0,
            opacity_channel=self.document.opacity if hides else -1, hidden_below=float(HIDDEN_BELOW),
            hatches=state.hidden == "hatched",
        )  # fmt: skip
        set_array(program, ramp=RAMP)
        bind_stacks({"reference": self._stacks.get("reference", 0), "other": self._stacks.get(beside, 0)}, program)
        self._triangle(program)

    def _look(self, shown_map: ShownMap, state: ViewState) -> Uniforms:
        low_high = self.document.value_range(shown_map) if state.stretch and shown_map.look == "grey" else (0.0, 1.0)
        return {"look_channels": [*shown_map.channels[:3], -1, -1, -1][:3], "look": LOOKS.index(shown_map.look),
                "look_range": low_high}  # fmt: skip

    def _draw_heat(self, frame: Uniforms, mip: int, group: int | None) -> None:
        """Draw the heat map. group: whose Gaussians are counted; None for all."""
        groups = self.document.texture.table.groups
        channels = 0xFFFF if group is None else sum(1 << c for c in groups[group].header.members)
        program = self._programs.get("screen.vert", "heat.frag")
        program.set(**frame, heat_channels=channels, most=float(max(self.document.candidates(mip, group)[1], 1)))
        set_array(program, ramp=RAMP)
        self._triangle(program)

    def _draw_cells(
        self, state: ViewState, placement: Placement, frame: Uniforms, content_scale: float
    ) -> None:
        number = self.shown_mip(placement)
        mip = self.gaussians(state, number)
        if mip is None:
            return
        pinned = (-1.0, -1.0)
        if (texel := state.pinned_in(number, (mip.shown_width, mip.shown_height))) is not None:
            pinned = ((texel[0] + 0.5) / mip.shown_width, (texel[1] + 0.5) / mip.shown_height)
        program = self._programs.get("screen.vert", "cells.frag")
        program.set(**frame, level_count=len(mip.cells), only_level=-1 if state.level is None else state.level,
                    pinned=pinned, line_width=content_scale)  # fmt: skip
        set_array(program, cells=mip.cells, level_color=LEVEL_COLORS)
        self._blended(program)

    def _draw_ellipses(
        self, state: ViewState, placement: Placement, frame: Uniforms, content_scale: float
    ) -> None:
        gl = self._gl
        number = self.shown_mip(placement)
        mip = self.gaussians(state, number)
        if mip is None:
            return
        texel = state.pinned_in(number, (mip.shown_width, mip.shown_height))
        self._ellipses.update(mip, self.shown_map(state), state.level, texel, (placement.width, placement.height))
        program = self._programs.get("ellipse.vert", "ellipse.frag")
        program.set(**frame, sigmas=state.sigmas, line_width=content_scale, fill=0.35)
        set_array(program, level_color=LEVEL_COLORS)
        gl.glEnable(gl.GL_BLEND)
        gl.glBlendFuncSeparate(gl.GL_SRC_ALPHA, gl.GL_ONE_MINUS_SRC_ALPHA, gl.GL_ZERO, gl.GL_ONE)
        for shift in _copies(state, placement, frame["picture_size"]):
            program.set(shift=shift)
            self._ellipses.draw()
        gl.glDisable(gl.GL_BLEND)

    def _draw_lit(self, state: ViewState, target: Target, size: tuple[int, int]) -> None:
        lit, texture = state.lit, self.document.texture
        camera, around = camera_of(lit), self._environment if lit.surroundings != "even" else None
        lights = lights_of(lit, around is not None)
        light_to, light_color = lights.pop("light_to"), lights.pop("light_color")
        beside, has_line = state.beside(), state.has_line()
        line = float(round(state.split * size[0])) if has_line else -_NOWHERE
        is_alone = state.alone in OTHERS and self.has(beside)
        aspect = texture.height / texture.width
        down = lit.tiling if texture.wrap == "repeat" else 1.0
        across = down if lit.shape in ("plane", OWN_MESH) else max(1.0, round(down * aspect))
        drawn = self._draw_triangles(state, size, (across, down), camera)
        target.bind(size)
        program = self._programs.get("screen.vert", "lit.frag", SAMPLING=_READS[state.sampling], MESH=int(bool(drawn)))
        program.set(
            **lights, **self._surface, **self._facts, picture_size=size, eye=camera.eye, tan_half=camera.tan_half,
            shape=_SHAPES[lit.shape][0], rounding=_SHAPES[lit.shape][1], aspect=aspect, tiles=(across, down),
            has_other=self.has(beside), line=line, split=line if has_line else -_NOWHERE if is_alone else _NOWHERE,
            environment_last=0.0 if around is None else len(around.levels) - 1.0,
        )  # fmt: skip
        set_array(program, camera=[camera.right, camera.up, camera.forward], light_to=light_to, light_color=light_color)
        if around is not None:
            set_array(program, irradiance=around.irradiance)
        bind_stacks(
            {"other": self._stacks.get(beside, 0), "environment": self._environment_texture, **drawn}, program
        )
        self._triangle(program)

    def _draw_triangles(
        self, state: ViewState, size: tuple[int, int], tiles: tuple[float, float], camera: Camera
    ) -> dict[str, int]:  # fmt: skip
        """Draw the surface data of a mesh. Returns {name of sampler: texture}, empty if the shape needs no mesh."""
        rounding = _SHAPES[state.lit.shape][1]
        key = self._relief.key(state.lit, rounding, tiles)
        if key is None:
            return {}
        if self._triangles is None:
            self._triangles = Triangles()
        if not self._triangles.holds(key):
            self._triangles.set(key, self._relief.mesh(state.lit, rounding, tiles))
        program = self._programs.get("mesh.vert", "mesh.frag")
        program.set(picture_size=size, eye=camera.eye, tan_half=camera.tan_half, tiles=tiles,
                    texture_size=self._facts["texture_size"])  # fmt: skip
        set_array(program, camera=[camera.right, camera.up, camera.forward])
        surface, footprint = self._triangles.draw(program, size)
        return {"mesh_surface": surface, "mesh_footprint": footprint}

    def _bind_words(self, sampling: str) -> None:
        """Bind the words for the shaders, with the header bit for direct or bilinear sampling set as the state asks."""
        gl, word = self._gl, np.array([self.document.texture.words[3]], np.uint32)
        if sampling == "direct":
            word &= ~np.uint32(_FOUR_FETCHES)
        elif sampling == "bilinear":
            word |= np.uint32(_FOUR_FETCHES)
        gl.glBindBuffer(gl.GL_SHADER_STORAGE_BUFFER, self._words.handle)
        gl.glBufferSubData(gl.GL_SHADER_STORAGE_BUFFER, 12, 4, word)
        self._words.bind()

    def _triangle(self, program: Program) -> None:
        gl = self._gl
        program.use()
        gl.glBindVertexArray(self._nothing)
        gl.glDrawArrays(gl.GL_TRIANGLES, 0, 3)

    def _blended(self, program: Program) -> None:
        gl = self._gl
        gl.glEnable(gl.GL_BLEND)
        gl.glBlendFuncSeparate(gl.GL_SRC_ALPHA, gl.GL_ONE_MINUS_SRC_ALPHA, gl.GL_ZERO, gl.GL_ONE)
        self._triangle(program)
        gl.glDisable(gl.GL_BLEND)


def _copies(state: ViewState, placement: Placement, size: tuple[int, int]) -> list[tuple[float, float]]:
    """Shifts in texels of the visible copies of the texture, at most 5 along an axis."""
    if not state.tiled:
        return [(0.0, 0.0)]
    first = np.floor(placement.uv_at(0, 0)).astype(int)
    last = np.floor(placement.uv_at(*size)).astype(int)
    last = np.minimum(last, first + 4)
    return [(float(i * placement.width), float(j * placement.height))
            for j in range(first[1], last[1] + 1) for i in range(first[0], last[0] + 1)]  # fmt: skip
