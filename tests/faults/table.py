"""The table of faults and what came of them: docs/faults.md. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from tests.faults import disk, network
from tests.faults.box import Outcome

BEGIN: Final = "<!-- written by make faults -->"
END: Final = "<!-- to here -->"
SUMMARY_BEGIN: Final = "<!-- the table drawn together, written by make faults -->"
SUMMARY_END: Final = "<!-- drawn together to here -->"
HEAD: Final = "| fault | struck | accepted | delivered | copies | no answer | trouble | dead letters | lost |"
SUMMARY_HEAD: Final = "| fault | struck | accepted | delivered | copies | dead letters | lost |"
GROUPS: Final = {
    "the daemon killed at each write, flush and rename of its files, and around a PUBACK": (
        "SIGKILL",
        "daemon killed",
    ),
    "a full disk at each of them (ENOSPC)": ("ENOSPC",),
    "a failing disk at each of them (EIO)": ("EIO",),
    "a broker that refuses, lies, hangs up, sends garbage, comes and goes": (
        "PUBACK",
        "CONNACK",
        "no CONNACK",
        "broker",
        "two brokers",
    ),
    "a network cut at every byte, half-open, slow": ("network",),
    "mosquitto killed or frozen": ("mosquitto",),
}
"""Words of the summary -> how the faults' names begin."""
_ROW: Final = re.compile(r"^\| (?!fault |---)(.+?) \|", re.MULTILINE)


class Row(Struct, frozen=True, kw_only=True):
    """One kind of fault, all its points together. Counts."""

    fault: str
    points: int
    struck: int
    outcomes: tuple[Outcome, ...]
    broken: tuple[str, ...] = ()
    """What was found broken; empty where the promise was kept."""


def names() -> list[str]:
    """Name every fault there is, in the order of the table."""
    return [
        *disk.FAULTS,
        *disk.LASTING,
        *(fault.name for fault in network.FAULTS),
        *network.CUTS.values(),
        *network.MOSQUITTO,
    ]


def row(fault: str, results: Sequence[tuple[Outcome, bool] | str]) -> Row:
    """Gather the results of one kind of fault; a text is a promise that was broken."""
    outcomes = [result for result in results if not isinstance(result, str)]
    return Row(
        fault=fault,
        points=len(results),
        struck=sum(struck for _, struck in outcomes),
        outcomes=tuple(outcome for outcome, _ in outcomes),
        broken=tuple(result for result in results if isinstance(result, str)),
    )


def line(one: Row) -> str:
    """Return the row as it stands in the table."""
    fields = ("accepted", "delivered", "copies", "unanswered", "trouble", "dead")
    sums = [sum(getattr(outcome, field) for outcome in one.outcomes) for field in fields]
    struck = str(one.struck) if one.struck == one.points else f"{one.struck} of {one.points}"
    lost = f"**{len(one.broken)} runs**" if one.broken else "none"
    return "| " + " | ".join([one.fault, struck, *map(str, sums), lost]) + " |"


def render(rows: Iterable[Row]) -> str:
    """Return the table."""
    return "\n".join([HEAD, "|---|" + "--:|" * 7 + "---|", *map(line, rows)])


def put_in(page: str, rows: Mapping[str, Row]) -> str:
    """Return the page with these rows in the place of those of the same name."""
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    lines = {match[1]: match.string[match.start() :].split("\n", 1)[0] for match in _ROW.finditer(old)}
    lines.update({name: line(one) for name, one in rows.items()})
    table = [HEAD, "|---|" + "--:|" * 7 + "---|", *(lines[name] for name in names() if name in lines)]
    return "\n".join([before + BEGIN, "", *table, "", END + after])


def rows_of(page: str) -> list[str]:
    """Return the names of the faults that the page has a row for."""
    return _ROW.findall(page.partition(BEGIN)[2].partition(END)[0])


def summary(page: str) -> str:
    """Return the page's table drawn together, as it stands above it."""
    sums: dict[str, list[int]] = {words: [0, 0, 0, 0, 0, 0] for words in GROUPS}
    for match in _ROW.finditer(page.partition(BEGIN)[2].partition(END)[0]):
        cells = [cell.strip() for cell in match.string[match.start() :].split("\n", 1)[0].split("|")[1:-1]]
        words = next(words for words, begins in GROUPS.items() if cells[0].startswith(begins))
        struck, accepted, delivered, copies, _unanswered, _trouble, dead = (
            int(cell.split()[0]) for cell in cells[1:8]
        )
        lost = int(cells[8].strip("* runs")) if cells[8] != "none" else 0
        for place, number in enumerate((struck, accepted, delivered, copies, dead, lost)):
            sums[words][place] += number
    lines = [
        f"| {words} | {' | '.join(map(str, numbers[:5]))} | {numbers[5] or 'none'} |"
        for words, numbers in sums.items()
    ]
    return "\n".join([SUMMARY_HEAD, "|---|" + "--:|" * 5 + "---|", *lines])


def with_summary(page: str) -> str:
    """Return the page with its table, drawn together, in its place."""
    before, rest = page.split(SUMMARY_BEGIN)
    _, after = rest.split(SUMMARY_END)
    return "\n".join([before + SUMMARY_BEGIN, "", summary(page), "", SUMMARY_END + after])
