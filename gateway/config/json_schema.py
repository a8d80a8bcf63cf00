"""The configuration's JSON Schema with the meaning of each key."""

from typing import Any

from gateway.config.loader import Config, schema
from gateway.config.struct_docs import describe


def documented_schema() -> dict[str, Any]:
    """Return the JSON Schema, each key described."""
    described = schema()
    describe(described["$defs"], [Config])
    return described
