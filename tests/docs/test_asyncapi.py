"""The AsyncAPI document and the JSON Schemas: equal to what the Structs say, and true of what the box sends."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.docs.asyncapi import CHANNELS, DOCS, Message, document, files, messages, schema


@pytest.mark.parametrize(("path", "text"), [pytest.param(*one, id=one[0].name) for one in files()])
def test_the_files_are_what_the_code_says(path: Path, text: str) -> None:
    assert path.read_text() == text, "write them anew: python -m tests.docs.asyncapi"


@pytest.mark.parametrize("message", list(messages()), ids=lambda one: one.name)
def test_each_schema_is_one(message: Message) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(message))


@pytest.mark.parametrize("path", sorted((DOCS / "events").glob("*.json")), ids=lambda path: path.stem)
def test_the_example_events_are_valid(path: Path) -> None:
    event = json.loads(path.read_text())
    name = event["type"].split(".")[1]
    jsonschema.validate(event, json.loads((DOCS / "schemas" / f"{name}.json").read_text()))
    assert event["dataschema"] == json.loads((DOCS / "schemas" / f"{name}.json").read_text())["$id"]


def test_every_reference_leads_somewhere() -> None:
    """AsyncAPI 3.0: channels and operations refer to each other by JSON pointers."""
    whole = document()

    def follow(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                if reference.startswith("#/"):
                    at: Any = whole
                    for part in reference[2:].split("/"):
                        at = at[part]
                else:
                    assert (DOCS / reference).exists()
            for value in node.values():
                follow(value)
        elif isinstance(node, list):
            for value in node:
                follow(value)

    follow(whole)
    assert set(whole["channels"]) == {one.name for one in CHANNELS} | {"status"}
    for channel in whole["channels"].values():
        assert channel["address"].count("{") == len(channel["parameters"])
