"""JSON Schemas with the meaning of each field: what stands beneath it in its Struct."""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, get_args, get_type_hints

from msgspec import Struct


def describe(definitions: dict[str, Any], roots: Iterable[type[Struct]]) -> None:
    """Add each field's meaning to the schemas (name of the Struct -> schema) of everything `roots` are made of."""
    seen: set[type[Struct]] = set()
    for root in roots:
        for struct in structs(root, seen):
            properties = definitions[struct.__name__]["properties"]
            encoded = dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))
            for name, text in _meanings(struct):
                if encoded.get(name) in properties:
                    properties[encoded[name]].setdefault("description", text)


def structs(hint: Any, seen: set[type[Struct]]) -> Iterator[type[Struct]]:  # noqa: ANN401 - a type expression
    """Yield every Struct that a type is made of, each once."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        if hint in seen:
            return
        seen.add(hint)
        yield hint
        for inner in get_type_hints(hint).values():
            yield from structs(inner, seen)
    for inner in get_args(hint):
        yield from structs(inner, seen)


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
