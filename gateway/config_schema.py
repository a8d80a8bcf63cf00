"""The configuration's JSON Schema with the meaning of each key: what stands beneath the field in its Struct."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args, get_type_hints

from msgspec import Struct

from gateway.config import Config, schema


def documented_schema() -> dict[str, Any]:
    """Return the JSON Schema, each key described."""
    described = schema()
    for struct in _structs(Config, set()):
        properties = described["$defs"][struct.__name__]["properties"]
        for name, text in _meanings(struct):
            if name in properties:
                properties[name].setdefault("description", text)
    return described


def _structs(hint: Any, seen: set[type[Struct]]) -> Iterator[type[Struct]]:  # noqa: ANN401 - a type expression
    """Yield every Struct that a type is made of."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        if hint in seen:
            return
        seen.add(hint)
        yield hint
        for inner in get_type_hints(hint).values():
            yield from _structs(inner, seen)
    for inner in get_args(hint):
        yield from _structs(inner, seen)


def _meanings(struct: type[Struct]) -> Iterator[tuple[str, str]]:
    """Yield (field, meaning): the string that follows a field in the class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(struct)))
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    for field, text in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            yield field.target.id, inspect.cleandoc(text.value.value)
