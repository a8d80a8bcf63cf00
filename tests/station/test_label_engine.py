"""What a symbol is to the labels before it: the table of gateway/station/label_engine.py, move by move."""

from datetime import date

import pytest

from gateway.model import Article, LookUp, Match
from gateway.station.label_engine import Move, Placement, SymbolRead, own_number, place
from gateway.station.pairing import joined
from gateway.station.values import MAX_SYMBOLS, Item, Label, Meaning, Symbol
from gateway.udi import decode
from gateway.udi.checks import hibc_check_character

TODAY = date(2026, 11, 22)
S = 1_000_000_000
WINDOW = 5 * S
NOTHING = LookUp(match=Match.NONE)
GTIN = "0109520001000102"
LINEAR, MATRIX, EAN = f"]C1{GTIN}", f"]d2{GTIN}", "]E09520001000102"
LOT_A, LOT_B = "]C110A", "]C110B"


def hibc(text: str) -> str:
    return f"]A0{text}{hibc_check_character(text)}"


PRIMARY = hibc("+A123BJC5D6E71")
SECONDARY = hibc("+$$52001510X3G")
OTHER = hibc("+$$52001510X3Z")


def symbol(code: str, second: float = 0) -> Symbol:
    text, symbology = (code[3:], code[:3]) if code.startswith("]") else (code, None)
    return Symbol(text=text, symbology=symbology, raw=b"", quality=frozenset(), at_ns=int(second * S))


def read(code: str, second: float, look_up: LookUp = NOTHING) -> SymbolRead:
    one = symbol(code, second)
    return SymbolRead(symbol=one, decoded=decode(one.text, one.symbology, today=TODAY), look_up=look_up)


def scanned(*codes: str, identity: str = "a", begun: float = 0, article: Article | None = None) -> Item:
    """The item that these symbols made, a second each."""
    look_up = NOTHING if article is None else LookUp(match=Match.DI, article=article)
    item: Item | None = None
    for number, code in enumerate(codes):
        made = place(read(code, begun + number, look_up), item, (), window_ns=WINDOW, today=TODAY)
        label = made.label
        assert label is not None
        symbols = made.symbols or (item.symbols if item else ())
        item = Item(
            id=identity,
            scanner="front",
            symbols=symbols,
            at_ns=symbols[-1].at_ns,
            meaning=Meaning(action="consume"),
            label=label,
        )
    assert item is not None
    return item


def against_open(before: tuple[str, ...], new: str) -> Placement:
    return place(read(new, 9), scanned(*before), (), window_ns=WINDOW, today=TODAY)


OPEN: list[tuple[str, tuple[str, ...], str, Move]] = [
    ("GS1, GTIN and lot", (LINEAR,), LOT_A, Move.JOINS),
    ("GS1, lot and GTIN", (LOT_A,), LINEAR, Move.JOINS),
    ("GS1, EAN-13 and the element string of the same article", (EAN,), f"{MATRIX}10A", Move.JOINS),
    ("GS1, a lot, and then a whole label without one", (LOT_A,), f"{MATRIX}21S", Move.NEW),
    ("GS1, a lot, and then the whole label it is of", (LOT_A,), f"{MATRIX}10A\x1d21S", Move.JOINS),
    ("GS1, lot and expiry, and a Data Matrix with that lot only", ("]C11745123110A",), f"{MATRIX}10A", Move.JOINS),
    ("GS1, a lot, and then a Data Matrix that says no more than the GTIN", (LOT_A,), MATRIX, Move.JOINS),
    ("GS1, a lot, and then the rest in a linear symbol", (LOT_A,), f"{LINEAR}17451231", Move.JOINS),
    ("GS1, another GTIN", (LINEAR,), "]C10109520001000508", Move.NEW),
    ("GS1, another lot", (LINEAR, LOT_A), LOT_B, Move.NEW),
    ("GS1, lot and expiry", (LOT_A,), "]C117451231", Move.JOINS),
    ("GS1, another expiry", ("]C117451231",), "]C117451230", Move.NEW),
    ("GS1, the same GTIN in another symbology", (EAN,), LINEAR, Move.KNOWN),
    ("GS1, the same symbol, the AIM identifier of one lost", (LINEAR,), GTIN, Move.SAME),
    ("GS1, the same symbol", (LINEAR,), LINEAR, Move.SAME),
    ("a text of nobody", (LINEAR,), "VGR-200010", Move.STRAY),
    ("a price code (GenSpecs 1.4: prefix 20)", (LINEAR,), "]E02012345678903", Move.KNOWN),
    ("a GIAI", (LINEAR,), "]d280040614141ABC123", Move.STRAY),
    ("an SSCC", (LINEAR,), "]C100106141412345678908", Move.STRAY),
    ("another agency", (LINEAR,), PRIMARY, Move.NEW),
    ("HIBC, its secondary", (PRIMARY,), SECONDARY, Move.JOINS),
    ("HIBC, another one's secondary", (PRIMARY,), OTHER, Move.STRAY),
    ("HIBC, two secondaries", (SECONDARY,), OTHER, Move.NEW),
    ("HIBC, another primary", (SECONDARY,), hibc("+A99SKRUV200"), Move.NEW),
    ("HIBC, a serial number beside lot and expiry", (PRIMARY, SECONDARY), hibc("+S4012G"), Move.JOINS),
    ("ISBT 128, identifier and serial", ("]C0=/A9999XYZ100T0944",), "]C0=,000025", Move.JOINS),
    ("ISBT 128, another serial", ("]C0=,000025",), "]C0=,000026", Move.NEW),
    ("damaged GTIN", (LOT_A,), "]C10109520001000103", Move.STRAY),
    ("damaged", (LINEAR,), "]C117459999", Move.STRAY),
    ("an unknown field beside the lot", (LINEAR,), "]C110A\x1d05123", Move.JOINS),
]


@pytest.mark.parametrize(("before", "new", "move"), [one[1:] for one in OPEN], ids=[one[0] for one in OPEN])
def test_beside_a_label_that_waits(before: tuple[str, ...], new: str, move: Move) -> None:
    assert against_open(before, new).move is move


CLOSED: list[tuple[str, tuple[str, ...], str, Move]] = [
    ("the same GTIN", (f"{MATRIX}10A",), EAN, Move.KNOWN),
    ("the same lot", (f"{MATRIX}10A",), LOT_A, Move.KNOWN),
    ("another lot of the article", (f"{MATRIX}10A",), f"{MATRIX}10B", Move.NEW),
    ("the same symbol", (f"{MATRIX}10A",), f"{MATRIX}10A", Move.NEW),
    ("another lot, from nowhere", (f"{MATRIX}10A",), LOT_B, Move.NEW),
    ("a serial from nowhere: the 2D symbol was whole", (f"{MATRIX}10A",), "]C121S", Move.NEW),
    ("lot and expiry of a 2D symbol that has the lot", (f"{MATRIX}10A",), "]C11745123110A", Move.LATE),
    ("a serial, where the label is known to have linear symbols", (f"{MATRIX}10A", LINEAR), "]C121S", Move.LATE),
    ("the lot of a GTIN alone", (EAN,), LOT_A, Move.LATE),
    ("a third symbol", (LINEAR, LOT_A), "]C121S", Move.LATE),
    ("the Data Matrix behind the EAN-13", (EAN,), f"{MATRIX}10A", Move.LATE),
    ("the second symbol again", (LINEAR, LOT_A), LOT_A, Move.KNOWN),
    ("the first symbol again", (LINEAR, LOT_A), LINEAR, Move.NEW),
    ("HIBC, the secondary of a concatenated symbol", ("]A0+A123BJC5D6E71/$$52001510X3C",), SECONDARY, Move.KNOWN),
    ("HIBC, a secondary with another link", ("]A0+A123BJC5D6E71/$$52001510X3C",), OTHER, Move.NEW),
    ("HIBC, a month and the day in it", (hibc("+A123BJC5D6E71/$$1127L1"),), hibc("+$$3271130L1G"), Move.LATE),
    ("a text of nobody", (LINEAR, LOT_A), "VGR-200010", Move.NEW),
    ("a price code", (LINEAR, LOT_A), "]E02012345678903", Move.NEW),
    # what is no label of an article, or is damaged, takes up nothing
    ("a lot behind a damaged GTIN", ("]C10109520001000103",), LOT_A, Move.NEW),
    ("an article behind a logistic unit", ("]C100106141412345678908",), LINEAR, Move.NEW),
    ("a lot behind a GIAI", ("]d280040614141ABC123",), LOT_A, Move.NEW),
]


@pytest.mark.parametrize(("before", "new", "move"), [one[1:] for one in CLOSED], ids=[one[0] for one in CLOSED])
def test_behind_a_label_just_closed(before: tuple[str, ...], new: str, move: Move) -> None:
    made = place(read(new, 9), None, (scanned(*before),), window_ns=WINDOW, today=TODAY)
    assert made.move is move
    assert made.replaces == (("a",) if move is Move.LATE else ())


def test_primary_and_secondary_scanned_again_are_the_second_piece_in_either_order() -> None:
    item = scanned(LINEAR, LOT_A)
    secondary = place(read(LOT_A, 3), None, (item,), window_ns=WINDOW, today=TODAY)
    assert (secondary.move, secondary.target) == (Move.KNOWN, "a")
    assert secondary.label is not None
    noted = Item(
        id="a", scanner="front", symbols=item.symbols, at_ns=item.at_ns, meaning=item.meaning, label=secondary.label
    )
    primary = place(read(LINEAR, 4), None, (noted,), window_ns=WINDOW, today=TODAY)
    assert (primary.move, len(primary.symbols)) == (Move.NEW, 2)
    assert primary.label is not None
    assert (primary.label.decoded.lot_number, primary.label.again_of) == ("A", None)


def test_a_part_scanned_again_names_the_label_it_is_of() -> None:
    made = place(read(LINEAR, 4), None, (scanned(LINEAR, LOT_A),), window_ns=WINDOW, today=TODAY)
    assert made.label is not None
    assert made.label.again_of == "a"


@pytest.mark.parametrize(
    ("article", "begun", "interleaved"),
    [(None, 1, True), (None, 20, False), (Article(device_identifier="04042809112382"), 1, False)],
    ids=["it waits for a lot, too", "it was begun long before", "its master demands nothing more"],
)
def test_two_labels_begun_at_once_cannot_be_told_apart(
    article: Article | None,
    begun: float,
    interleaved: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """GenSpecs 4.14: a linear symbol with production identifiers does not name its GTIN."""
    another = scanned("]E04042809112382", article=article, identity="b")
    made = place(read(LOT_A, begun + 1), scanned(LINEAR, begun=begun), (another,), window_ns=WINDOW, today=TODAY)
    assert made.move is Move.JOINS
    assert made.label is not None
    assert made.label.interleaved is interleaved


def test_a_label_that_turns_out_to_be_of_two_closed_ones_takes_up_both() -> None:
    """A Data Matrix with the serial number, and lot and GTIN in linear symbols, the lot first."""
    matrix, lot = scanned(f"{MATRIX}21S"), scanned(LOT_A, identity="b", begun=1)
    made = place(read(LINEAR, 2), None, (matrix, lot), window_ns=WINDOW, today=TODAY)
    assert made.move is Move.LATE
    assert made.label is not None
    assert (made.label.decoded.lot_number, made.label.decoded.serial_number) == ("A", "S")
    assert sorted(made.replaces) == ["a", "b"]


def test_the_content_does_not_depend_on_the_order() -> None:
    codes = (EAN, f"{MATRIX}17451231" + "10A", "]C110A\x1d24012", LINEAR)
    forwards = joined([symbol(code) for code in codes], TODAY)
    assert forwards == joined([symbol(code) for code in reversed(codes)], TODAY)
    assert forwards.hri == "(01)09520001000102(17)451231(10)A(240)12"


@pytest.mark.parametrize(
    ("codes", "article", "text"),
    [
        ((LINEAR,), Article(catalog_number="NS-2012"), "NS-2012"),
        ((LINEAR,), Article(article_number="VGR-1"), "VGR-1"),
        ((f"{MATRIX}240NS-2012",), None, "NS-2012"),
        ((PRIMARY,), None, "BJC5D6E7"),
        (("]d1[)>\x1e06\x1d9N111234567842\x1d1TABC\x1e\x04",), None, "-12345678"),
    ],
)
def test_an_articles_own_number(codes: tuple[str, ...], article: Article | None, text: str) -> None:
    item = scanned(*codes, article=article)
    assert own_number(text, (item,)) is item
    assert own_number(text + "x", (item,)) is None


def test_a_label_remembers_the_symbols_that_said_nothing_new() -> None:
    made = against_open((LINEAR,), EAN)
    assert made.label is not None
    assert [one.symbology for one in made.label.further] == ["]E0"]
    assert isinstance(made.label, Label)


def test_a_label_has_a_bounded_number_of_symbols() -> None:
    """One element string a symbol (GenSpecs 3.4): the ninth is a label of its own."""
    dates = [f"]C1{ai}451231" for ai in ("11", "12", "13", "15", "16", "17")]
    eight = (LINEAR, LOT_A, *dates)
    assert len(eight) == MAX_SYMBOLS
    assert against_open(eight[:-1], eight[-1]).move is Move.JOINS
    assert against_open(eight, "]C121S").move is Move.NEW


def test_symbols_stand_in_the_order_in_which_they_were_read() -> None:
    """Also where one that was read before is placed after the other: what a consumer sees is the order of reading."""
    made = place(read(LOT_A, 0.5), scanned(LINEAR, begun=1), (), window_ns=WINDOW, today=TODAY)
    assert made.move is Move.JOINS
    assert [one.text for one in made.symbols] == [LOT_A[3:], LINEAR[3:]]
