"""On which line of a TOML file each key stands: tomllib gives values without places.

Theory of operation: a statement of TOML begins on a line of its own, outside strings and brackets. So the text is
walked once; where a line begins outside both, what stands before `]` or `=` is a header or a key, and tomllib
itself takes it apart into its names. For

    [gateway]            # line 1
    id = "op3"           # line 2
    [[scanner]]          # line 3

the answer is {("gateway",): 1, ("gateway", "id"): 2, ("scanner",): 3, ("scanner", 0): 3}. What lies inside an
inline table or a list is on the line of its statement. The text must have been accepted by tomllib before.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

Key = tuple[str | int, ...]
"""The way to a value: names of tables, and numbers in lists."""

_SKIPPED: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})|' + r"'''.*?'''(?:'{0,2})|" + r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'|#[^\n]*",
    re.DOTALL,
)
"""Strings of TOML's four kinds, and comments."""
_STATEMENT: Final = re.compile(
    r"""[ \t]*(?:\[\[(?P<array>[^\n]*?)\]\]|\[(?P<table>[^\n]*?)\]|"""
    r"""(?P<key>(?:"(?:\\.|[^"\\])*"|'[^']*'|[^=\n#"'])+)=)"""
)


def key_lines(text: str) -> dict[Key, int]:
    """Return the line of every table and key."""
    lines: dict[Key, int] = {}
    table: Key = ()
    counts: dict[Key, int] = {}
    for line, found in _statements(text):
        if found["array"] is not None:
            table = _inside(_names(found["array"]), counts)
            number = counts[table] = counts.get(table, -1) + 1
            lines.setdefault(table, line)
            table = (*table, number)
        elif found["table"] is not None:
            table = _inside(_names(found["table"]), counts)
        for length in range(1, len(table) + 1):
            lines.setdefault(table[:length], line)
        if found["key"] is not None:
            names = _names(found["key"])
            for length in range(1, len(names) + 1):
                lines.setdefault((*table, *names[:length]), line)
    return lines


def _statements(text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield each header and key with its line."""
    at, depth, line = 0, 0, 1
    fresh = True
    while at < len(text):
        found = _STATEMENT.match(text, at) if fresh and depth == 0 else None
        fresh = False
        if found is not None:
            yield line, found
            at = found.end()
            continue
        skipped = _SKIPPED.match(text, at)
        if skipped is not None:
            line += skipped[0].count("\n")
            at = skipped.end()
            continue
        one = text[at]
        depth += (one in "[{") - (one in "]}")
        if one == "\n":
            line += 1
            fresh = True
        at += 1


def _names(text: str) -> Key:
    """Take a dotted key apart."""
    names: list[str] = []
    inner: Any = tomllib.loads(f"{text} = 0")
    while isinstance(inner, dict):
        ((name, inner),) = inner.items()
        names.append(name)
    return tuple(names)


def _inside(names: Key, counts: dict[Key, int]) -> Key:
    """Put in the number of the last element of each list of tables on the way: `[a.b]` below `[[a]]` is its own."""
    key: Key = ()
    for index, name in enumerate(names):
        key = (*key, name)
        if key in counts and index < len(names) - 1:
            key = (*key, counts[key])
    return key
