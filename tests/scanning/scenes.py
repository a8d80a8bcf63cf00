"""Scenes at a station, as a nurse in a theatre and a keeper of a store room live them: one table.

Sources of the rules: gateway/station/pairing.py and profiles.py name them, row by row.
"""

from drivers.model import Signal
from tests.scanning.stage import (
    CASE,
    GAUZE,
    GLOVE,
    GRAFT,
    GRAFT_EXPIRY,
    GRAFT_SERIAL,
    NAIL,
    NAIL_LOT,
    NEXT_CASE,
    NEXT_PATIENT,
    PATIENT,
    PLATE,
    PLATE_LOT,
    SCREW,
    SHELF,
    STEM,
    TAPE,
    TYPED,
    WIRE,
    WIRE_LOT,
    WRISTBAND,
    control,
)

MORE, ACCEPTED, WARNING, REFUSED = Signal.MORE, Signal.ACCEPTED, Signal.WARNING, Signal.REFUSED
DEVIATING, QUESTION = Signal.DEVIATING, Signal.QUESTION
THEATRE, STORE, CLINIC = "operating-room", "supply-room", "clinic"
WAIT = ""
"""Nothing is scanned; time passes until then."""
Scene = list[tuple[float, str, Signal | None]]
"""Second, code (or WAIT), what the scanner signals (None: nothing)."""

RECEIVE = control("RECEIVE")
RETURN, UNDO, CANCEL, FIVE = control("RETURN"), control("UNDO"), control("CANCEL"), control("QTY5")
EXPIRED, CLEAR, WHO = control("DISCARDEXPIRED"), control("CLEARCONTEXT"), control("WHOAMI")
SAME = control("SAMEPATIENT")
FOREIGN = "]d2QZSG1AAAAAUNDOAAAAAAAAAAAAAAAA"
STEM_IS = "09520001000102 lot=L2A0417 sn=NS700312"

SCENES: list[tuple[str, str, Scene, list[str]]] = [
    ("a stem with everything in one symbol", THEATRE, [(0, STEM, ACCEPTED)], [f"consume {STEM_IS}"]),
    (
        "a plate with its label in two symbols",
        THEATRE,
        [(0, PLATE, MORE), (2, PLATE_LOT, ACCEPTED)],
        ["consume 09520001000508 lot=K7"],
    ),
    (
        "the same, lot first",
        THEATRE,
        [(0, PLATE_LOT, MORE), (2, PLATE, ACCEPTED)],
        ["consume 09520001000508 lot=K7"],
    ),
    (
        "three symbols, the GTIN last",
        THEATRE,
        [(0, "]C110K7", MORE), (4, "]C117451231", MORE), (8, PLATE, ACCEPTED)],
        ["consume 09520001000508 lot=K7"],
    ),
    (
        "the nurse scans the first symbol again: it is not its own partner, and is waited for anew",
        THEATRE,
        [(0, PLATE, MORE), (4, PLATE, MORE), (8, PLATE_LOT, ACCEPTED)],
        ["consume 09520001000508 lot=K7"],
    ),
    (
        "the second symbol does not come: the plate goes out as incomplete, and the scanner says so",
        THEATRE,
        [(0, PLATE, MORE), (5.2, WAIT, None), (5.4, WAIT, WARNING)],
        ["consume 09520001000508 lacks 10"],
    ),
    (
        "it comes too late: half a label each",
        THEATRE,
        [(0, PLATE, MORE), (6, PLATE_LOT, WARNING), (12, WAIT, WARNING)],
        ["consume 09520001000508 lacks 10", "consume no-DI lot=K7 lacks 01"],
    ),
    (
        "half a label of one article, and then the whole label of another: its lot stays where it belongs",
        THEATRE,
        [(0, "]C110A-LOT", MORE), (1, "]d2010952000100040917451231", WARNING), (7, WAIT, WARNING)],
        ["consume no-DI lot=A-LOT lacks 01", "consume 09520001000409 lacks 10"],
    ),
    (
        "another implant instead of the second symbol: the plate has no lot, and the scanner says so",
        THEATRE,
        [(0, PLATE, MORE), (1, STEM, WARNING)],
        ["consume 09520001000508 lacks 10", f"consume {STEM_IS}"],
    ),
    (
        "a damaged second symbol is refused at once, and a sound one still comes",
        THEATRE,
        [(0, PLATE, MORE), (1, "]C117459999", REFUSED), (2, PLATE_LOT, ACCEPTED)],
        ["consume no-DI lacks 01 refused", "consume 09520001000508 lot=K7"],
    ),
    (
        "HIBC: primary and secondary",
        STORE,
        [(0, NAIL, MORE), (1, NAIL_LOT, WARNING)],
        ["consume A123BJC5D6E71 lot=7K3"],
    ),
    (
        "HIBC: another label's secondary is refused, and the right one still comes",
        THEATRE,
        [(0, NAIL, MORE), (1, WIRE_LOT, REFUSED), (2, NAIL_LOT, WARNING)],
        ["consume no-DI lot=8L9 lacks DI refused", "consume A123BJC5D6E71 lot=7K3"],
    ),
    (
        "HIBC: two primaries, then the second one's lot",
        STORE,
        [(0, NAIL, MORE), (1, WIRE, WARNING), (2, WIRE_LOT, WARNING)],
        ["consume A123BJC5D6E71 lacks None", "consume A99SKRUV200 lot=8L9"],
    ),
    (
        "HIBC: two secondaries, then the second one's primary",
        STORE,
        [(0, NAIL_LOT, MORE), (1, WIRE_LOT, WARNING), (2, WIRE, WARNING)],
        ["consume no-DI lot=7K3 lacks DI", "consume A99SKRUV200 lot=8L9"],
    ),
    (
        "ISBT 128: a graft with three symbols, in any order",
        CLINIC,
        [(0, GRAFT_EXPIRY, MORE), (4, GRAFT, MORE), (8, GRAFT_SERIAL, WARNING)],
        ["consume A9999XYZ100T0944 sn=000025"],
    ),
    (
        "ISBT 128: its expiry is missing",
        CLINIC,
        [(0, GRAFT, MORE), (1, GRAFT_SERIAL, MORE), (9, WAIT, WARNING)],
        ["consume A9999XYZ100T0944 sn=000025 lacks =>"],
    ),
    (
        "in a store room a GTIN alone does not wait, unless the master demands more",
        STORE,
        [(0, TAPE, ACCEPTED), (1, GLOVE, MORE), (2, "]C11745123110H1", ACCEPTED)],
        ["consume 09520007000304", "consume 09520005000207 lot=H1"],
    ),
    (
        "EAN-13 and then the Data Matrix of the same gloves are one label",
        STORE,
        [(0, "]E09520005000207", MORE), (1, "]d201095200050002071745123110H1", ACCEPTED)],
        ["consume 09520005000207 lot=H1"],
    ),
    (
        "the same stem again is a repeat; a serial number is one piece, however long ago it was used",
        THEATRE,
        [(0, STEM, ACCEPTED), (30, STEM, WARNING), (140, STEM, WARNING), (300, STEM, WARNING)],
        [f"consume {STEM_IS}", *[f"consume {STEM_IS} repeats id-1"] * 3],
    ),
    (
        "two screws of a lot: a repeat in theatre",
        THEATRE,
        [(0, SCREW, ACCEPTED), (3, SCREW, WARNING)],
        ["consume 09520001000409 lot=S1", "consume 09520001000409 lot=S1 repeats id-1"],
    ),
    (
        "two screws of a lot: one more piece in a store room, where shelf labels are scanned like that, too",
        STORE,
        [(0, SCREW, ACCEPTED), (3, SCREW, ACCEPTED), (4, SHELF, ACCEPTED), (5, SHELF, ACCEPTED)],
        [*["consume 09520001000409 lot=S1"] * 2, *[f"consume {SHELF}"] * 2],
    ),
    (
        "the same serial number is a repeat in a store room, too",
        STORE,
        [(0, STEM, ACCEPTED), (3, STEM, WARNING)],
        [f"consume {STEM_IS}", f"consume {STEM_IS} repeats id-1"],
    ),
    (
        "consumed, and then returned: that is no repeat, and the return names the use",
        THEATRE,
        [(0, STEM, ACCEPTED), (3, RETURN, ACCEPTED), (4, STEM, WARNING)],
        [f"consume {STEM_IS}", f"return {STEM_IS} corrects id-1"],
    ),
    (
        "a return is for one item, and says so; one that was not used in time says that it has ended",
        STORE,
        [(0, RETURN, ACCEPTED), (50, GAUZE, DEVIATING), (60, GAUZE, ACCEPTED), (70, RETURN, ACCEPTED),
         (131, GAUZE, WARNING), (132, GAUZE, ACCEPTED)],
        ["return 09520007000106 lot=K1", *["consume 09520007000106 lot=K1"] * 3],
    ),
    (
        "thrown away because it is expired: an implant that is not used deserves a look",
        STORE,
        [(0, EXPIRED, ACCEPTED), (1, SCREW, WARNING), (2, CANCEL, ACCEPTED), (3, SCREW, ACCEPTED)],
        ["discard expired 09520001000409 lot=S1", "consume 09520001000409 lot=S1"],
    ),
    (
        "five of it: for the next item only, and for the whole of its label",
        STORE,
        [(0, FIVE, ACCEPTED), (1, GLOVE, MORE), (2, "]C11745123110H1", ACCEPTED), (3, SCREW, ACCEPTED)],
        ["consume x5 09520005000207 lot=H1", "consume 09520001000409 lot=S1"],
    ),
    (
        "five, and then nothing for a minute",
        STORE,
        [(0, FIVE, ACCEPTED), (61, SCREW, WARNING)],
        ["consume 09520001000409 lot=S1"],
    ),
    (
        "an action code between two symbols is about the next label",
        THEATRE,
        [(0, PLATE, MORE), (1, RETURN, ACCEPTED), (2, PLATE_LOT, ACCEPTED), (3, STEM, WARNING)],
        ["consume 09520001000508 lot=K7", f"return {STEM_IS}"],
    ),
    (
        "undo, and undo again",
        STORE,
        [(0, STEM, ACCEPTED), (1, SCREW, ACCEPTED), (2, UNDO, ACCEPTED), (6, UNDO, ACCEPTED), (10, UNDO, REFUSED)],
        [f"consume {STEM_IS}", "consume 09520001000409 lot=S1", "undo id-2", "undo id-1"],
    ),
    (
        "undo read twice takes one thing back",
        STORE,
        [(0, STEM, ACCEPTED), (1, SCREW, ACCEPTED), (2, UNDO, ACCEPTED), (4, UNDO, ACCEPTED), (5, UNDO, ACCEPTED)],
        [f"consume {STEM_IS}", "consume 09520001000409 lot=S1", "undo id-2"],
    ),
    (
        "what was taken back and is scanned again is no repeat",
        THEATRE,
        [(0, STEM, ACCEPTED), (1, UNDO, ACCEPTED), (2, STEM, ACCEPTED)],
        [f"consume {STEM_IS}", "undo id-1", f"consume {STEM_IS}"],
    ),
    ("undo comes too late", STORE, [(0, STEM, ACCEPTED), (121, UNDO, REFUSED)], [f"consume {STEM_IS}"]),
    ("undo of five takes five back", STORE, [(0, FIVE, ACCEPTED), (1, SCREW, ACCEPTED), (2, UNDO, ACCEPTED)],
     ["consume x5 09520001000409 lot=S1", "undo x5 id-2"]),
    (
        "undo of half a label: nothing is lost, and it is taken back",
        THEATRE,
        [(0, PLATE, MORE), (1, UNDO, ACCEPTED)],
        ["consume 09520001000508 lacks 10", "undo id-1"],
    ),
    (
        "cancel of half a label and of an action books nothing",
        THEATRE,
        [(0, RETURN, ACCEPTED), (1, PLATE, MORE), (2, CANCEL, ACCEPTED), (3, STEM, ACCEPTED)],
        ["return 09520001000508 lacks 10", "undo cancelled id-2", f"consume {STEM_IS}"],
    ),
    (
        "case and patient, until the code clears them",
        THEATRE,
        [
            (0, CASE, ACCEPTED), (5, PATIENT, ACCEPTED), (9, STEM, ACCEPTED), (10, CLEAR, ACCEPTED),
            (11, SCREW, WARNING),
        ],
        [f"consume {STEM_IS} case=orbit:OP-1 patient=personnummer", "consume 09520001000409 lot=S1"],
    ),
    (
        "a new case ends the patient, who is asked about; the answer keeps her",
        THEATRE,
        [
            (0, CASE, ACCEPTED), (1, PATIENT, ACCEPTED), (500, NEXT_CASE, QUESTION), (501, STEM, WARNING),
            (510, SAME, ACCEPTED), (511, SCREW, ACCEPTED), (520, SAME, REFUSED),
        ],
        [f"consume {STEM_IS} case=orbit:OP-2",
         "consume 09520001000409 lot=S1 case=orbit:OP-2 patient=personnummer"],
    ),
    (
        "a new patient ends the case, and a case scanned at once is hers",
        THEATRE,
        [
            (0, CASE, ACCEPTED), (1, PATIENT, ACCEPTED), (900, NEXT_PATIENT, QUESTION), (905, NEXT_CASE, ACCEPTED),
            (906, STEM, ACCEPTED), (907, SAME, REFUSED),
        ],
        [f"consume {STEM_IS} case=orbit:OP-2 patient=personnummer"],
    ),
    (
        "the first scan counts: the case scanned again does not make the next patient its own",
        THEATRE,
        [(0, CASE, ACCEPTED), (1, SCREW, ACCEPTED), (3600, CASE, ACCEPTED), (3636, PATIENT, QUESTION),
         (3640, STEM, WARNING)],
        ["consume 09520001000409 lot=S1 case=orbit:OP-1", f"consume {STEM_IS} patient=personnummer"],
    ),
    (
        "reserve number and person number of the same patient: asked, and answered",
        THEATRE,
        [(0, CASE, ACCEPTED), (5, "19810829M071", ACCEPTED), (1800, NEXT_PATIENT, QUESTION), (1810, SAME, ACCEPTED),
         (1811, STEM, ACCEPTED)],
        [f"consume {STEM_IS} case=orbit:OP-1 patient=personnummer"],
    ),
    (
        "the next patient, scanned just behind the case, has it",
        THEATRE,
        [(0, CASE, ACCEPTED), (1, PATIENT, ACCEPTED), (900, NEXT_CASE, QUESTION), (930, NEXT_PATIENT, ACCEPTED),
         (931, STEM, ACCEPTED)],
        [f"consume {STEM_IS} case=orbit:OP-2 patient=personnummer"],
    ),
    (
        "two vaccinations with one lot: each patient's dose is its own, twice the same patient's is a repeat",
        CLINIC,
        [
            (0, PATIENT, ACCEPTED), (1, SCREW, ACCEPTED), (20, NEXT_PATIENT, ACCEPTED), (21, SCREW, ACCEPTED),
            (30, NEXT_PATIENT, ACCEPTED), (31, SCREW, WARNING),
        ],
        [
            *["consume 09520001000409 lot=S1 patient=personnummer"] * 2,
            "consume 09520001000409 lot=S1 repeats id-4 patient=personnummer",
        ],
    ),
    (
        "the next plate at once behind one that is thrown away: by its lot it is another one",
        THEATRE,
        [(0, EXPIRED, ACCEPTED), (1, PLATE, MORE), (2, PLATE_LOT, WARNING), (3, PLATE, MORE),
         (4, "]C11745123110K8", ACCEPTED)],
        ["discard expired 09520001000508 lot=K7", "consume 09520001000508 lot=K8"],
    ),
    (
        "an item that was scanned twice is taken back altogether",
        THEATRE,
        [(0, STEM, ACCEPTED), (20, STEM, WARNING), (30, control("UNDOITEM"), ACCEPTED), (31, STEM, ACCEPTED),
         (40, control("UNDOITEM"), ACCEPTED), (41, STEM, REFUSED)],
        [f"consume {STEM_IS}", f"consume {STEM_IS} repeats id-1", "undo id-2", "undo id-1"],
    ),
    (
        "a screw that was thrown away by mistake is the one that was used, and another one is not",
        THEATRE,
        [(0, SCREW, ACCEPTED), (5, EXPIRED, ACCEPTED), (6, SCREW, WARNING), (10, UNDO, ACCEPTED),
         (20, SCREW, WARNING), (25, EXPIRED, ACCEPTED), (26, SCREW, WARNING), (40, SCREW, ACCEPTED)],
        [
            "consume 09520001000409 lot=S1",
            "discard expired 09520001000409 lot=S1 corrects id-1",
            "undo id-3",
            "consume 09520001000409 lot=S1 repeats id-1",
            "discard expired 09520001000409 lot=S1 corrects id-1",
            "consume 09520001000409 lot=S1",
        ],
    ),
    (
        "the patient was forgotten, and the screw is scanned again: it is one screw",
        CLINIC,
        [(0, SCREW, ACCEPTED), (5, PATIENT, ACCEPTED), (9, SCREW, WARNING)],
        ["consume 09520001000409 lot=S1", "consume 09520001000409 lot=S1 repeats id-1 patient=personnummer"],
    ),
    (
        "one stem is one stem, whoever gets it",
        THEATRE,
        [(0, PATIENT, ACCEPTED), (1, STEM, ACCEPTED), (20, NEXT_PATIENT, ACCEPTED), (21, STEM, WARNING)],
        [f"consume {STEM_IS} patient=personnummer", f"consume {STEM_IS} repeats id-2 patient=personnummer"],
    ),
    (
        "a context ends by itself when it is not used, and the next implant says so",
        THEATRE,
        [(0, CASE, ACCEPTED), (5, PATIENT, ACCEPTED), (5000, SCREW, ACCEPTED), (10_000, GAUZE, ACCEPTED),
         (15_500, STEM, WARNING), (15_501, GAUZE, ACCEPTED)],
        [
            "consume 09520001000409 lot=S1 case=orbit:OP-1 patient=personnummer",
            "consume 09520007000106 lot=K1 case=orbit:OP-1 patient=personnummer",
            f"consume {STEM_IS}",
            "consume 09520007000106 lot=K1",
        ],
    ),
    (
        "in a clinic the next patient comes sooner",
        CLINIC,
        [(0, PATIENT, ACCEPTED), (601, SCREW, WARNING)],
        ["consume 09520001000409 lot=S1"],
    ),
    (
        "a context code between two symbols is about the next label",
        THEATRE,
        [(0, PLATE, MORE), (1, CASE, ACCEPTED), (2, PLATE_LOT, ACCEPTED), (3, STEM, ACCEPTED)],
        ["consume 09520001000508 lot=K7", f"consume {STEM_IS} case=orbit:OP-1"],
    ),
    ("who am I", THEATRE, [(0, WHO, MORE), (1, PLATE, MORE), (2, WHO, MORE), (3, PLATE_LOT, ACCEPTED)],
     ["consume 09520001000508 lot=K7"]),
    (
        "what is no label leaves no trace and disturbs nothing",
        THEATRE,
        [(0, PLATE, MORE), (1, TYPED, REFUSED), (2, FOREIGN, REFUSED), (3, PLATE_LOT, ACCEPTED)],
        ["consume 09520001000508 lot=K7"],
    ),
    ("a wristband sets the patient", THEATRE, [(0, WRISTBAND, ACCEPTED), (1, STEM, ACCEPTED)],
     [f"consume {STEM_IS} patient=gsrn"]),
]  # fmt: skip
