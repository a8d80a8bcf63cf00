"""What one scan looks like on the page. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from gateway.display import words
from gateway.display.daemon_messages import Data, Event, View
from gateway.display.finding_words import sentence
from gateway.display.words import Language, State, translated

MAX_TEXT: Final = 120
"""Characters of one text; what is longer does not fit the screen. A lot number has 20, a serial number 20 (GS1)."""
MAX_NOTES: Final = 3
"""Sentences under a result: more are not read at two metres."""
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


_OF_ITEMS: Final = frozenset({State.ACCEPTED, State.WARNING, State.DEVIATING, State.REFUSED, State.UNDONE})


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
    scanner: str = ""
    """Which scanner brought it."""
    until_ms: int | None = None
    """Milliseconds until an open label is closed without its missing symbol; None where none is open."""


def panel_of(event: Event, time: str, language: Language) -> Panel | None:
    """Return what a message of the daemon looks like; None for one that is about no scan."""
    if event.scanner is None or event.signal is None:
        return None
    state = _state(event)
    headline = translated(words.HEADLINES[state], language)
    if event.data is not None and state in _OF_ITEMS:
        return _of_item(event.data, state, headline, time, clean(event.scanner), language)
    reason = article = ""
    match state:
        case State.CHOSEN:
            article = _chosen(event, language)
        case State.IDENTIFIED:
            article = clean(f"{event.station.station}, {event.scanner}" if event.station else event.scanner)
        case State.MORE:
            reason = missing_of(event.station, event.scanner, language)
        case State.QUESTION:
            reason = question_of(event.station, language)
        case State.WARNING if event.data is None:
            article, reason = _chosen(event, language), translated(words.OVERRIDDEN, language)
        case State.TROUBLE:
            reason = translated(words.TROUBLE, language)
        case _:
            reason = _why_invalid(event, language)
    return Panel(
        state=state, headline=headline, reason=reason, article=article, time=time, scanner=clean(event.scanner)
    )


def _state(event: Event) -> State:
    signalled = _SIGNALS.get(event.signal or "", State.TROUBLE)
    if event.control == "who-am-i":
        return State.IDENTIFIED
    if signalled is State.REFUSED and event.data is None:
        return State.INVALID
    if signalled is State.ACCEPTED and event.data is not None and event.data.action == "undo":
        return State.UNDONE
    if signalled is State.ACCEPTED and event.data is None:
        return State.CHOSEN
    return signalled


def _of_item(data: Data, state: State, headline: str, time: str, scanner: str, language: Language) -> Panel:
    sentences = tuple(_sentences(data, language))
    # What an accepted item has are remarks: they wait until the article has been read.
    grave = 0 if state is State.ACCEPTED else 1
    return Panel(
        state=state,
        headline=headline,
        reason=" ".join(sentences[:grave]),
        article=article_name(data, language),
        facts=tuple(_facts(data, language)),
        notes=sentences[grave:][:MAX_NOTES],
        time=time,
        scanner=scanner,
    )


def _facts(data: Data, language: Language) -> Iterator[tuple[str, str]]:
    udi = data.udi
    if udi is not None:
        if udi.lot_number:
            yield translated(words.LOT, language), clean(udi.lot_number)
        if udi.expiration_date:
            day = words.local_date(udi.expiration_date, udi.expiration_precision, language)
            yield translated(words.EXPIRY, language), clean(day)
    article = data.article
    if article is not None and article.trade_name and article.article_number:
        yield translated(words.NUMBER, language), clean(article.article_number)
    if udi is not None and udi.serial_number:
        yield translated(words.SERIAL, language), clean(udi.serial_number)
    meaning = action_words(data.action, data.reason, data.quantity, language)
    if meaning:
        yield "", meaning


def _sentences(data: Data, language: Language) -> Iterator[str]:
    """Yield each finding once, the gravest first; that it repeats a scan counts as a warning."""
    if data.used_despite is not None:
        yield translated(words.USED_DESPITE, language)
    if data.corrects is not None:
        yield translated(words.CORRECTS, language)
    if data.action == "undo" and data.reason == "cancelled":
        yield translated(words.CANCELLED, language)
    seen = set()
    for severity in _SEVERITIES:
        for finding in data.verdict.findings:
            if finding.severity != severity or (severity == "info" and finding.code in _QUIET):
                continue
            words_of_it = clean(sentence(finding.code, language))
            if words_of_it not in seen:
                seen.add(words_of_it)
                yield words_of_it
        if severity == "warning" and data.repeats is not None:
            yield translated(words.REPEAT, language)


def article_name(data: Data, language: Language) -> str:
    """Return the article's name: the master's, else its number."""
    article, udi = data.article, data.udi
    if article is not None and (article.trade_name or article.article_number):
        return clean(article.trade_name or article.article_number or "")
    if udi is not None and udi.device_identifier:
        return clean(f"{translated(words.NO_NAME, language)} {udi.device_identifier}")
    if udi is None and data.symbols:
        return clean(data.symbols[0].text)
    return translated(words.NO_NAME, language)


def action_words(action: str, reason: str | None, quantity: int, language: Language) -> str:
    """Return what a scan means: `Discard: damaged, 3 pcs`."""
    what = translated(words.ACTIONS[action], language) if action in words.ACTIONS else clean(action)
    if reason is not None:
        what += ": " + (translated(words.REASONS[reason], language) if reason in words.REASONS else clean(reason))
    return what if quantity == 1 else f"{what}, {translated(words.PIECES, language).format(quantity)}"


def missing_of(view: View | None, scanner: str, language: Language) -> str:
    """Return which symbol the open label of a scanner still lacks; empty where that is not known."""
    waiting = next((one for one in view.waiting if one.scanner == scanner), None) if view else None
    if waiting is None or not waiting.missing:
        return ""
    if "typed-again" in waiting.missing:
        return translated(words.TYPE_AGAIN, language)
    if "end" in waiting.missing:
        return translated(words.TYPE_OR_END, language)
    if waiting.suggested in words.SUGGESTED:
        return translated(words.SUGGESTED[waiting.suggested], language)
    named = [translated(words.MISSING[one], language) for one in waiting.missing if one in words.MISSING]
    return translated(words.MISSING_YET, language).format(", ".join(named)) if named else ""


def question_of(view: View | None, language: Language) -> str:
    """Return the question that waits for an answer."""
    if view is not None and view.context_restored:
        return translated(words.ASKED_RESTORED, language)
    nothing_set = view is not None and not view.context_kinds
    return translated(words.ASKED_ENDED if nothing_set else words.ASKED, language)


def _chosen(event: Event, language: Language) -> str:
    if event.context is not None:
        return translated(words.CONTEXTS.get(event.context, words.CONTEXT_SET), language)
    if event.control is not None and event.control in words.CONTROLS:
        return translated(words.CONTROLS[event.control], language)
    if event.control == "undo-item":
        return translated(words.ITEM_TO_UNDO, language)
    view = event.station
    if view is None:
        return ""
    own = next((one for one in view.scanners if one.scanner == event.scanner), None)
    if own is None:
        return action_words(view.action, view.reason, view.quantity, language)
    meaning = action_words(own.action, own.reason, 1 if own.quantity is None else own.quantity, language)
    holds = words.LOCKED if own.locked else words.ONE_ITEM if own.one_item else None
    return meaning if holds is None else f"{meaning} ({translated(holds, language)})"


def _why_invalid(event: Event, language: Language) -> str:  # noqa: PLR0911 - one a reason
    if event.foreign is not None:
        return translated(words.FOREIGN.get(event.foreign, words.FOREIGN_OTHER), language)
    if event.context_refused is not None:
        return translated(words.CONTEXT_REFUSED, language)
    if event.discarded is not None:
        return translated(words.DISCARDED, language)
    if event.keyed is not None and event.keyed != "typed":
        return translated(words.NOT_TYPED.get(event.keyed, words.NOT_TYPED[""]), language)
    if event.input == "item to take back, not found":
        return translated(words.NOT_FOUND, language)
    if event.control is not None:
        return translated(words.NOTHING_TO_DO if event.control == "undo" else words.IMPOSSIBLE, language)
    return translated(words.WITHHELD, language)


def clean(text: str) -> str:
    """Cut a text to what a screen shows; what is not printable, or turns the writing round, becomes a mark."""
    shown = "".join(one if one.isprintable() else "\ufffd" for one in text[: MAX_TEXT + 1])
    return shown if len(shown) <= MAX_TEXT else shown[: MAX_TEXT - 1] + "…"
