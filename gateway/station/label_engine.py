"""One label, one event: what a symbol is to the labels that were scanned just before on the same scanner. Pure.

A hospital label carries up to five symbols that say the same in different ways, and people scan any of them, in any
order, twice, and begin the next label before this one is done. So the station remembers, scanner by scanner, the
label that waits for a further symbol and the labels closed within `pairing_seconds` of their last symbol, and each
symbol is compared with them, the waiting one first, then the newest:

| the symbol | move | what comes of it |
|---|---|---|
| is one that the waiting label has | SAME | the scanner asks again |
| says nothing that a label does not say | KNOWN | it belongs to it: no event |
| adds to the waiting label | JOINS | held, or the whole label is an event |
| adds to a label just closed | LATE | that event is undone (`label-completed`), the whole one follows |
| is typed otherwise than the waiting label was | DISAGREES | refused; what was typed before is given up for it |
| is another label's, or none of these | NEW | a label by itself, or the first symbol of one |
| cannot be the waiting label's | STRAY | an event of its own, or refused; the label still waits |

What belongs together is decided by what is said (`gateway.station.label`): the same device identifier and nothing
contradicted; without device identifier, the lot or serial number in common, the HIBC link, or, where nothing links
two symbols, that one waits for what the other says. The last is a guess by time: a linear GS1 or ISBT 128 symbol
does not say whose it is. A label joined so, while another one begun within the window could have been meant, is
`interleaved`, and its event says so.

A worked example. A box carries a Data Matrix D (GTIN, expiry, lot), an EAN-13 E (GTIN) and the maker's REF R.
E comes first and is an event; D has the same GTIN and adds expiry and lot: LATE, the first event is undone and E+D
follows. R is the article's own number: KNOWN. D again is the same symbol of a label just closed: NEW, and the
station's repeat rule decides (a repeat in a theatre, one more piece in a store). D, R, E in any order give the same
event, because a label's content is read from its symbols in an order of its own (`pairing.joined`).

A symbol scanned again stands for the label again only when what was scanned again says all of it: the secondary
alone is KNOWN, and primary and secondary scanned again are the second piece, in either order.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.model import Article, Decoded, Finding, Issuer, LookUp, Match, Severity
from gateway.station.assets import asset_of
from gateway.station.keyed_entry import is_to_be_typed_again, without_disputed
from gateway.station.label import (
    Statements,
    contradict,
    says_more,
    says_nothing_new,
    share_a_piece,
    statements,
)
from gateway.station.label_part import own_fault
from gateway.station.pairing import BY_HAND, LINEAR_GS1, WHOLE_GS1, is_element_string, joined
from gateway.station.values import MAX_SYMBOLS, Item, Label, Symbol
from gateway.station.verdict import SHELF_LABELS
from gateway.udi.checks import hibc_check_character
from gateway.udi.findings import finding

RESTRICTED: Final = "GS1_RESTRICTED_CIRCULATION"
_GS1: Final = Issuer.GS1
_HIBCC: Final = Issuer.HIBCC
_ERROR: Final = Severity.ERROR


class Move(StrEnum):
    """What a symbol is to the labels before it; see the table above."""

    NEW = "new"
    SAME = "same"
    KNOWN = "known"
    JOINS = "joins"
    LATE = "late"
    STRAY = "stray"
    DISAGREES = "disagrees"


class SymbolRead(Struct, frozen=True, kw_only=True):
    """A symbol, what it says alone, and what the master says of that."""

    symbol: Symbol
    decoded: Decoded
    look_up: LookUp


class Placement(Struct, frozen=True, kw_only=True):
    """Where a symbol belongs."""

    move: Move
    symbols: tuple[Symbol, ...] = ()
    """Those of the label it makes; none for SAME and KNOWN."""
    label: Label | None = None
    """What that label says; for KNOWN, the known label with the symbol noted."""
    target: str | None = None
    """KNOWN and LATE: id of the closed item it belongs to; None: the open one."""
    replaces: tuple[str, ...] = ()
    """Ids of the closed items that the label takes up."""
    remarks: tuple[Finding, ...] = ()
    """Why it is a stray."""


def place(
    new: SymbolRead,
    open_item: Item | None,
    closed: Sequence[Item],
    *,
    window_ns: int,
    today: date,
    keyed: bool = False,
) -> Placement:
    """Return where a symbol belongs.

    `closed`: the scanner's items of the last window that mean the same (action, context), oldest first. `keyed`: the
    open item is what is typed between the codes that begin and end keyed entry.
    """
    return _Engine(new, open_item, closed, window_ns, today, keyed=keyed).place()


def own_number(text: str, items: Iterable[Item]) -> Item | None:
    """Return the item whose label or article has a text as its own number: catalogue or article number, PZN."""
    return next((item for item in items if text in _own_numbers(item.label)), None)


def _own_numbers(label: Label) -> Iterator[str]:
    article = label.article
    if article is not None:
        yield from (number for number in (article.catalog_number, article.article_number) if number)
    decoded = label.decoded
    match decoded.issuer:
        case Issuer.GS1:
            yield from (value for ai, value in decoded.elements if ai in {"240", "241"})
        case Issuer.HIBCC if decoded.device_identifier:
            yield decoded.device_identifier[4:-1]  # the product or catalogue number behind the labeler's code
        case Issuer.IFA if decoded.device_identifier and decoded.device_identifier.startswith("11"):
            pzn = decoded.device_identifier[2:-2]
            yield from (pzn, f"-{pzn}")  # Code 39 of a pharmacy's article: a minus sign before the PZN


class _Engine:
    """The comparison of one symbol with the labels before it."""

    def __init__(
        self,
        new: SymbolRead,
        open_item: Item | None,
        closed: Sequence[Item],
        window_ns: int,
        today: date,
        *,
        keyed: bool,
    ) -> None:
        self._new = new
        self._open = open_item
        self._closed = [item for item in reversed(closed) if not item.label.apart]
        """The newest first."""
        self._window_ns = window_ns
        self._today = today
        self._keyed = keyed

    @cached_property
    def _said(self) -> Statements:
        """What the symbol says; most have no label to be compared with."""
        return statements(self._new.decoded)

    def place(self) -> Placement:  # noqa: PLR0911 - one a rule
        new, decoded = self._new, self._new.decoded
        if self._open is not None and new.symbol.typed and any(one.typed for one in self._open.symbols):
            typed = self._place_typed(self._open)
            if typed is not None:
                return typed
        if self._open is not None and _has(self._open, new.symbol):
            return Placement(move=Move.SAME)
        if decoded.device_identifier is None and (decoded.issuer is None or new.look_up.match in SHELF_LABELS):
            return self._place_number()
        if asset_of(decoded) is not None:
            return self._by_itself(aside=True)
        if self._open is not None and _cannot_be_udi(new):
            return Placement(move=Move.KNOWN, label=self._open.label)
        if not decoded.ok and not (decoded.device_identifier is None and _costs_itself_only(decoded)):
            return self._by_itself(aside=True)
        return self._place_part() or self._not_joined()

    def _place_typed(self, item: Item) -> Placement | None:
        """Place what is typed beside what was typed before: further, again, or otherwise; None: of another label."""
        new, its = self._new.decoded, item.label.decoded
        both = new.device_identifier is not None and its.device_identifier is not None
        other = both and new.device_identifier != its.device_identifier
        if new.issuer is not its.issuer or (other and not self._keyed):
            return None
        known = statements(its)
        if not other and not contradict(self._said, known):
            nothing_new = says_nothing_new(self._said, known) and (both or new.device_identifier is None)
            if nothing_new and not is_to_be_typed_again(item.symbols, self._today):
                return Placement(move=Move.SAME)
            return self._join(item)
        left = without_disputed(item.symbols, new, self._today, article=self._keyed)
        if left is None:  # a symbol that was read says otherwise: it stands
            return Placement(move=Move.DISAGREES, symbols=item.symbols, label=item.label)
        symbols = (*left, self._new.symbol)
        decoded = joined(symbols, self._today) if left else new
        return Placement(move=Move.DISAGREES, symbols=symbols, label=self._label(decoded, symbols))

    def _place_number(self) -> Placement:
        """Place an article's own number, which is no UDI."""
        for item in self._items():
            if _is_same_article(item.label, self._new):
                if _is_number(item.label) and _has(item, self._new.symbol):
                    return self._by_itself()
                return self._known(item)
        return self._by_itself(aside=True)

    def _place_part(self) -> Placement | None:
        """Place a symbol beside a label to which it says nothing new, or to which it adds."""
        if self._open is not None:
            adds = self._adds(self._open)
            if adds is not None:
                return self._join(self._open) if adds else self._known(self._open)
        relations = [(item, self._adds(item)) for item in self._closed]
        known = [item for item, adds in relations if adds is False]
        for item, adds in relations:
            if adds is None:
                continue
            if not adds:
                return self._again(item) if _has(item, self._new.symbol) else self._known(item)
            for other in known:
                if _identifier(other) != _identifier(item) and self._shares(other) and not self._shares(item):
                    return self._again(other) if _has(other, self._new.symbol) else self._known(other)
            return self._join(item)
        return None

    def _not_joined(self) -> Placement:
        new = self._new
        stray = self._open is not None and _names_another_primary(self._open, new)
        if stray:
            named = finding("HIBC_LINK", "the symbol's link is not that of the label that waits", "link")
            return replace(self._by_itself(aside=True), remarks=(named,))
        if _costs_itself_only(new.decoded) and not new.decoded.ok:
            return self._by_itself(aside=True)
        return self._by_itself()

    def _adds(self, item: Item) -> bool | None:
        """Return whether the symbol adds something to a label; None where it is not of it."""
        new, label = self._new.decoded, item.label
        known = statements(label.decoded)
        mine, its = new.device_identifier, label.decoded.device_identifier
        if _is_number(label):
            return True if mine is not None and _is_same_article(label, self._new) else None
        other = new.issuer is not label.decoded.issuer or (mine is not None and its is not None and mine != its)
        if other or contradict(self._said, known) or not _is_linked(item, self._new):
            return None
        if self._is_late_for(item):
            return None
        nothing_new = says_nothing_new(self._said, known) and (mine is None or its is not None)
        if nothing_new or (mine is None) is (its is None):
            return not nothing_new
        shares = share_a_piece(self._said, known)
        if mine is None:
            return True if shares or not _is_whole(label) else None
        # A whole 2D label gets nothing from a half that came before it, unless that half is its own.
        half_is_another = _is_two_dimensional(self._new) and says_more(self._said) and not shares
        return None if half_is_another and not says_nothing_new(known, self._said) else True

    def _is_late_for(self, item: Item) -> bool:
        """Return whether a label is open only because people type slowly, and nothing but time would join it."""
        waits = not BY_HAND.isdisjoint(item.missing) and not self._new.symbol.typed
        return waits and self._new.symbol.at_ns - item.at_ns > self._window_ns and self._is_unlinked(item)

    def _shares(self, item: Item) -> bool:
        return share_a_piece(self._said, statements(item.label.decoded))

    def _known(self, item: Item) -> Placement:
        noted = item.label
        if not _has(item, self._new.symbol):
            noted = replace(noted, further=(*noted.further, self._new.symbol)[-MAX_SYMBOLS:])
        noted = replace(noted, linear=noted.linear or _is_linear(self._new))
        return Placement(move=Move.KNOWN, label=noted, target=None if item is self._open else item.id)

    def _again(self, item: Item) -> Placement:
        """Place a symbol of a closed label that is scanned again: all of the label again, or a part of it."""
        again = (*(one for one in item.label.again if not _is_same(one, self._new.symbol)), self._new.symbol)
        whole = joined(again, self._today) if len(again) > 1 else self._new.decoded
        all_said = says_nothing_new(statements(item.label.decoded), statements(whole))
        if whole.device_identifier is None:
            noted = replace(item.label, again=again)
            return Placement(move=Move.KNOWN, label=noted, target=item.id)
        label = self._label(whole, again, again_of=None if all_said else item.id)
        return Placement(move=Move.NEW, symbols=again, label=label)

    def _by_itself(self, *, aside: bool = False) -> Placement:
        """`aside`: it is no reason to close the label that waits."""
        stray = aside and self._open is not None
        label = self._label(self._new.decoded, (self._new.symbol,))
        return Placement(move=Move.STRAY if stray else Move.NEW, symbols=(self._new.symbol,), label=label)

    def _join(self, item: Item) -> Placement:
        new = self._new
        parts = [item, *self._of_the_same(item)]
        before = {one.at_ns: one for part in parts if not _is_number(part.label) for one in part.symbols}
        symbols = tuple(sorted((*before.values(), new.symbol), key=lambda one: one.at_ns))
        if len(symbols) > MAX_SYMBOLS:
            return self._by_itself()
        decoded = joined(symbols, self._today) if before else new.decoded
        label = self._label(
            decoded,
            symbols,
            further=tuple(one for part in parts for one in part.label.further),
            again_of=self._still_again(parts, decoded),
            unlinked=any(part.label.unlinked for part in parts) or self._is_unlinked(item),
            linear=any(part.label.linear for part in parts) or _is_linear(new),
            two_dimensional=any(part.label.two_dimensional for part in parts) or _is_two_dimensional(new),
        )
        others = [one for one in self._items() if all(one is not part for part in parts)]
        began = min(one.at_ns for one in symbols)
        if label.unlinked and any(self._could_be_meant(one, decoded, began) for one in others):
            label = replace(label, interleaved=True)
        replaces = tuple(part.id for part in parts if part is not self._open)
        late = item is not self._open
        return Placement(
            move=Move.LATE if late else Move.JOINS,
            symbols=symbols,
            label=label,
            target=item.id if late else None,
            replaces=replaces,
        )

    def _still_again(self, parts: Sequence[Item], decoded: Decoded) -> str | None:
        """Return the label of which these are symbols scanned again; None once they say what it does not."""
        before = {part.label.again_of for part in parts}
        for item in self._closed:
            if item.id in before and says_nothing_new(statements(decoded), statements(item.label.decoded)):
                return item.id
        return None

    def _of_the_same(self, item: Item) -> Iterator[Item]:
        """Yield the closed items that, once the symbol has joined `item`, turn out to be of the same label."""
        identifier = self._new.decoded.device_identifier or item.label.decoded.device_identifier
        said = {**statements(item.label.decoded), **self._said}
        for other in self._closed:
            if other is item or other.meaning.quantity != item.meaning.quantity:
                continue
            if _is_number(other.label):
                if _is_same_article(other.label, self._new) or _names_same(other.label, item.label.article):
                    yield other
                continue
            shared = any(_has(other, one) for one in (*item.symbols, self._new.symbol))
            same = identifier is not None and other.label.decoded.device_identifier == identifier
            if same and not shared and not contradict(said, statements(other.label.decoded)):
                yield other

    def _is_unlinked(self, item: Item) -> bool:
        """Return whether nothing but time joins the symbol to a label: no identifier, lot, serial or link."""
        mine, its = self._new.decoded.device_identifier, item.label.decoded.device_identifier
        halves = (mine is None) is not (its is None)
        return halves and self._new.decoded.issuer is not _HIBCC and not self._shares(item)

    def _could_be_meant(self, other: Item, decoded: Decoded, began_ns: int) -> bool:
        """Return whether another label could have been the one that a symbol without a link belongs to."""
        label, its = other.label, other.label.decoded.device_identifier
        if label.decoded.issuer is not decoded.issuer or its == decoded.device_identifier:
            return False
        if abs(other.began_ns - began_ns) > self._window_ns:
            return False
        known_without = label.article is not None and not other.missing
        return label.unlinked or its is None or (not says_more(statements(label.decoded)) and not known_without)

    def _items(self) -> Iterator[Item]:
        if self._open is not None:
            yield self._open
        yield from self._closed

    def _label(
        self,
        decoded: Decoded,
        symbols: Sequence[Symbol],
        *,
        further: tuple[Symbol, ...] = (),
        again_of: str | None = None,
        unlinked: bool = False,
        linear: bool | None = None,
        two_dimensional: bool | None = None,
    ) -> Label:
        new = self._new
        if further:
            further = tuple(one for one in further if not any(_is_same(one, other) for other in symbols))
        return Label(
            decoded=decoded,
            article=new.look_up.article,
            match=new.look_up.match,
            further=further,
            again_of=again_of,
            unlinked=unlinked,
            linear=_is_linear(new) if linear is None else linear,
            two_dimensional=_is_two_dimensional(new) if two_dimensional is None else two_dimensional,
            apart=asset_of(decoded) is not None or not (decoded.ok or new.look_up.match in SHELF_LABELS),
        )


def _identifier(item: Item) -> str | None:
    return item.label.decoded.device_identifier


def _has(item: Item, symbol: Symbol) -> bool:
    """Return whether a symbol is one of a label's."""
    return any(_is_same(one, symbol) for one in (*item.symbols, *item.label.further))


def _is_same(one: Symbol, other: Symbol) -> bool:
    # a scanner that does not say which symbology it read may have read the same symbol
    may_be = one.symbology == other.symbology or one.symbology is None or other.symbology is None
    return may_be and one.text == other.text


def _is_number(label: Label) -> bool:
    """Return whether a label is nothing but an article's own number."""
    return label.decoded.device_identifier is None and label.match in SHELF_LABELS


def _is_same_article(label: Label, new: SymbolRead) -> bool:
    if new.symbol.text in _own_numbers(label):
        return True
    return _names_same(label, new.look_up.article)


def _names_same(label: Label, other: Article | None) -> bool:
    """Return whether the master says of a label that it is of another label's article."""
    one = label.article
    if one is None or other is None:
        return False
    if one.device_identifier is not None and other.device_identifier is not None:
        return one.device_identifier == other.device_identifier
    return one.article_number is not None and one.article_number == other.article_number


def _cannot_be_udi(new: SymbolRead) -> bool:
    """Return whether a number is of a range for restricted circulation, and not known as an article's here."""
    return new.look_up.match is Match.NONE and any(found.code == RESTRICTED for found in new.decoded.findings)


def _costs_itself_only(decoded: Decoded) -> bool:
    findings = decoded.findings
    return not findings or all(own_fault(found) for found in findings if found.severity is _ERROR)


def _is_linear(new: SymbolRead) -> bool:
    symbol = new.symbol
    part = new.decoded.issuer is _GS1 and new.decoded.device_identifier is None
    return symbol.symbology in LINEAR_GS1 and (part or is_element_string(symbol.text))


def _is_two_dimensional(new: SymbolRead) -> bool:
    return new.decoded.issuer is _GS1 and new.symbol.symbology in WHOLE_GS1


def _is_whole(label: Label) -> bool:
    """Return whether a label needs no symbol beside it: a 2D one with production identifiers, and no linear one."""
    return label.two_dimensional and not label.linear and says_more(statements(label.decoded))


def _link(decoded: Decoded) -> str | None:
    """Return the link of a HIBC symbol: a secondary's own, or what a primary's secondary must name (2.6, 2.3.2)."""
    if decoded.device_identifier is not None:
        return hibc_check_character(f"+{decoded.device_identifier}")
    return next((value for name, value in decoded.elements if name == "link"), None)


def _is_linked(item: Item, new: SymbolRead) -> bool:
    decoded = item.label.decoded
    if decoded.issuer is not _HIBCC or new.decoded.issuer is not _HIBCC:
        return True
    return _link(decoded) == _link(new.decoded)


def _names_another_primary(open_item: Item, new: SymbolRead) -> bool:
    has_primary = open_item.label.decoded.device_identifier is not None
    return has_primary and new.decoded.device_identifier is None and not _is_linked(open_item, new)
