"""The look of the interface: a dark theme, and a font that is readable at any scale of the screen."""

from pathlib import Path

import imgui_bundle
from imgui_bundle import ImVec2, ImVec4, imgui

__all__ = ["apply_style"]

_FONT_SIZE = 15.0
_FONTS = ("Roboto/Roboto-Regular.ttf", "DroidSans.ttf")  # of imgui-bundle; its built-in bitmap font is the last resort

_GROUND, _RAISED, _LINE, _TEXT, _FAINT = 0.085, 0.15, 0.23, 0.88, 0.55
_ACCENT = (0.95, 0.58, 0.22)


def apply_style(scale: float) -> None:
    """Set font, sizes and colours. scale: of the screen's contents, 1 at about 96 dots an inch."""
    folder = Path(imgui_bundle.__file__).parent / "assets" / "fonts"
    font = next((folder / name for name in _FONTS if (folder / name).is_file()), None)
    if font is not None:
        imgui.get_io().fonts.add_font_from_file_ttf(str(font), _FONT_SIZE)
    style = imgui.get_style()
    imgui.style_colors_dark(style)
    style.window_rounding = style.child_rounding = 0.0
    style.frame_rounding = style.grab_rounding = style.popup_rounding = 3.0
    style.window_border_size = style.frame_border_size = 0.0
    style.popup_border_size = 1.0
    style.window_padding = style.item_spacing = ImVec2(8.0, 6.0)
    style.frame_padding = ImVec2(7.0, 4.0)
    style.scrollbar_size = 11.0
    style.scale_all_sizes(scale)
    style.font_scale_dpi = scale
    c = imgui.Col_
    grey = {
        c.window_bg: _GROUND, c.popup_bg: 0.11, c.child_bg: _GROUND, c.frame_bg: _RAISED, c.frame_bg_hovered: 0.2,
        c.frame_bg_active: 0.24, c.button: _RAISED, c.button_hovered: 0.24, c.button_active: 0.3, c.header: _RAISED,
        c.header_hovered: 0.22, c.header_active: 0.26, c.border: _LINE, c.separator: _LINE, c.text: _TEXT,
        c.text_disabled: _FAINT, c.scrollbar_bg: _GROUND, c.scrollbar_grab: 0.25, c.title_bg: 0.11,
        c.title_bg_active: 0.13, c.table_header_bg: _RAISED,
    }  # fmt: skip
    for name, value in grey.items():
        style.set_color_(name, ImVec4(value, value, value, 1.0))
    for name in (c.check_mark, c.slider_grab, c.slider_grab_active, c.plot_histogram, c.text_link):
        style.set_color_(name, ImVec4(*_ACCENT, 1.0))
