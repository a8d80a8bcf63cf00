"""What a value must be, in words: msgspec speaks to programmers, a configuration's errors to technicians."""

import ast
import re
from collections.abc import Mapping
from typing import Final

PATTERNS: Final[Mapping[str, str]] = {
    r"^[A-Za-z0-9_-]{1,64}$(?!\n)": "1 to 64 letters (A to Z, a to z), digits, _ and -, without spaces",
    r"\A[A-Za-z0-9_-]{1,64}\Z": "1 to 64 letters (A to Z, a to z), digits, _ and -, without spaces",
    r"^[A-Za-z0-9_.-]{1,128}$(?!\n)": "1 to 128 letters (A to Z, a to z), digits, _, . and -, without spaces",
    r"\A[0-9a-f]{64}\Z": "64 digits and letters a to f (a SHA-256 as sha256sum prints it)",
    r"^[a-z0-9][a-z0-9.-]{0,31}$(?!\n)": "1 to 32 small letters, digits, . and -, beginning with a letter or digit",
    r"^[0-9a-fA-F]{4}$(?!\n)": "4 digits and letters a to f, such as 0c2e (`scangate scanners list` shows it)",
}
"""Every expression that a text of the configuration must match, and what it means."""

_KINDS: Final[Mapping[str, str]] = {
    "str": "a text in quotes",
    "int": "a whole number without quotes",
    "float": "a number without quotes",
    "bool": "true or false, without quotes",
    "array": "a list in brackets, such as [1, 2]",
    "object": "a table, such as { key = 1 } or a section of its own",
    "null": "nothing",
}
_BOUNDS: Final[Mapping[str, str]] = {
    ">=": "at least",
    "<=": "at most",
    ">": "more than",
    "<": "less than",
}


def explain(message: str, choices: list[str]) -> str:
    """Say what msgspec says of a value, as what is allowed there.

    >>> explain("Expected `int` >= 10", [])
    'must be at least 10'
    >>> explain("Expected `str`, got `int`", [])
    'must be a text in quotes, not a whole number without quotes'
    """
    if choices and ("Invalid enum value" in message or "Expected" in message):
        return f"must be one of {', '.join(choices)}"
    if found := re.fullmatch(r"Expected `str` matching regex (.*)", message):
        return f"must be {PATTERNS[ast.literal_eval(found[1])]}"
    if found := re.fullmatch(r"Expected `(\w+)` (>=|<=|>|<) ([-0-9.e]+)", message):
        return f"must be {_BOUNDS[found[2]]} {found[3]}"
    if found := re.fullmatch(r"Expected `(array|str|object)` of length (>=|<=|==) ([0-9]+)", message):
        bound = {"==": "exactly"}.get(found[2]) or _BOUNDS[found[2]]
        unit = "characters" if found[1] == "str" else "entries"
        return f"must have {bound} {found[3]} {unit}"
    if found := re.fullmatch(r"Expected `([\w |]+)`, got `(\w+)`", message):
        wanted = [_KINDS.get(kind.strip(), kind.strip()) for kind in found[1].split("|") if kind.strip() != "null"]
        return f"must be {' or '.join(wanted)}, not {_KINDS.get(found[2], found[2])}"
    return message
