"""The page as HTML with plots as SVG. Pure; every text from outside is escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from intake.status import StreamStatus
from intake.web.overview import Gap, Overview, SentDelta

REFRESH_SECONDS: Final = 15
BOXES: Final = 500
"""Rows of the table; those with something to look at come first."""
NAMED: Final = 12
"""Boxes named that have not taken a delta."""
ALARMS: Final = 5
"""Alarms of one box that are shown: the most urgent come first."""
BAR: Final = 20
HEIGHT: Final = 120

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1a2b33; --dim: #55666e; --line: #d5dde1; --good: #0b6e4f; --bad: #b3261e;
        --bar: #2a6f97; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf0; --dim: #a3b3ba; --line: #34444c; --good: #63d2a5;
        --bad: #ff8a80; --bar: #7fb8da; --paper: #10191d; } }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; font: 16px/1.5 system-ui, sans-serif; color: var(--ink);
       background: var(--paper); }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.sum { display: flex; flex-wrap: wrap; gap: 2rem; margin: 1rem 0; } .sum b { display: block; font-size: 1.8rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--dim); font-weight: 600; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; } .dim { color: var(--dim); }
tr.more td { border-bottom: 0; } tr.note td { padding: 0 .8rem .5rem 0; }
.note ul { margin: 0; padding-left: 1.2rem; } td { vertical-align: top; }
svg { max-width: 100%; height: auto; } svg rect { fill: var(--bar); } svg text { fill: var(--dim); font-size:
11px; }
"""


def html(overview: Overview) -> str:
    """Return the page."""
    status = overview.status
    boxes = sorted(status.boxes(), key=lambda one: (not _wants_a_look(one), one.source))
    word = '<b class="good">well</b>' if status.well else '<b class="bad">holes</b>'
    online = sum(one.status == "online" for one in boxes)
    figures = (
        (word, "no hole older than a minute" if status.well else "numbers are missing"),
        (f"<b>{status.stored:,}</b>", "events"),
        (f"<b>{online} of {len(boxes)}</b>", "boxes online"),
        (f"<b>{status.poison:,}</b>", "messages of poison"),
    )
    return "".join(
        (
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}"><title>scangate intake</title>',
            f"<style>{STYLE}</style><h1>scangate intake</h1>",
            f'<p class="dim">As of {overview.now:%Y-%m-%d %H:%M:%S} UTC</p>',
            f'<div class="sum">{"".join(f"<div>{big}{escape(what)}</div>" for big, what in figures)}</div>',
            "<h2>Uses a day</h2>",
            bars(overview.uses, "Events in force, consumed, by day"),
            "<h2>Boxes</h2>",
            _boxes(boxes, overview),
            "<h2>Unknown articles</h2>",
            _unknown(overview.unknown),
            "<h2>Recalls and other changes of articles</h2>",
            _deltas(overview.deltas),
            "</html>",
        )
    )


def _wants_a_look(one: StreamStatus) -> bool:
    return bool(one.late or one.missing or one.alarms or one.status == "offline")


def _boxes(boxes: Sequence[StreamStatus], overview: Overview) -> str:
    if not boxes:
        return '<p class="dim">No box has sent anything yet.</p>'
    headings = ("box", "version", "state", "stored up to", "missing", "last event", "waiting there", "alarms")
    rows = ((_cells(one), _notes(one, overview)) for one in boxes[:BOXES])
    more = f'<p class="dim">and {len(boxes) - BOXES} more</p>' if len(boxes) > BOXES else ""
    return _table(headings, rows, numbers=frozenset({3, 4, 5, 6, 7})) + more


def _cells(one: StreamStatus) -> tuple[str, ...]:
    return (
        escape(_name(one.source)),
        escape(one.version or "-"),
        f'<span class="{"bad" if one.status == "offline" else "good"}">{escape(one.status or "-")}</span>',
        f"{one.frontier:,}",
        f'<span class="bad">{one.missing:,}</span>' if one.missing else "0",
        _duration(one.lag_seconds),
        "-" if one.waiting is None else f"{one.waiting:,}",
        f'<span class="bad">{one.alarms}</span>' if one.alarms else "0" if one.alarms == 0 else "-",
    )


def _name(source: str) -> str:
    return source.removeprefix("urn:scangate:").replace(":", " / ")


def _notes(one: StreamStatus, overview: Overview) -> list[str]:
    """Return what is to be said below the row of a box: what is missing, and its alarms in its own words."""
    notes = []
    gaps = overview.gaps.get(one.source, ())
    if gaps:
        since = "" if one.hole_since is None else f", for {_duration(_age(overview, one))}"
        notes.append(f"missing: {', '.join(map(_range, gaps))}{since}; asked for by itself while the box is online")
    alarms = overview.alarms.get(one.source, ())
    notes += alarms[:ALARMS]
    if len(alarms) > ALARMS:
        notes.append(f"and {len(alarms) - ALARMS} more alarms")
    return notes


def _age(overview: Overview, one: StreamStatus) -> int:
    return 0 if one.hole_since is None else int((overview.now - one.hole_since).total_seconds())


def _range(gap: Gap) -> str:
    return f"{gap.first:,}" if gap.first == gap.last else f"{gap.first:,} to {gap.last:,}"


def _unknown(unknown: Sequence[tuple[str, int]]) -> str:
    if not unknown:
        return '<p class="dim">Every scanned article was in the boxes\' masters.</p>'
    most = max(count for _, count in unknown)
    height = len(unknown) * BAR
    drawn = "".join(
        f'<text x="150" y="{row * BAR + 14}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="160" y="{row * BAR + 3}" width="{max(2, round(300 * count / most))}" height="{BAR - 6}"/>'
        f'<text x="{168 + max(2, round(300 * count / most))}" y="{row * BAR + 14}">{count}</text>'
        for row, (name, count) in enumerate(unknown)
    )
    return f'<svg viewBox="0 0 520 {height}" width="520" role="img" aria-label="Unknown articles">{drawn}</svg>'


def _deltas(deltas: Sequence[SentDelta]) -> str:
    if not deltas:
        return '<p class="dim">None was sent from here.</p>'
    rows = (
        (
            (
                escape(f"{one.delta.source} {one.delta.number}"),
                f"{one.delta.issued:%Y-%m-%d %H:%M}",
                escape(one.delta.summary),
                _taken(one) if one.delta.sent else '<span class="bad">not sent yet</span>',
            ),
            _lacking(one) if one.delta.sent else [],
        )
        for one in deltas
    )
    return _table(("number", "issued (UTC)", "what", "taken by"), rows)


def _taken(one: SentDelta) -> str:
    return f'<span class="{"bad" if one.lacking else "good"}">{one.taken} of {one.boxes} boxes</span>'


def _lacking(one: SentDelta) -> list[str]:
    if not one.lacking:
        return []
    more = f", and {len(one.lacking) - NAMED} more" if len(one.lacking) > NAMED else ""
    return [f"not taken yet: {', '.join(map(_name, one.lacking[:NAMED]))}{more}"]


def bars(values: Sequence[tuple[str, int]], label: str) -> str:
    """Return a bar chart; the highest value stands above its bar."""
    most = max((count for _, count in values), default=0) or 1
    drawn = []
    for place, (name, count) in enumerate(values):
        tall = round(HEIGHT * count / most)
        x = place * BAR
        drawn.append(
            f'<rect x="{x}" y="{20 + HEIGHT - tall}" width="{BAR - 4}" height="{tall}">'
            f"<title>{escape(name)}: {count}</title></rect>"
        )
        if count and count == most:
            drawn.append(f'<text x="{x}" y="14">{count}</text>')
        if place % 7 == 0:
            drawn.append(f'<text x="{x}" y="{HEIGHT + 36}">{escape(name[5:])}</text>')
    width = len(values) * BAR + 20
    return (
        f'<svg viewBox="0 0 {width} {HEIGHT + 42}" width="{width}" role="img" aria-label="{escape(label)}">'
        f"{''.join(drawn)}</svg>"
    )


def _table(
    headings: Sequence[str],
    rows: Iterable[tuple[Sequence[str], Sequence[str]]],
    numbers: frozenset[int] = frozenset(),
) -> str:
    """Return a table; each row: its cells (HTML), and the notes below them (text)."""

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if place in numbers else ''}>{cell}</{tag}>" for place, cell in enumerate(row)
        )

    body = "".join(
        f"<tr{' class=more' if notes else ''}>{cells('td', row)}</tr>{_below(notes, len(headings))}"
        for row, notes in rows
    )
    return f'<div class="wide"><table><tr>{cells("th", headings)}</tr>{body}</table></div>'


def _below(notes: Sequence[str], columns: int) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{escape(one)}</li>" for one in notes)
    return f'<tr class="note"><td colspan="{columns}"><ul>{items}</ul></td></tr>'


def _duration(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
