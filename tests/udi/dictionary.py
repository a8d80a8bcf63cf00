"""The project's table of Application Identifiers beside GS1's own Barcode Syntax Dictionary.

`python -m tests.udi.dictionary PATH` prints every difference; the exit code is 1 when there is one. PATH is GS1's
file `gs1-syntax-dictionary.txt`.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gateway.udi import gs1_ai

Description = Mapping[str, object]
"""What is said of one AI: components, predefined, attribute, qualifiers, requires, excludes."""


def differences(dictionary: str) -> list[str]:
    """One line for each AI that is missing, unknown, or described differently; `dictionary` is the file's text."""
    lines = [line for line in dictionary.splitlines() if line and not line.startswith("#")]
    theirs: dict[str, Description] = dict(entry for line in lines for entry in _entries(line))
    ours: dict[str, Description] = {ai: _ours(ai) for ai in gs1_ai.assigned()}
    found = [f"{ai}: not in the project's table" for ai in sorted(theirs.keys() - ours.keys())]
    found += [f"{ai}: not in the dictionary" for ai in sorted(ours.keys() - theirs.keys())]
    for ai in sorted(ours.keys() & theirs.keys()):
        found += [
            f"{ai}: {name} {ours[ai][name]!r}, in the dictionary {expected!r}"
            for name, expected in theirs[ai].items()
            if ours[ai][name] != expected
        ]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Say the differences; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.udi.dictionary", description=__doc__)
    parser.add_argument("path", type=Path, help="GS1's file gs1-syntax-dictionary.txt")
    found = differences(parser.parse_args(arguments).path.read_text("utf-8"))
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.stdout.write(f"{len(gs1_ai.assigned())} AIs in the project's table, {len(found)} differences\n")
    return int(bool(found))


def _ours(ai: str) -> Description:
    entry = gs1_ai.lookup(ai)
    if entry is None:
        raise LookupError(f"AI {ai} is listed as assigned and cannot be looked up: gs1_ai contradicts itself")
    return {
        "components": [
            (part.charset, part.shortest, part.longest, part.optional, list(part.checks))
            for part in entry.components
        ],
        "predefined": entry.predefined,
        "attribute": entry.attribute,
        "qualifiers": None if entry.qualifiers is None else [list(sequence) for sequence in entry.qualifiers],
        "requires": [list(group) for group in entry.requires],
        "excludes": set(entry.excludes),
    }


def _entries(line: str) -> Iterator[tuple[str, Description]]:
    span, *words = line.partition("#")[0].split()
    flags = words.pop(0) if set(words[0]) <= set("*?") else ""
    components: list[tuple[str, int, int, bool, list[str]]] = []
    description: dict[str, object] = {"qualifiers": None, "requires": [], "excludes": set()}
    for word in words:
        name, _, value = word.partition("=")
        match name:
            case "dlpkey":
                description["qualifiers"] = [part.split(",") for part in value.split("|") if part]
            case "req":
                description["requires"] = [part.split("+") for part in value.split(",")]
            case "ex":
                description["excludes"] = set(value.split(","))
            case _:
                components.append(_component(word))
    description |= {"components": components, "predefined": "*" in flags, "attribute": "?" in flags}
    low, _, high = span.partition("-")
    for ai in range(int(low), int(high or low) + 1):
        yield str(ai).zfill(len(low)), description


def _component(word: str) -> tuple[str, int, int, bool, list[str]]:
    form, *checks = word.replace("[", "").replace("]", "").split(",")
    low, dots, high = form[1:].partition("..")
    longest = int(high or low)
    names = [check.replace("gcppos", "gcp") for check in checks]
    return form[0], 1 if dots else longest, longest, word.startswith("["), names


if __name__ == "__main__":
    sys.exit(main())
