"""What one scan looks like on the page. Pure."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.display.daemon_messages import Case, Data, Event, UnresolvedScan, View
from gateway.display.state import State
from gateway.languages.form import Vocabulary

MAX_TEXT: Final = 120
"""Characters of one text; what is longer does not fit the screen. A lot number has 20, a serial number 20 (GS1)."""
MAX_NOTES: Final = 3
"""Sentences under a result: more are not read at two metres."""
OTHER_PATIENT: Final = "wristband of another"
"""What a wristband was that clashes with the case of the central system: an input of `gateway.station.workflow`."""
_SEVERITIES: Final = ("error", "warning", "info")
_QUIET: Final = frozenset(
    {
        "NOT_UDI",
        "AMBIGUOUS",
        "GS1_LINK_EXTENSION",
        "GS1_LINK_SHORT_GTIN",
        "ITEM_SAME_SYMBOL",
    }
)
"""Left out where they are no more than an info: they concern the label's maker, not who scans."""
_SIGNALS: Final[Mapping[str, State]] = {
    "accepted": State.ACCEPTED,
    "deviating": State.DEVIATING,
    "question": State.QUESTION,
    "warning": State.WARNING,
    "refused": State.REFUSED,
    "more": State.MORE,
    "trouble": State.TROUBLE,
}


REFUSED: Final = "REFUSED"
"""Why a scan of a case is unresolved: it was refused, and neither booked all the same nor read again."""
_OF_ITEMS: Final = frozenset({State.ACCEPTED, State.WARNING, State.DEVIATING, State.REFUSED, State.UNDONE})


class CaseRow(Struct, frozen=True, kw_only=True):
    """One line of a case."""

    mark: str
    """How many pieces; `?`: to be sorted out."""
    name: str
    detail: str = ""
    """Lot or serial number, and what is wrong."""


class Panel(Struct, frozen=True, kw_only=True):
    """What is shown large."""

    state: State
    headline: str
    """The state in a word."""
    reason: str = ""
    """The gravest finding, or why nothing was stored, with what to do. Always shown whole."""
    article: str = ""
    """The article's name. Where it is too long its middle is left out: sizes and variants stand at the end."""
    facts: tuple[tuple[str, str], ...] = ()
    """Name and value, the most important first: lot, expiry, article number, serial number, what it means."""
    notes: tuple[str, ...] = ()
    """Further findings, the gravest first; left out where there is no space."""
    time: str = ""
    """When, by the display's own clock."""
    rows: tuple[CaseRow, ...] = ()
    """What a case comes to, what is to be sorted out first. Where they do not fit, they are shown in turn."""
    pages: str = ""
    """Form of `1 of 3`."""
    signal: str = ""
    """What the operator was signalled; empty where nothing was scanned or played."""
    scanner: str = ""
    """Which scanner brought it."""
    until_ms: int | None = None
    """Milliseconds until an open label is closed without its missing symbol; None where none is open."""


def panel_of(event: Event, time: str, words: Vocabulary) -> Panel | None:
    """Return what a message of the daemon looks like; None for one that is about no scan."""
    if event.scanner is None or event.signal is None:
        return None
    if event.training:
        return _of_training(event.signal, clean(event.scanner), words)
    signal = event.signal if event.signal in _SIGNALS else "trouble"
    return replace(_of_scan(event, event.scanner, time, words), signal=signal)


def _of_scan(event: Event, scanner: str, time: str, words: Vocabulary) -> Panel:
    if event.closed is not None:
        return case_panel(event.closed, State.CLOSED, words, time=time, scanner=clean(scanner))
    state = _state(event)
    headline = words.headlines[state]
    if event.data is not None and state in _OF_ITEMS:
        return _of_item(event.data, state, headline, time, clean(scanner), words)
    reason = article = ""
    match state:
        case State.CHOSEN:
            article = _chosen(event, words)
        case State.IDENTIFIED:
            article = clean(f"{event.station.station}, {scanner}" if event.station else scanner)
        case State.MORE:
            reason = missing_of(event.station, scanner, words)
        case State.QUESTION if event.input == OTHER_PATIENT:
            reason = words.other_patient
        case State.QUESTION:
            reason = question_of(event.station, words)
        case State.WARNING if event.data is None:
            article, reason = _chosen(event, words), words.overridden
        case State.TROUBLE:
            reason = words.trouble
        case _:
            reason = _why_invalid(event, words)
    return Panel(state=state, headline=headline, reason=reason, article=article, time=time, scanner=clean(scanner))


def case_panel(case: Case, state: State, words: Vocabulary, *, time: str = "", scanner: str = "") -> Panel:
    """Return what a case comes to, to be read out: what is unresolved, the counts, article by article."""
    counts = {name: getattr(case, name) for name in ("used", "wasted", "returned", "explanted")}
    shown = [(name, count) for name, count in counts.items() if count or name == "used"]
    return Panel(
        state=state,
        headline=words.headlines[state],
        reason=words.case_counts["unresolved"].format(case.unresolved) if case.unresolved else "",
        facts=tuple(("", words.case_counts[name].format(count)) for name, count in shown),
        rows=(
            *(_unresolved(one, words) for one in case.unresolved_scans),
            *(CaseRow(mark=str(one.quantity), name=clean(one.name or words.no_name)) for one in case.used_articles),
        ),
        pages=words.case_pages,
        time=time,
        scanner=scanner,
    )


def _unresolved(one: UnresolvedScan, words: Vocabulary) -> CaseRow:
    number = one.lot_number or one.serial_number
    named = f"{words.lot if one.lot_number else words.serial} {clean(number)}. " if number else ""
    why = "" if not one.why else words.refused_unsettled if one.why[0] == REFUSED else sentence(one.why[0], words)
    return CaseRow(mark="?", name=clean(one.name or words.no_name), detail=f"{named}{clean(why)}")


def _state(event: Event) -> State:
    signalled = _SIGNALS.get(event.signal or "", State.TROUBLE)
    if event.control == "who-am-i":
        return State.IDENTIFIED
    if event.input == OTHER_PATIENT:
        return State.QUESTION
    if signalled is State.REFUSED and event.data is None:
        return State.INVALID
    if signalled is State.ACCEPTED and event.data is not None and event.data.action == "undo":
        return State.UNDONE
    if signalled is State.ACCEPTED and event.data is None:
        return State.CHOSEN
    return signalled


def _of_training(signal: str, scanner: str, words: Vocabulary) -> Panel | None:
    state, guidance = _SIGNALS.get(signal), words.signals.get(signal)
    if state is None or guidance is None:
        return None
    return Panel(
        state=state,
        headline=words.headlines[state],
        signal=signal,
        reason=guidance.meaning,
        notes=(guidance.deed,),
        article=words.training,
        scanner=scanner,
    )


def _of_item(data: Data, state: State, headline: str, time: str, scanner: str, words: Vocabulary) -> Panel:
    sentences = tuple(_sentences(data, words))
    # What an accepted item has are remarks: they wait until the article has been read.
    grave = 0 if state is State.ACCEPTED else 1
    return Panel(
        state=state,
        headline=headline,
        reason=" ".join(sentences[:grave]),
        article=article_name(data, words),
        facts=tuple(_facts(data, words)),
        notes=sentences[grave:][:MAX_NOTES],
        time=time,
        scanner=scanner,
    )


def _facts(data: Data, words: Vocabulary) -> Iterator[tuple[str, str]]:
    udi = data.udi
    if udi is not None:
        if udi.lot_number:
            yield words.lot, clean(udi.lot_number)
        if udi.expiration_date:
            day = local_date(udi.expiration_date, udi.expiration_precision, words)
            yield words.expiry, clean(day)
    article = data.article
    if article is not None and article.trade_name and article.article_number:
        yield words.number, clean(article.article_number)
    if udi is not None and udi.serial_number:
        yield words.serial, clean(udi.serial_number)
    meaning = action_words(data.action, data.reason, data.quantity, words)
    if meaning:
        yield "", meaning


def _sentences(data: Data, words: Vocabulary) -> Iterator[str]:
    """Yield each finding once, the gravest first; that it repeats a scan counts as a warning."""
    if data.used_despite is not None:
        yield words.used_despite
    if data.corrects is not None:
        yield words.corrects
    if data.action == "undo" and data.reason == "cancelled":
        yield words.cancelled
    seen = set()
    for severity in _SEVERITIES:
        for finding in data.verdict.findings:
            if finding.severity != severity or (severity == "info" and finding.code in _QUIET):
                continue
            words_of_it = clean(sentence(finding.code, words))
            if words_of_it not in seen:
                seen.add(words_of_it)
                yield words_of_it
        if severity == "warning" and data.repeats is not None:
            yield words.repeat


def article_name(data: Data, words: Vocabulary) -> str:
    """Return the article's name: the master's, else its number."""
    article, udi = data.article, data.udi
    if article is not None and (article.trade_name or article.article_number):
        return clean(article.trade_name or article.article_number or "")
    if udi is not None and udi.device_identifier:
        return clean(f"{words.no_name} {udi.device_identifier}")
    if udi is None and data.symbols:
        return clean(data.symbols[0].text)
    return words.no_name


def action_words(action: str, reason: str | None, quantity: int, words: Vocabulary) -> str:
    """Return what a scan means: `Discard: damaged, 3 pcs`."""
    what = words.actions[action] if action in words.actions else clean(action)
    if reason is not None:
        what += ": " + (words.reasons[reason] if reason in words.reasons else clean(reason))
    return what if quantity == 1 else f"{what}, {words.pieces.format(quantity)}"


def missing_of(view: View | None, scanner: str, words: Vocabulary) -> str:
    """Return which symbol the open label of a scanner still lacks; empty where that is not known."""
    waiting = next((one for one in view.waiting if one.scanner == scanner), None) if view else None
    if waiting is None or not waiting.missing:
        return ""
    for by_hand in ("typed-again", "end"):
        if by_hand in waiting.missing:
            return words.missing[by_hand]
    if waiting.suggested is not None and waiting.suggested in words.suggested:
        return words.suggested[waiting.suggested]
    named = [words.missing[one] for one in waiting.missing if one in words.missing]
    return words.missing_yet.format(", ".join(named)) if named else ""


def question_of(view: View | None, words: Vocabulary) -> str:
    """Return the question that waits for an answer."""
    if view is not None and view.context_restored:
        return words.asked_restored
    nothing_set = view is not None and not view.context_kinds
    return words.asked_ended if nothing_set else words.asked


def _chosen(event: Event, words: Vocabulary) -> str:
    if event.context is not None:
        return words.contexts.get(event.context, words.context_chosen)
    if event.control is not None and event.control in words.controls:
        return words.controls[event.control]
    if event.control == "undo-item":
        return words.article_to_undo
    view = event.station
    if view is None:
        return ""
    own = next((one for one in view.scanners if one.scanner == event.scanner), None)
    if own is None:
        return action_words(view.action, view.reason, view.quantity, words)
    meaning = action_words(own.action, own.reason, 1 if own.quantity is None else own.quantity, words)
    holds = words.locked if own.locked else words.one_article if own.one_item else None
    return meaning if holds is None else f"{meaning} ({holds})"


def _why_invalid(event: Event, words: Vocabulary) -> str:  # noqa: PLR0911 - one a reason
    if event.foreign is not None:
        return words.foreign.get(event.foreign, words.foreign_other)
    if event.context_refused is not None:
        return words.context_refused
    if event.discarded is not None:
        return words.discarded
    if event.keyed is not None and event.keyed != "typed":
        return words.not_typed.get(event.keyed, words.not_typed["other"])
    if event.input == "item to take back, not found":
        return words.not_found
    if event.control is not None:
        return words.nothing_to_undo if event.control == "undo" else words.impossible
    return words.withheld


def clean(text: str) -> str:
    """Cut a text to what a screen shows; what is not printable, or turns the writing round, becomes a mark."""
    shown = "".join(one if one.isprintable() else "\ufffd" for one in text[: MAX_TEXT + 1])
    return shown if len(shown) <= MAX_TEXT else shown[: MAX_TEXT - 1] + "…"


def sentence(code: str, words: Vocabulary) -> str:
    """Return a finding in words; one of a newer daemon, which has no sentence here, by its code."""
    return words.findings.get(code) or words.finding_other.format(code)


def local_date(moment: str, precision: str | None, words: Vocabulary) -> str:
    """Return a label's date (`YYYY-MM-DD`, with `THH:MM` where it has hours) as people of a language write it.

    Swedish dates are those of ISO 8601; English ones name the month, because 03/04 is two days in the world. What
    is no such date is shown as it is.
    """
    try:
        day = date.fromisoformat(moment[:10])
    except ValueError:
        return moment
    name = words.months[day.month - 1] if words.months else ""
    form = words.month_form if precision == "month" else words.day_form
    written = form.format(year=day.year, month=day.month, day=day.day, month_name=name)
    has_time = precision != "month" and len(moment) > len("YYYY-MM-DDT")
    return f"{written} {moment[11:]}" if has_time else written
