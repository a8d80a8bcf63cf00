"""Scenes with labels of several symbols: what is signalled, and what counts in the end. One table.

The rules: GenSpecs 4.14 (the data of all symbols of an item are one), ANSI/HIBC 2.6 2.3 (the link), ICCBBA ST-017
(one structure a linear symbol), and those of gateway/station/label_engine.py where no standard says anything.
"""

from drivers.model import Signal
from tests.scanning.scenes import ACCEPTED, CLINIC, MORE, REFUSED, RETURN, STORE, THEATRE, WAIT, WARNING, Scene
from tests.scanning.stage import PLATE, PLATE_LOT, STEM, TAPE, checked

UNKNOWN = "00812345678901"
"""A GTIN that the sample master does not know."""
SCREW, SCREW_LOT = "]C10109520001000409", "]C11745123110S1"
TAPE_MATRIX = "]d20109520007000304" + "10X1"
PLATE_MATRIX = "]d201095200010005081745123110K7"
PRICE = "]E02012345678903"
PAIR = ("]E04042809112382", "]C1171501001010A2082028")
"""An EAN-13 and the linear secondary beside it, from a public store of real labels."""
TRAY, PUMP, DELIVERY = "]d280030952000000000412345", "]d280040614141ABC123", "]C100106141412345678908"
PLATE_IS, STEM_IS = "consume 09520001000508 lot=K7", "consume 09520001000102 lot=L2A0417 sn=NS700312"
J123 = "+J123AQ3451T", "+25330BC34567T2", "+S4012TJ"

LabelScene = tuple[str, str, Scene, list[str]]
SCENES: list[LabelScene] = [
    (
        "a serial number is one piece, whatever the other symbol says",
        THEATRE,
        [(0, f"]d201{UNKNOWN}1745123110K7\x1d21SN9", WARNING), (30, f"]d201{UNKNOWN}21SN9", WARNING)],
        [f"consume {UNKNOWN} lot=K7 sn=SN9", f"consume {UNKNOWN} sn=SN9 repeats id-1"],
    ),
    (
        "scanned at once it says nothing new",
        STORE,
        [(0, f"]d201{UNKNOWN}1145123110K7\x1d21SN9", WARNING), (3, f"]d201{UNKNOWN}21SN9", WARNING)],
        [f"consume {UNKNOWN} lot=K7 sn=SN9"],
    ),
    (
        "the same in HIBC",
        CLINIC,
        [(0, checked("+A99912341/$$+3451231SN5/16D20250101"), WARNING), (9, checked("+A99912341/$+SN5"), WARNING)],
        ["consume A99912341 sn=SN5", "consume A99912341 sn=SN5 repeats id-1"],
    ),
    (
        "Data Matrix, and then the linear pair with the expiry",
        THEATRE,
        [(0, "]d20109520001000508" + "10K7", ACCEPTED), (1, PLATE, ACCEPTED), (2, PLATE_LOT, ACCEPTED)],
        [PLATE_IS],
    ),
    ("Data Matrix, linear GTIN", THEATRE, [(0, STEM, ACCEPTED), (2, "]C10109520001000102", ACCEPTED)], [STEM_IS]),
    ("Data Matrix, EAN-13", STORE, [(0, TAPE_MATRIX, ACCEPTED), (1, TAPE, ACCEPTED)],
     ["consume 09520007000304 lot=X1"]),
    ("EAN-13, Data Matrix", STORE, [(0, TAPE, ACCEPTED), (1, TAPE_MATRIX, ACCEPTED)],
     ["consume 09520007000304 lot=X1"]),
    (
        "EAN-13, Data Matrix, and both of the next piece",
        STORE,
        [(0, TAPE, ACCEPTED), (1, TAPE_MATRIX, ACCEPTED), (3, TAPE, ACCEPTED), (4, TAPE_MATRIX, ACCEPTED)],
        ["consume 09520007000304 lot=X1"] * 2,
    ),
    ("Data Matrix, linear secondary", THEATRE, [(0, PLATE_MATRIX, ACCEPTED), (1, PLATE_LOT, ACCEPTED)], [PLATE_IS]),
    ("linear GTIN, Data Matrix, linear secondary", THEATRE,
     [(0, PLATE, MORE), (1, PLATE_MATRIX, ACCEPTED), (2, PLATE_LOT, ACCEPTED)], [PLATE_IS]),
    ("the maker's REF", THEATRE, [(0, STEM, ACCEPTED), (2, "]A0NS-2012", ACCEPTED)], [STEM_IS]),
    ("the maker's REF first", THEATRE, [(0, "]A0NS-2012", ACCEPTED), (2, STEM, ACCEPTED)], [STEM_IS]),
    ("REF between the two", THEATRE,
     [(0, PLATE, MORE), (1, "]C0PL-0006", MORE), (2, PLATE_LOT, ACCEPTED)], [PLATE_IS]),
    ("the article number between the two", THEATRE,
     [(0, PLATE, MORE), (1, "VGR-104310", MORE), (2, PLATE_LOT, ACCEPTED)], [PLATE_IS]),
    ("the article number first", THEATRE,
     [(0, "VGR-104310", ACCEPTED), (1, PLATE, MORE), (2, PLATE_LOT, ACCEPTED)], [PLATE_IS]),
    (
        "two labels at once: both say so",
        THEATRE,
        [(0, PLATE, MORE), (1, SCREW, WARNING), (2, PLATE_LOT, WARNING), (3, SCREW_LOT, WARNING)],
        ["consume 09520001000409 lot=K7 interleaved", "consume 09520001000508 lot=S1 interleaved"],
    ),
    (
        "one label closed by another: the signal is the worse one, and the rest still comes",
        THEATRE,
        [(0, PLATE, MORE), (1, STEM, WARNING), (2, PLATE_LOT, ACCEPTED)],
        [STEM_IS, PLATE_IS],
    ),
    *(
        (f"{name} and a linear secondary", profile, [(0.0, first, Signal.WARNING), (2.0, PAIR[1], None)],
         ["consume 04042809112382 lot=10A2082028" + ("" if profile == THEATRE else " refused")])
        for profile in (THEATRE, STORE, CLINIC)
        for name, first in (
            ("EAN-13", PAIR[0]),
            ("ITF-14", "]I1" + "04042809112382"),
            ("Data Matrix with the GTIN", "]d2" + "0104042809112382"),
            ("Digital Link with the GTIN", "https://id.gs1.org/01/04042809112382"),
        )
    ),
    ("three linear symbols", THEATRE,
     [(0, f"]C101{UNKNOWN}", MORE), (1, "]C11745123110K7", WARNING), (2, "]C121SN1", WARNING)],
     [f"consume {UNKNOWN} lot=K7 sn=SN1"]),
    ("three HIBC symbols", THEATRE, [(0, J123[0], MORE), (1, J123[1], WARNING), (2, J123[2], WARNING)],
     ["consume J123AQ3451 lot=BC34567 sn=4012"]),
    ("a national number beside the lot", THEATRE,
     [(0, PLATE, MORE), (2, f"{PLATE_LOT}\x1d715123", ACCEPTED)], [PLATE_IS]),
    ("an unknown field beside the lot", THEATRE,
     [(0, PLATE, MORE), (2, f"{PLATE_LOT}\x1d05123", WARNING)], [PLATE_IS]),
    ("an unknown HIBC field beside the lot", THEATRE,
     [(0, checked("+B123X51"), MORE), (1, checked("+$$1245D023/L13" + checked("+B123X51")[-1]), WARNING)],
     ["consume B123X51 lot=D023"]),
    ("a price code while a label waits", THEATRE,
     [(0, PLATE, MORE), (1, PRICE, MORE), (2, PLATE_LOT, ACCEPTED)], [PLATE_IS]),
    ("an information page while a label waits", THEATRE,
     [(0, PLATE, MORE), (1, "]Q1https://example.com/eifu", REFUSED), (2, PLATE_LOT, ACCEPTED)], [PLATE_IS]),
    ("an electronics label", THEATRE, [(0, "]d1[)>\x1e06\x1dPAZ1117\x1d1TH510592.U1\x1dQ1\x1e\x04", REFUSED)], []),
    (
        "returned a moment later, from the EAN-13: it is another act",
        STORE,
        [(0, TAPE_MATRIX, ACCEPTED), (1, RETURN, ACCEPTED), (2, TAPE, None)],
        ["consume 09520007000304 lot=X1", "return 09520007000304"],
    ),
    ("a first symbol again, and nothing more: a repeat", THEATRE,
     [(0, PLATE, MORE), (1, PLATE_LOT, ACCEPTED), (3, PLATE, MORE), (9, WAIT, WARNING)],
     [PLATE_IS, "consume 09520001000508 lacks 10 repeats id-1"]),
    ("both symbols again: a repeat of the whole", THEATRE,
     [(0, PLATE, MORE), (1, PLATE_LOT, ACCEPTED), (3, PLATE, MORE), (4, PLATE_LOT, WARNING)],
     [PLATE_IS, f"{PLATE_IS} repeats id-1"]),
    ("the next plate of another lot", THEATRE,
     [(0, PLATE, MORE), (1, PLATE_LOT, ACCEPTED), (3, PLATE, MORE), (4, "]C11745123110K8", ACCEPTED)],
     [PLATE_IS, "consume 09520001000508 lot=K8"]),
    ("a tray and a pump", THEATRE, [(0, TRAY, ACCEPTED), (1, PUMP, ACCEPTED), (9, PUMP, WARNING)],
     ["consume GRAI 0952000000000412345", "consume GIAI 0614141ABC123", "consume GIAI 0614141ABC123 repeats id-2"]),
    ("a tray while a label waits", THEATRE, [(0, PLATE, MORE), (1, PUMP, ACCEPTED), (2, PLATE_LOT, ACCEPTED)],
     ["consume GIAI 0614141ABC123", PLATE_IS]),
    ("a delivery, and what is in it", STORE, [(0, DELIVERY, ACCEPTED), (5, TAPE_MATRIX, ACCEPTED)],
     ["receive SSCC 106141412345678908", "receive 09520007000304 lot=X1"]),
    ("a delivery in a theatre", THEATRE, [(0, DELIVERY, WARNING)], ["consume SSCC 106141412345678908"]),
]  # fmt: skip
