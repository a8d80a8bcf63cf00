"""The page's files: contrast by computation, nothing from elsewhere, no script but its own."""

import re
from importlib.resources import files

import pytest

from gateway.display.state import State

PAGE = files("gateway.display") / "page"
LEAST = 7.0
"""WCAG 2.2, success criterion 1.4.6 (level AAA)."""
COLOUR = re.compile(r"#[0-9a-f]{6}\b")


def text(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#ffffff", "#ffffff", 1.0)],
)
def test_the_computation_itself(one: str, other: str, ratio: float) -> None:
    """Known values: WebAIM's contrast checker."""
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)


def rules() -> list[tuple[str, str]]:
    plain = re.sub(r"/\*.*?\*/", "", text("page.css"), flags=re.DOTALL)
    return re.findall(r"([^{}]+)\{([^{}]*)\}", plain)


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_read(state: State) -> None:
    (found,) = [body for selector, body in rules() if f'[data-state="{state}"]' in selector and "--ground" in body]
    colours = dict(re.findall(r"--(ground|ink): (#[0-9a-f]{6})", found))
    assert contrast(colours["ground"], colours["ink"]) >= LEAST


def test_the_rest_of_the_page_can_be_read() -> None:
    """Whatever is written in a colour of its own stands on one of the two dark grounds."""
    inks = {
        ink
        for selector, body in rules()
        for ink in re.findall(r"(?:^|[; ])(?:color|--edge): (#[0-9a-f]{6})", body)
        if selector.strip() != ":root"
    }
    assert len(inks) >= 4
    for ground in ("#101214", "#1b1e21"):
        assert ground in text("page.css")
        for ink in inks:
            assert contrast(ground, ink) >= LEAST, ink


def test_colours_are_written_in_one_way() -> None:
    """Else the tests above would not see one."""
    found = re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[;, ])", text("page.css"))
    assert all(COLOUR.fullmatch(one) for one in found)
    assert not re.search(r"\b(?:rgba?|hsla?|color-mix|opacity|filter)\b", text("page.css"))


def test_every_state_has_a_shape_of_its_own() -> None:
    shapes = dict(re.findall(r'(\w+): "(\w+)"', text("page.js").partition("const SHAPES")[2].partition("};")[0]))
    assert set(shapes) == set(State)
    assert len(set(shapes.values())) == len(shapes)
    assert set(re.findall(r'<symbol id="shape-(\w+)"', text("index.html"))) == set(shapes.values())


@pytest.mark.parametrize("name", ["index.html", "page.css", "page.js", "sound.js", "icon.svg"])
def test_nothing_comes_from_elsewhere(name: str) -> None:
    content = text(name).replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z0-9-]+\.[a-z]|@import|url\(|data:", content)


def test_there_is_nothing_that_the_policy_forbids_or_that_makes_markup_of_text() -> None:
    page = text("index.html")
    names = ("sound.js", "page.js")
    assert re.findall(r"<script[^>]*>", page) == [f'<script src="{name}" defer>' for name in names]
    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", page)
    script = text("page.js").replace('root.style.setProperty("--arc", ', "")  # a number that the page computed
    script += text("sound.js")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|\.style\b", script)


def test_it_respects_who_wants_no_motion() -> None:
    assert "prefers-reduced-motion: reduce" in text("page.css")
