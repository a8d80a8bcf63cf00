"""docs/workflow.md and docs/workflow.svg, drawn from the transition table. `python -m tests.docs.workflow` anew."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Final

from gateway.station.workflow import TABLE, Input, Region, State, WorkflowRow

FOLDER: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = FOLDER / "workflow.md"
PICTURE: Final = FOLDER / "workflow.svg"

WIDTH, MARGIN, LINE = 1040, 20, 17
BOX_WIDTH, BOX_HEIGHT = 210, 34
CHARACTERS: Final = 46
"""Of a label in one line of the picture."""

Moves = list[tuple[State, State, str]]
"""From, to, and the inputs with what comes of them."""


def moves(rows: Mapping[tuple[State, Input], WorkflowRow]) -> Moves:
    """The rows of a region; inputs that lead to the same place with the same outputs are one."""
    gathered: dict[tuple[State, State, str], list[str]] = {}
    for (state, given), row in rows.items():
        for after in row.after:
            outputs = ", ".join(row.outputs)
            gathered.setdefault((state, after, outputs), []).append(given)
    return [
        (state, after, ", ".join(inputs) + (f" → {outputs}" if outputs else ""))
        for (state, after, outputs), inputs in gathered.items()
    ]


def page() -> str:
    """The page as it must be."""
    lines = [
        "# The workflow of a station",
        "",
        "Drawn from the table in `gateway/station/workflow.py`. Six regions go their own ways at the same time;",
        "pairing, action and quantity are those of one scanner, the others the station's. An input that a",
        "region knows, but not in its present state, is a fault of the program: it is refused and changes",
        "nothing. Behind an arrow: what comes of it. `event`, `event withdrawn` and `context ended` are made by",
        "the machine itself.",
        "",
        "![The six regions](workflow.svg)",
    ]
    for region in Region:
        lines += ["", f"## {region.capitalize()}", "", "```mermaid", "stateDiagram-v2"]
        names = list(dict.fromkeys(state for state, _ in TABLE[region]))
        lines += [f'    state "{state}" as s{place}' for place, state in enumerate(names)]
        lines.append("    [*] --> s0")
        lines += [
            f"    s{names.index(state)} --> s{names.index(after)}: {what}"
            for state, after, what in moves(TABLE[region])
        ]
        lines.append("```")
    return "\n".join([*lines, ""])


def picture() -> str:
    """The picture as it must be: each region has two states, side by side."""
    parts: list[str] = []
    y = MARGIN
    for region in Region:
        drawn, height = _region(region, y)
        parts += drawn
        y += height + MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" '
        'font-family="sans-serif" font-size="13">'
    )
    marker = (
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L10 5L0 10z"/></marker></defs>'
    )
    return "\n".join([head, marker, f'<rect width="{WIDTH}" height="{y}" fill="white"/>', *parts, "</svg>", ""])


def _region(region: Region, top: int) -> tuple[list[str], int]:
    left, right = dict.fromkeys(state for state, _ in TABLE[region])
    places = {left: MARGIN * 2, right: WIDTH - BOX_WIDTH - MARGIN * 2}
    all_moves = moves(TABLE[region])
    across = [one for one in all_moves if one[0] is not one[1]]
    y = top + 2 * LINE
    parts = [_text(MARGIN * 2, top + LINE + 4, region.capitalize(), bold=True)]
    inner_left, inner_right = places[left] + BOX_WIDTH, places[right]
    arrows_y = y + LINE
    for state, _, what in across:
        start, end = (inner_left, inner_right) if state is left else (inner_right, inner_left)
        for line in _wrapped(what, CHARACTERS + 12):
            parts.append(_text((start + end) // 2, arrows_y - 4, line, middle=True))
            arrows_y += LINE
        y_line = arrows_y - LINE + 2
        parts.append(f'<path d="M{start} {y_line}H{end}" stroke="black" marker-end="url(#tip)"/>')
        arrows_y += LINE // 2
    box_height = max(BOX_HEIGHT, arrows_y - y)  # every arrow ends at a box
    bottom = y + box_height + LINE
    for state, x in places.items():
        size = f'width="{BOX_WIDTH}" height="{box_height}" rx="8"'
        parts.append(f'<rect x="{x}" y="{y}" {size} fill="#eef3fa" stroke="black"/>')
        parts.append(_text(x + BOX_WIDTH // 2, y + 22, state, middle=True))
        own_y = y + box_height + LINE
        for own in (one for one in all_moves if one[0] is state and one[1] is state):
            for place, line in enumerate(_wrapped(own[2], CHARACTERS - 12)):
                parts.append(_text(x, own_y, line if place else f"↻ {line}"))
                own_y += LINE
        bottom = max(bottom, own_y)
    height = bottom - top
    frame = (
        f'<rect x="{MARGIN}" y="{top}" width="{WIDTH - 2 * MARGIN}" height="{height}" fill="none" stroke="#999"/>'
    )
    return [frame, *parts], height


def _wrapped(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _text(x: int, y: int, text: str, *, middle: bool = False, bold: bool = False) -> str:
    anchor = ' text-anchor="middle"' if middle else ""
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}"{anchor}{weight}>{escape(text)}</text>'


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")
