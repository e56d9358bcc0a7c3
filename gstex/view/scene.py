"""Draws a ViewState of a document into a Target: for the window and for screenshots alike. No user interface here."""

from typing import Any

import numpy as np

from gstex.gl import Program, WordBuffer
from gstex.gl.context import import_gl
from gstex.view.colors import LEVEL_COLORS, RAMP
from gstex.view.document import Document
from gstex.view.ellipses import Ellipses
from gstex.view.gaussians import MipGaussians
from gstex.view.maps import LOOKS, ShownMap
from gstex.view.orbit import camera_of, lights_of
from gstex.view.pan import Placement, place
from gstex.view.programs import Programs, bind_stacks, set_array
from gstex.view.stacks import Stack
from gstex.view.state import ViewState
from gstex.view.surface import surface_channels
from gstex.view.target import Target, upload_stack

__all__ = ["Scene"]

_GRID_ZOOM = 8.0  # pixels a texel from which on lines between texels make sense
_DIMMED = 0.45  # the picture under ellipses and cells
_READS = {"texels": "texels", "direct": "point", "bilinear": "point", "anisotropic": "grad"}
_SHOWS = ("map", "split", "diff")
_FOUR_FETCHES = 1 << 25  # of word 3 of the header (docs/format.md)


class Scene:
    """All that is on the GPU for one document. Needs a current context, and is to be deleted in it."""

    def __init__(self, document: Document):
        self.document = document
        texture = document.texture
        self._gl = gl = import_gl()
        self._words = WordBuffer([texture.words])
        top_k = max((group.header.top_k for group in texture.table.groups), default=0)
        self._programs = Programs(-(-texture.channels // 4), top_k)
        self._nothing = gl.glGenVertexArrays(1)  # the core profile draws with no other
        self._stacks: dict[str, int] = {}
        self._ellipses = Ellipses()
        self._facts = {
            "texture_size": (texture.width, texture.height), "mip_count": texture.mip_count,
            "wraps": texture.wrap == "repeat",
            "srgb_bits": sum(channel.srgb << c for c, channel in enumerate(texture.table.header.channels)),
        }  # fmt: skip
        flipped = any(channel.flipped for channel in texture.table.header.channels)
        self._surface = surface_channels(document.roles, "dx" if flipped else "gl")

    def set_stack(self, name: str, stack: Stack | None) -> None:
        """Give what a view compares with, by its name in `state.OTHERS`; None takes it away."""
        if name in self._stacks:
            self._gl.glDeleteTextures(1, [self._stacks.pop(name)])
        if stack is not None:
            self._stacks[name] = upload_stack(stack)

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
        """Draw. Where a stack that the view needs is missing, the file alone is drawn.

        size: (width, height) in pixels. content_scale: pixels a unit of length of the screen, for lines.
        """
        gl = self._gl
        target.bind(size)
        gl.glDisable(gl.GL_BLEND)
        gl.glDisable(gl.GL_SCISSOR_TEST)
        gl.glDisable(gl.GL_DEPTH_TEST)
        self._bind_words(state.sampling)
        gl.glBindVertexArray(self._nothing)
        if state.view == "lit":
            self._draw_lit(state, size)
            return
        placement = self.placement(state, size)
        frame = self._frame(state, placement, size)
        if state.view == "heat":
            self._draw_heat(frame, self.shown_mip(placement), self.document.group_of(self.shown_map(state)))
        else:
            self._draw_flat(state, placement, frame)
        if state.view == "cells":
            self._draw_cells(state, placement, frame, content_scale)
        if state.view == "gaussians":
            self._draw_ellipses(state, placement, frame, content_scale)

    def delete(self) -> None:
        """Free everything. What is current would live on, and who restores it later would find it gone."""
        gl = self._gl
        gl.glUseProgram(0)
        gl.glBindVertexArray(0)
        self._words.delete()
        self._programs.delete()
        self._ellipses.delete()
        gl.glDeleteVertexArrays(1, [self._nothing])
        for handle in self._stacks.values():
            gl.glDeleteTextures(1, [handle])

    def shown_map(self, state: ViewState) -> ShownMap:
        """The map, or the channel of it, that the state shows."""
        maps = self.document.maps
        return maps[min(state.map, len(maps) - 1)].pick(state.channel)

    def gaussians(self, state: ViewState, mip: int) -> MipGaussians | None:
        """The Gaussians that draw a mip of the map that is shown; None for a constant map."""
        group = self.document.group_of(self.shown_map(state))
        return None if group is None else self.document.gaussians(mip, group)

    def _frame(self, state: ViewState, placement: Placement, size: tuple[int, int]) -> dict[str, Any]:
        return {
            "picture_size": size, "corner": (placement.left, placement.top), "zoom": placement.zoom,
            "lod": placement.lod, "tiled": state.tiled, **self._facts,
        }  # fmt: skip

    def _draw_flat(self, state: ViewState, placement: Placement, frame: dict[str, Any]) -> None:
        needs_reference, needs_other = state.compares()
        there = (not needs_reference or self.has("reference")) and (not needs_other or self.has(state.other))
        shows = state.view if state.view in ("split", "diff") and there else "map"
        program = self._programs.get("screen.vert", "flat.frag", SAMPLING=_READS[state.sampling])
        program.set(
            **frame, **_look(self.shown_map(state)), shows=_SHOWS.index(shows),
            split=round(state.split * frame["picture_size"][0]), other_differs=state.other != "reference",
            gain=state.gain, grid=0.35 if state.grid and placement.zoom >= _GRID_ZOOM else 0.0,
            brightness=_DIMMED if state.view in ("gaussians", "cells") else 1.0,
        )  # fmt: skip
        bind_stacks({"reference": self._stacks.get("reference", 0), "other": self._stacks.get(state.other, 0)}, program)
        self._triangle(program)

    def _draw_heat(self, frame: dict[str, Any], mip: int, group: int | None) -> None:
        """group: whose Gaussians are counted; None for all."""
        groups = self.document.texture.table.groups
        channels = 0xFFFF if group is None else sum(1 << c for c in groups[group].header.members)
        program = self._programs.get("screen.vert", "heat.frag")
        program.set(**frame, heat_channels=channels, most=float(max(self.document.candidates(mip, group)[1], 1)))
        set_array(program, ramp=RAMP)
        self._triangle(program)

    def _draw_cells(
        self, state: ViewState, placement: Placement, frame: dict[str, Any], content_scale: float
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
        self, state: ViewState, placement: Placement, frame: dict[str, Any], content_scale: float
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

    def _draw_lit(self, state: ViewState, size: tuple[int, int]) -> None:
        lit, texture = state.lit, self.document.texture
        camera = camera_of(lit)
        lights = lights_of(lit)
        light_to, light_color = lights.pop("light_to"), lights.pop("light_color")
        split = lit.split and self.has(state.other)
        program = self._programs.get("screen.vert", "lit.frag", SAMPLING=_READS[state.sampling])
        aspect = texture.height / texture.width
        down = lit.tiling if texture.wrap == "repeat" else 1.0
        across = max(1.0, round(down * aspect)) if lit.shape == "sphere" else down
        program.set(
            **lights, **self._surface, **self._facts, picture_size=size, eye=camera.eye, tan_half=camera.tan_half,
            is_sphere=lit.shape == "sphere", aspect=aspect, tiles=(across, down),
            split=round(state.split * size[0]) if split else -1.0,
        )  # fmt: skip
        set_array(program, camera=[camera.right, camera.up, camera.forward], light_to=light_to, light_color=light_color)
        bind_stacks({"other": self._stacks.get(state.other, 0)}, program)
        self._triangle(program)

    def _bind_words(self, sampling: str) -> None:
        """Give the words to the shaders, with the bit that says how a point is read as the sampling wants it."""
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


def _look(one: ShownMap) -> dict[str, Any]:
    return {"look_channels": [*one.channels[:3], -1, -1, -1][:3], "look": LOOKS.index(one.look)}


def _copies(state: ViewState, placement: Placement, size: tuple[int, int]) -> list[tuple[float, float]]:
    """Shifts in texels of the copies of the texture that are in sight; a few at most."""
    if not state.tiled:
        return [(0.0, 0.0)]
    first = np.floor(placement.uv_at(0, 0)).astype(int)
    last = np.floor(placement.uv_at(*size)).astype(int)
    last = np.minimum(last, first + 4)
    return [(float(i * placement.width), float(j * placement.height))
            for j in range(first[1], last[1] + 1) for i in range(first[0], last[0] + 1)]  # fmt: skip
