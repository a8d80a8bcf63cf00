"""Working days: a hip replacement, a pacemaker, a store, a clinic's weeks. What the events say is what happened."""

import hashlib
import hmac
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Container, Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.events import cloudevent
from gateway.events.exports import reports
from gateway.events.exports.netting import in_force
from gateway.events.stored_event import StoredEvent
from tests.days.day import ACCEPTED, DEVIATING, MORE, POWER_CUT, QUESTION, REFUSED, WARNING, Line, Used
from tests.days.running import KILLED, RunningDay, Stock, stock, used
from tests.scanning.stage import PLATE, PLATE_LOT

pytestmark = pytest.mark.timeout(300)
Make = Callable[[str], RunningDay]
Report = Callable[..., Iterator[list[reports.Cell]]]
MOST_AMBER = 0.05
"""Of right scans: whoever sees amber on every label looks away when it matters."""


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Make]:
    made: list[RunningDay] = []

    def make(profile: str) -> RunningDay:
        made.append(RunningDay(tmp_path, profile))
        return made[-1]

    yield make
    for one in made:
        one.close()


def label(gtin: str, lot: str | None = None, serial: str | None = None, expires: str = "451231") -> str:
    """A Data Matrix."""
    variable = [text for text in (lot and f"10{lot}", serial and f"21{serial}") if text]
    return f"]d201{gtin}17{expires}" + "\x1d".join(variable)


def patient(number: str) -> str:
    """The beginning of the pseudonym that events carry, by the key of the tests' stage."""
    digits = number.replace("-", "")
    mac = hmac.new(b"0123456789abcdef", f"personnummer\0{digits}".encode(), hashlib.sha256)
    return b64encode(mac.digest()).decode()[:6]


STEM_12, STEM_13 = "09520001000102", "09520001000119"
CUP, HEAD, SCREW, RECALLED = "09520001000201", "09520001000300", "09520001000409", "09520001000416"
CEMENT, SUTURE, GAUZE, MESH = "09520001000607", "09520004000109", "09520007000106", "09520009000104"
PACEMAKER, LEAD = "09520002000101", "09520002000200"
GLOVES, CARTON, SYRINGE, STOPCOCK = "09520005000207", "39520007000107", "09520008000204", "09520008000303"
ANNA, BERT, CILLA = "19121212-1212", "19701063-2391", "19890201-3286"

HIP: list[Line] = [
    Line("07:30:00", "front", "]d2orbit:OP-A", ACCEPTED),
    Line("07:30:20", "front", ANNA, ACCEPTED),
    Line("07:31:00", "front", label(GAUZE, "G1"), ACCEPTED),
    Line("07:31:10", "front", label(SUTURE, "U1"), ACCEPTED),
    Line("08:10:00", "front", label(CUP, "C1", "SC1"), ACCEPTED),
    Line("08:12:00", "front", "DIGIT3", ACCEPTED),
    Line("08:12:03", "back", label(HEAD, "H1", "SH1"), ACCEPTED),  # the quantity is the other scanner's
    Line("08:12:08", "front", label(SCREW, "S1"), ACCEPTED),
    Line("08:20:00", "front", "DISCARDOPENEDUNUSED", ACCEPTED),
    Line("08:20:05", "front", label(STEM_13, "L13", "NS13"), WARNING, odd=True),
    Line("08:20:47", "front", label(STEM_12, "L12", "NS12"), ACCEPTED),  # one item only
    Line("08:21:29", "front", label(CEMENT, "B1"), ACCEPTED),
    Line("08:30:00", "front", PLATE, MORE),
    Line("08:30:02", "front", "CANCEL", ACCEPTED),  # nothing is booked
    Line("08:30:20", "front", PLATE, MORE),
    Line("08:30:23", "front", PLATE_LOT, ACCEPTED),
    Line("08:30:40", "back", "QTY2", ACCEPTED),
    Line("08:30:42", "back", label(HEAD, "H9", "SH9"), REFUSED, odd=True),  # a serial number is one piece
    Line("08:30:46", "back", label(HEAD, "H9", "SH9"), ACCEPTED),
    Line("08:30:50", "back", "UNDO", ACCEPTED),  # it stays in its box
    Line("08:31:00", "front", label(RECALLED, "R1"), REFUSED, odd=True),
    Line("08:31:05", "front", label(RECALLED, "R1"), REFUSED, odd=True),
    Line("08:31:10", "front", "USEDDESPITE", WARNING, odd=True),  # it is in the bone
    Line("08:32:00", "front", label(CUP, "C1", "SC1"), WARNING, odd=True),  # from the sticker, 22 minutes later
    Line("08:40:00", "front", label(SUTURE, "U2"), ACCEPTED),
    Line("08:40:05", "front", "UNDO", ACCEPTED),
    Line("08:40:07", "front", "UNDO", ACCEPTED),  # read twice
    Line("08:40:20", "front", label(MESH, "M1"), ACCEPTED),
    Line("08:44:00", "front", "UNDOITEM", ACCEPTED),
    Line("08:44:05", "front", label(GAUZE, "G1"), ACCEPTED),  # it went back into the cupboard
    Line("08:45:00", "front", "RETURN", ACCEPTED),
    Line("08:45:05", "front", label(MESH, "M1"), WARNING, odd=True),
    Line("08:46:00", "front", "CLOSECASE", ACCEPTED),
    # The next patient, and a power cut in the middle of her operation.
    Line("10:30:00", "front", "]d2orbit:OP-B", ACCEPTED),
    Line("10:30:10", "front", BERT, ACCEPTED),
    Line("10:31:00", "front", label(GAUZE, "G1"), ACCEPTED),
    Line("10:38:00", "", POWER_CUT, None),
    Line("10:39:00", "front", label(CUP, "C2", "SC2"), WARNING, odd=True),  # restored, not confirmed
    Line("10:52:10", "front", "]d2orbit:OP-B", ACCEPTED),
    Line("10:53:00", "front", label(HEAD, "H2", "SH2"), ACCEPTED),
    Line("10:54:00", "front", label(STEM_12, "L12", "NS99"), ACCEPTED),
    Line("10:54:05", "front", "UNDO", ACCEPTED),
    Line("10:54:30", "front", label(STEM_13, "L13", "NS98"), ACCEPTED),
    # The case is scanned again at the final count, and the next wristband 36 s later.
    Line("11:40:00", "front", "]d2orbit:OP-B", ACCEPTED),
    Line("11:40:36", "front", CILLA, QUESTION),
    Line("11:41:00", "front", label(STEM_12, "L12", "NS77"), WARNING, odd=True),  # no case: the screen has asked
    Line("11:41:10", "front", "]d2orbit:OP-C", ACCEPTED),
    Line("11:42:00", "front", label(HEAD, "H3", "SH3"), ACCEPTED),
    Line("11:42:30", "front", "QTY2", ACCEPTED),
    Line("11:42:35", "front", label(SCREW, "S3"), ACCEPTED),
    Line("11:43:00", "front", "DISCARDDAMAGED", ACCEPTED),
    Line("11:43:05", "front", label(SCREW, "S3"), WARNING, odd=True),  # one fell on the floor
    Line("11:43:40", "front", "DISCARDDAMAGED", ACCEPTED),
    Line("11:43:45", "front", label(SCREW, "S3"), WARNING, odd=True),  # and the other one
    Line("11:44:10", "front", "QTY2", ACCEPTED),
    Line("11:44:15", "front", label(SCREW, "S3"), ACCEPTED),
    Line("11:45:00", "", KILLED, None),
    Line("11:45:20", "front", "]d2orbit:OP-C", ACCEPTED),  # known again
    Line("11:45:30", "front", label(CEMENT, "B2"), ACCEPTED),
    Line("11:46:00", "front", label(GAUZE, "G2"), ACCEPTED),
    Line("11:46:10", "back", label(SUTURE, "U3"), ACCEPTED),
    Line("11:46:20", "back", label(SUTURE, "U4"), ACCEPTED),
    Line("11:47:00", "front", label(CUP, "C4", "SC4"), ACCEPTED),
    Line("13:40:00", "front", label(CUP, "C3", "SC3"), WARNING, odd=True),  # two hours later, nobody was set
]
A, B, C = "orbit:OP-A", "orbit:OP-B", "orbit:OP-C"
HIP_TRUTH: Used = Counter(
    {
        (A, patient(ANNA), SUTURE, "U1"): 1,
        (A, patient(ANNA), CUP, "SC1"): 1,
        (A, patient(ANNA), HEAD, "SH1"): 1,
        (A, patient(ANNA), SCREW, "S1"): 3,
        (A, patient(ANNA), STEM_12, "NS12"): 1,
        (A, patient(ANNA), CEMENT, "B1"): 1,
        (A, patient(ANNA), "09520001000508", "K7"): 1,
        (A, patient(ANNA), RECALLED, "R1"): 1,
        (B, patient(BERT), GAUZE, "G1"): 1,
        (B, patient(BERT), CUP, "SC2"): 1,
        (B, patient(BERT), HEAD, "SH2"): 1,
        (B, patient(BERT), STEM_13, "NS98"): 1,
        (None, patient(CILLA), STEM_12, "NS77"): 1,
        (C, patient(CILLA), HEAD, "SH3"): 1,
        (C, patient(CILLA), SCREW, "S3"): 2,
        (C, patient(CILLA), CEMENT, "B2"): 1,
        (C, patient(CILLA), GAUZE, "G2"): 1,
        (C, patient(CILLA), SUTURE, "U3"): 1,
        (C, patient(CILLA), SUTURE, "U4"): 1,
        (C, patient(CILLA), CUP, "SC4"): 1,
        (None, None, CUP, "SC3"): 1,
    }
)
HIP_AWAY = {(STEM_13, "NS13"): 1, (SCREW, "S3"): 2}
"""What was thrown away."""


def reported(events: list[StoredEvent], report: Report) -> Counter[tuple[str | None, str | None, str | None]]:
    """A report's pieces by case, article and serial or lot number."""
    heading, *rows = report(in_force(events), lambda _: None, "en")
    case, article, serial, lot, pieces = (
        heading.index(name) for name in ("Case", "UDI-DI", "Serial number", "Lot", "Quantity")
    )
    found: Counter[tuple[str | None, str | None, str | None]] = Counter()
    for row in rows:
        found[row[case], row[article], row[serial] or row[lot]] += row[pieces]  # type: ignore[index,operator]
    return found


def in_lists(truth: Used, but: Container[str] = ()) -> Counter[tuple[str | None, str | None, str | None]]:
    """The truth as a report has it."""
    found: Counter[tuple[str | None, str | None, str | None]] = Counter()
    for (case, _, article, number), count in truth.items():
        if article not in but:
            found[case, article, number] += count
    return found


def the_truth(station: RunningDay, truth: Used, no_implants: Container[str]) -> list[StoredEvent]:
    """End the day; consumption and implants must be what happened, of the events that have arrived alone."""
    events = station.end()
    assert used(events) == truth
    assert reported(events, reports.consumption) == in_lists(truth)
    assert reported(events, reports.implants) == in_lists(truth, no_implants)
    assert station.amber <= MOST_AMBER * station.right
    return events


def _taken(truth: Used) -> Stock:
    """What the shelves of a place lack that receives nothing."""
    shelf: Stock = Counter()
    for (_, _, article, number), count in truth.items():
        shelf[None, article, number] -= count
    return shelf


def test_hip_replacements(day: Make) -> None:
    theatre = day("operating-room")
    theatre.live(HIP)
    events = the_truth(theatre, HIP_TRUTH, {GAUZE})
    closings = [one.body for one in events if b'"scangate.case.v1"' in one.body]
    (closing,) = (msgspec.json.decode(body, type=cloudevent.CaseEvent).data for body in closings)
    assert closing.case == A
    assert (closing.used, closing.wasted, closing.returned, closing.unresolved) == (10, 1, 1, 0)
    assert {one.serial_number for one in closing.items if one.serial_number} == {"SC1", "SH1", "NS12"}
    taken: Stock = Counter(
        {(None, article, number): -count for (_, _, article, number), count in HIP_TRUTH.items()}
    )
    for (article, number), count in HIP_AWAY.items():
        taken[None, article, number] -= count
    taken[None, GAUZE, "G1"] = -1
    assert stock(events) == taken


def test_a_pacemaker(day: Make) -> None:
    theatre = day("operating-room")
    lines = [
        Line("08:00:00", "front", ANNA, ACCEPTED),
        Line("08:20:00", "front", label(LEAD, serial="E1"), ACCEPTED),
        Line("08:21:00", "front", label(LEAD, serial="E2"), ACCEPTED),
        Line("08:30:00", "front", label(PACEMAKER, serial="P1"), ACCEPTED),
        Line("08:31:00", "front", "EXPLANT", ACCEPTED),
        Line("08:31:10", "front", label(PACEMAKER, serial="OLD7", expires="160131"), DEVIATING),
        Line("08:32:00", "front", label(PACEMAKER, serial="P1"), WARNING, odd=True),  # the sticker in the journal
        Line("10:12:00", "front", label(PACEMAKER, serial="P2"), WARNING, odd=True),  # nobody was set for it
        Line("10:12:30", "front", BERT, ACCEPTED),
        Line("10:13:00", "front", label(LEAD, serial="E3"), ACCEPTED),
        Line("1+08:00:00", "", POWER_CUT, None),
        Line("1+08:00:10", "front", label(LEAD, serial="E4"), WARNING, odd=True),
        Line("2+09:00:00", "front", CILLA, ACCEPTED),
        Line("2+09:00:10", "front", label(PACEMAKER, serial="P1"), WARNING, odd=True),  # two days ago, a patient's
    ]
    anna, bert = patient(ANNA), patient(BERT)
    truth: Used = Counter({(None, anna, di, sn): 1 for di, sn in ((LEAD, "E1"), (LEAD, "E2"), (PACEMAKER, "P1"))})
    truth.update({(None, None, PACEMAKER, "P2"): 1, (None, bert, LEAD, "E3"): 1, (None, None, LEAD, "E4"): 1})
    for number, who in enumerate((ANNA, BERT, CILLA)):  # three changes of a generator in a row, each closed
        hour, case = f"3+{8 + 2 * number:02}", f"orbit:PM-{number}"
        new, old = f"N{number}", f"O{number}"
        lines += [
            Line(f"{hour}:00:00", "front", f"]d2{case}", ACCEPTED),
            Line(f"{hour}:00:30", "front", who, ACCEPTED),
            Line(f"{hour}:05:00", "back", label(SUTURE, "U1"), ACCEPTED),
            Line(f"{hour}:10:00", "front", "EXPLANT", ACCEPTED),
            Line(f"{hour}:10:20", "front", label(PACEMAKER, serial=old, expires="180131"), DEVIATING),
            Line(f"{hour}:20:00", "front", label(PACEMAKER, serial=new), ACCEPTED),
            Line(f"{hour}:21:00", "back", label(GAUZE, "G1"), ACCEPTED),
            Line(f"{hour}:30:00", "front", "CLOSECASE", ACCEPTED),
        ]
        truth.update({(case, patient(who), PACEMAKER, new): 1, (case, patient(who), SUTURE, "U1"): 1})
        truth[case, patient(who), GAUZE, "G1"] += 1
    lines += [
        Line("3+15:00:00", "front", "]d2orbit:PM-9", ACCEPTED),
        Line("3+15:00:20", "front", ANNA, ACCEPTED),
        Line("3+15:10:00", "front", label(LEAD, serial="E9"), ACCEPTED),
        Line("3+15:10:30", "", KILLED, None),
        Line("3+15:11:00", "front", ANNA, ACCEPTED),  # known again: what follows is hers without a doubt
        Line("3+15:12:00", "front", label(PACEMAKER, serial="N9"), ACCEPTED),
        Line("3+15:20:00", "front", "CLOSECASE", ACCEPTED),
    ]
    truth.update({("orbit:PM-9", anna, LEAD, "E9"): 1, ("orbit:PM-9", anna, PACEMAKER, "N9"): 1})
    theatre.live(lines)
    events = the_truth(theatre, truth, {GAUZE})
    assert theatre.amber == 0
    explanted = [one for one in in_force(events) if one.event.data.action == "explant"]
    assert [one.event.data.udi.serial_number for one in explanted if one.event.data.udi] == [
        "OLD7",
        "O0",
        "O1",
        "O2",
    ]
    assert stock(events) == Counter(_taken(truth))


def test_a_store(day: Make) -> None:
    store = day("supply-room")
    shelf, other = "]C14149520001000003", "]C14149520001000010"
    lines = [
        Line("07:00:00", "front", "RECEIVE", ACCEPTED),
        Line("07:01:12", "front", label(CARTON, "K1"), ACCEPTED),  # 72 s of unpacking
        Line("07:01:15", "front", label(CARTON, "K1"), WARNING, odd=True),  # the same carton?
        Line("07:01:20", "front", "UNDO", ACCEPTED),
        Line("07:05:00", "front", label(GLOVES, "H1"), ACCEPTED),
        Line("07:25:00", "front", label(SYRINGE, "Y1"), WARNING, odd=True),  # it had fallen back: said once
        Line("07:25:10", "front", label(SYRINGE, "Y1"), ACCEPTED),
        Line("08:00:00", "front", shelf, ACCEPTED),
        Line("08:00:10", "front", "COUNTNEW", ACCEPTED),
        Line("08:00:20", "front", "DIGIT2", ACCEPTED),
        Line("08:00:21", "front", "DIGIT5", ACCEPTED),
        Line("08:01:26", "front", label(SYRINGE, "Y2"), ACCEPTED),  # 66 s later
        Line("08:02:00", "front", "DIGIT0", ACCEPTED),
        Line("08:02:05", "front", label(STOPCOCK, "T1"), ACCEPTED),  # none
        Line("08:02:20", "front", label(STOPCOCK, "T0", expires="200131"), WARNING, odd=True),  # expired, but there
        Line("08:03:00", "front", "COUNTEND", ACCEPTED),
        Line("08:10:00", "back", "COUNTNEW", ACCEPTED),
        Line("08:10:05", "back", "QTY12", ACCEPTED),
        Line("08:10:10", "back", label(SYRINGE, "Y2"), WARNING, odd=True),  # counted by another
        Line("08:10:20", "back", "COUNTEND", ACCEPTED),
        Line("08:20:00", "front", "DISCARDEXPIRED", ACCEPTED),
        Line("08:20:05", "front", label(STOPCOCK, "T0", expires="200131"), DEVIATING),
        Line("08:20:30", "front", label(SYRINGE, "Y1"), ACCEPTED),  # a colleague picks
        Line("08:30:00", "front", "RETURN", ACCEPTED),
        Line("08:30:05", "front", label(RECALLED, "R1"), WARNING, odd=True),  # an implant goes back
        Line("09:00:00", "front", "ORDER", ACCEPTED),
        Line("09:00:05", "front", "VGR-200010", ACCEPTED),
        Line("09:01:00", "front", "TRANSFER", ACCEPTED),
        Line("09:01:02", "front", other, ACCEPTED),
        Line("09:01:10", "front", label(GLOVES, "H1"), ACCEPTED),
        Line("09:02:00", "front", "CANCEL", ACCEPTED),
        Line("09:02:10", "front", "QTY6", ACCEPTED),
        Line("09:02:12", "back", label(LEAD, serial="E1"), ACCEPTED),
        Line("09:02:20", "front", label(SCREW, "S1"), ACCEPTED),
        Line("09:03:00", "front", "QTY25", ACCEPTED),
        Line("09:03:02", "front", "QTY12", WARNING, odd=True),  # the second holds, and that is said
        Line("09:03:05", "front", label(SCREW, "S2"), ACCEPTED),
        Line("09:10:00", "front", "RECEIVE", ACCEPTED),
        Line("09:10:05", "front", "QTY12", ACCEPTED),
        Line("09:10:10", "front", label(GLOVES, "H2"), ACCEPTED),
        Line("09:11:00", "front", "DIGIT3", ACCEPTED),
        Line("09:11:01", "front", "DIGIT0", ACCEPTED),
        Line("09:11:30", "", KILLED, None),  # the action and the quantity are still chosen
        Line("09:11:45", "front", label(STOPCOCK, "T2"), ACCEPTED),
        Line("09:12:00", "front", "CONSUME", ACCEPTED),
        Line("09:13:00", "front", label(GLOVES, "H2"), ACCEPTED),
        Line("09:13:04", "front", label(GLOVES, "H2"), ACCEPTED),  # one more
        Line("09:13:10", "back", "QTY5", ACCEPTED),
        Line("09:13:12", "front", label(STOPCOCK, "T2"), ACCEPTED),  # the other scanner's quantity is not ours
        Line("09:13:20", "back", label(STOPCOCK, "T2"), ACCEPTED),
        Line("09:14:00", "back", "UNDO", ACCEPTED),
        Line("09:14:01", "back", "UNDO", ACCEPTED),
        Line("09:15:00", "front", "RETURN", ACCEPTED),
        Line("09:15:02", "front", "LOCK", ACCEPTED),
        Line("09:15:10", "front", label(GLOVES, "H1"), DEVIATING),
        Line("09:15:20", "front", label(STOPCOCK, "T9"), DEVIATING),
        Line("09:15:30", "front", "CONSUME", ACCEPTED),
        Line("09:16:00", "front", label(SYRINGE, "Y2"), ACCEPTED),
    ]
    store.live(lines)
    place = (None, None)
    truth: Used = Counter(
        {
            (*place, SYRINGE, "Y1"): 3,
            (*place, SCREW, "S1"): 6,
            (*place, SCREW, "S2"): 12,
            (*place, LEAD, "E1"): 1,
            (*place, GLOVES, "H2"): 2,
            (*place, STOPCOCK, "T2"): 1,
            (*place, SYRINGE, "Y2"): 1,
        }
    )
    events = the_truth(store, truth, {SYRINGE, GLOVES, STOPCOCK})
    here, there = "https://id.gs1.org/414/9520001000003", "https://id.gs1.org/414/9520001000010"
    assert stock(events) == Counter(
        {
            (None, CARTON, "K1"): 1,
            (None, GLOVES, "H1"): 1,
            (None, SYRINGE, "Y1"): -2,
            (here, SYRINGE, "Y1"): -1,
            (here, SYRINGE, "Y2"): 12 - 1,
            (here, RECALLED, "R1"): -1,
            (here, GLOVES, "H1"): -1 - 1,
            (there, GLOVES, "H1"): 1,
            (here, LEAD, "E1"): -1,
            (here, SCREW, "S1"): -6,
            (here, SCREW, "S2"): -12,
            (here, GLOVES, "H2"): 12 - 2,
            (here, STOPCOCK, "T2"): 30 - 1,
            (here, STOPCOCK, "T9"): -1,
        }
    )
    done = [one.event.data for one in in_force(events)]
    assert [(one.action, one.quantity) for one in done if one.action in {"receive", "order", "transfer"}] == [
        ("receive", 1), ("receive", 1), ("order", 1), ("transfer", 1), ("receive", 12), ("receive", 30),
    ]  # fmt: skip
    assert [one.destination for one in done if one.action == "transfer"] == ["https://id.gs1.org/414/9520001000010"]
    counts: Counter[tuple[str, str]] = Counter()
    for one in done:
        if one.count is not None and one.udi is not None:
            counts[one.count.session, one.udi.lot_number or ""] += one.quantity
    first, second = dict.fromkeys(session for session, _ in counts)
    assert counts == Counter({(first, "Y2"): 25, (first, "T1"): 0, (first, "T0"): 1, (second, "Y2"): 12})


def test_a_clinics_month(day: Make) -> None:
    """Each working day three patients, who follow each other without a word; one more at the door on Fridays."""
    clinic = day("clinic")
    lines: list[Line] = []
    truth: Used = Counter()
    shelf: Stock = Counter()

    def use(at: str, who: str, *what: tuple[str, str]) -> None:
        lines.append(Line(f"{at}:00", "front", who, ACCEPTED))
        for place, (article, lot) in enumerate(what):
            lines.append(Line(f"{at}:{20 * place + 10}", "front", label(article, lot), ACCEPTED))
            truth[None, patient(who), article, lot] += 1
            shelf[None, article, lot] -= 1

    for number in range(30):
        if number % 7 in {4, 5}:  # 1 December 2026 is a Tuesday
            continue
        lot = f"G{number // 10}"
        if number % 10 == 0:
            lines += [
                Line(f"{number}+08:00:00", "front", "RECEIVE", ACCEPTED),
                Line(f"{number}+08:00:10", "front", "QTY25", ACCEPTED),
                Line(f"{number}+08:01:00", "front", label(GAUZE, lot), ACCEPTED),
                Line(f"{number}+08:02:00", "front", "CONSUME", ACCEPTED),
            ]
            shelf[None, GAUZE, lot] += 25
        for hour, who in enumerate((ANNA, BERT, CILLA)):
            use(f"{number}+{9 + hour:02}:00", who, (SYRINGE, "Y1"), (GAUZE, lot))
        if number % 7 == 3:  # a syringe opened, and not used
            lines += [
                Line(f"{number}+14:00:00", "front", BERT, ACCEPTED),
                Line(f"{number}+14:00:10", "front", label(SYRINGE, "Y2"), ACCEPTED),
                Line(f"{number}+14:01:00", "front", "DISCARDOPENEDUNUSED", ACCEPTED),
                Line(f"{number}+14:01:05", "front", label(SYRINGE, "Y2"), DEVIATING),
                Line(f"{number}+14:03:00", "front", "UNDO", ACCEPTED),  # it was used after all
            ]
            truth[None, patient(BERT), SYRINGE, "Y2"] += 1
            shelf[None, SYRINGE, "Y2"] -= 1
        if number == 16:
            lines.append(Line(f"{number}+18:00:00", "", POWER_CUT, None))
    clinic.live(lines)
    events = the_truth(clinic, truth, {SYRINGE, GAUZE})
    assert clinic.amber == 0
    assert stock(events) == Counter({at: count for at, count in shelf.items() if count})
