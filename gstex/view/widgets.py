"""Small controls for the panel and the popups."""

from imgui_bundle import imgui

__all__ = ["choice", "choices", "heading", "rows", "tip"]


def heading(text: str) -> None:
    """Draw the title of a section."""
    imgui.spacing()
    imgui.text_disabled(text.upper())


def tip(text: str) -> None:
    """Explain the last control, while the pointer rests on it."""
    imgui.set_item_tooltip(text)


def choice(label: str, chosen: bool, text: str) -> bool:
    """Draw a button that is highlighted when chosen. text: its tip. Returns whether it was pressed."""
    accent = imgui.get_style_color_vec4(imgui.Col_.check_mark)
    if chosen:
        imgui.push_style_color(imgui.Col_.text, accent)
    else:
        imgui.push_style_color(imgui.Col_.button, (0.0, 0.0, 0.0, 0.0))
    pressed = imgui.button(label)
    imgui.pop_style_color()
    tip(text)
    return pressed


def choices(labels: list[str], chosen: int, tips: list[str]) -> int:
    """Draw buttons in rows as wide as the window. Returns the number of the chosen one."""
    style = imgui.get_style()
    right = imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x
    end = 0.0
    for number, (label, text) in enumerate(zip(labels, tips, strict=True)):
        width = imgui.calc_text_size(label, hide_text_after_double_hash=True).x + 2 * style.frame_padding.x
        if number and end + style.item_spacing.x + width <= right:
            imgui.same_line()
        end = imgui.get_cursor_pos_x() + width
        if choice(label, number == chosen, text):
            chosen = number
    return chosen


def rows(name: str, cells: list[tuple[str, str]]) -> None:
    """Draw a table of two columns with wrapped text."""
    if imgui.begin_table(name, 2, imgui.TableFlags_.row_bg):
        imgui.table_setup_column("keys", imgui.TableColumnFlags_.width_fixed, 7.5 * imgui.get_font_size())
        imgui.table_setup_column("what")
        for keys, text in cells:
            imgui.table_next_column()
            imgui.text_wrapped(keys)
            imgui.table_next_column()
            imgui.text_wrapped(text)
        imgui.end_table()
