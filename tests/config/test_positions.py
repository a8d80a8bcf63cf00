"""On which line a key stands, against tomllib's reading of the same text (TOML 1.0)."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.positions import Key, key_lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\n", {("a",): 1}),
        ('# x = 1\n\n"b c" = 2', {("b c",): 3}),
        ("a.b = 1\na.c = 2\n", {("a",): 1, ("a", "b"): 1, ("a", "c"): 2}),
        ("[t]\nk = '''\n[no]\nx = 1\n'''\nl = 2\n", {("t",): 1, ("t", "k"): 2, ("t", "l"): 6}),
        ('s = """a\\"""\nb = 1"""\nt = 1\n', {("s",): 1, ("t",): 3}),
        ("l = [\n  { x = 1 },\n  # y = 1 ]\n]\nm = 1\n", {("l",): 1, ("m",): 5}),
        (
            "[[a]]\nx = 1\n[a.b]\ny = 2\n[[a]]\nx = 3\n[[a.c]]\nz = 4\n",
            {
                ("a",): 1,
                ("a", 0): 1,
                ("a", 0, "x"): 2,
                ("a", 0, "b"): 3,
                ("a", 0, "b", "y"): 4,
                ("a", 1): 5,
                ("a", 1, "x"): 6,
                ("a", 1, "c"): 7,
                ("a", 1, "c", 0): 7,
                ("a", 1, "c", 0, "z"): 8,
            },
        ),
        ("  [ t . u ]  # c\n  k = 'x=1'\n", {("t",): 1, ("t", "u"): 1, ("t", "u", "k"): 2}),
    ],
)
def test_lines(text: str, expected: dict[Key, int]) -> None:
    tomllib.loads(text)
    assert key_lines(text) == expected


KEYS = st.sampled_from(["a", "b", '"c d"', "'e.f'", "g.h"])
VALUES = st.sampled_from(
    ["1", '"x = 1"', "'''\n[t]\nk = 2\n'''", '"""\n\\"""\na = 1"""', "[\n1, # ]\n2]", "{ z = [1] }"]
)


@given(st.lists(st.tuples(KEYS, VALUES), unique_by=lambda pair: pair[0], max_size=5))
def test_each_key_is_found_where_it_was_put(pairs: list[tuple[str, str]]) -> None:
    text, expected = "[section]\n", {}
    for key, value in pairs:
        name = next(iter(tomllib.loads(f"{key} = 0")))
        expected["section", name] = text.count("\n") + 1
        text += f"{key} = {value}\n"
    tomllib.loads(text)
    lines = key_lines(text)
    assert {key: lines[key] for key in expected} == expected
