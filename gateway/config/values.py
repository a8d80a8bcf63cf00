"""Every value that does not fit the Structs, found in one walk.

msgspec.convert stops at the first error. So each value is converted alone, against the type of its own field; a
Struct or a list is converted as a whole only where everything in it fits, which runs what its owner checks of
values together.
"""

import difflib
import types
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from gateway.config.positions import Key
from gateway.config.words import explain


class Wrong(Struct, frozen=True):
    """One thing that is wrong."""

    key: Key
    words: str
    value: Any = msgspec.UNSET
    """What stands there, where it may be shown."""

    def text(self) -> str:
        """Say it in a line."""
        shown = "" if self.value is msgspec.UNSET else f" = {_toml(self.value)}"
        return f"{name_of(self.key)}{shown}: {self.words}"


def name_of(key: Key) -> str:
    """Return a key as people write it: `scanner[0].baud`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")


def wrong_values(value: Any, hint: Any, key: Key = ()) -> Iterator[Wrong]:  # noqa: ANN401 - a TOML tree, its type
    """Yield everything that does not fit the type."""
    bare = _bare(hint)
    found: list[Wrong] = []
    if isinstance(bare, type) and issubclass(bare, Struct):
        if isinstance(value, Mapping):
            found = list(_in_struct(value, bare, key))
    elif get_origin(bare) is tuple and isinstance(value, list):
        found = [
            one
            for index, inner in enumerate(value)
            for one in wrong_values(inner, get_args(bare)[0], (*key, index))
        ]
    elif get_origin(bare) is dict and isinstance(value, Mapping):
        found = list(_in_table(value, get_args(bare), key))
    if found:
        yield from found
        return
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        message = str(error).partition(" - at `")[0]
        shown = msgspec.UNSET if isinstance(value, Mapping) else value  # a table may hold what no error should show
        yield Wrong(key, explain(message, _choices(bare)), shown)


def nearest(name: str, allowed: list[str]) -> str:
    """Return `; did you mean ...?` where one is near."""
    near = difflib.get_close_matches(name, allowed, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _in_struct(value: Mapping[str, Any], struct: type[Struct], key: Key) -> Iterator[Wrong]:
    hints = get_type_hints(struct, include_extras=True)
    for name, inner in value.items():
        if name in hints:
            yield from wrong_values(inner, hints[name], (*key, name))
        else:
            yield _unknown(name, list(hints), key)
    for field in msgspec.structs.fields(struct):
        if field.required and field.name not in value:
            yield Wrong((*key, field.name), "missing, and it has no default")


def _in_table(value: Mapping[str, Any], types_of: tuple[Any, Any], key: Key) -> Iterator[Wrong]:
    names, inner = types_of
    allowed = _choices(names)
    for name, one in value.items():
        if allowed and name not in allowed:
            yield _unknown(name, allowed, key)
        else:
            yield from wrong_values(one, inner, (*key, name))


def _unknown(name: str, allowed: list[str], key: Key) -> Wrong:
    return Wrong((*key, name), f"unknown key{nearest(name, allowed)} (allowed here: {', '.join(allowed)})")


def _bare(hint: Any) -> Any:  # noqa: ANN401 - a type expression
    """Return a type without its bounds, and without None where it may be left out."""
    while True:
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif get_origin(hint) in {Union, types.UnionType} and type(None) in get_args(hint):
            others = [one for one in get_args(hint) if one is not type(None)]
            if len(others) > 1:
                return hint
            hint = others[0]
        else:
            return hint


def _choices(hint: Any) -> list[str]:  # noqa: ANN401 - a type expression
    """Return the texts that a type allows, where it names them."""
    if get_origin(hint) is Literal:
        return [str(one) for one in get_args(hint)]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return [str(one) for one in hint]
    return []


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)
