r"""Events as HL7 v2 messages: DFT^P03 (post detail financial transaction), version 2.8.2, one message an event.

Consumed for a patient or a case: a charge (FT1-6 `CG`) of the article, with the device in a PRT segment behind its
FT1, where 2.8.2 has fields for the parts of a UDI. An undo, a discard or a return of a used piece is a credit (`CR`)
that names the charge. What was consumed for nobody has no account to be posted to, and is left out.

A message (shortened; a carriage return ends each segment):

    MSH|^~\&|scangate|vgr.su.gw01|||20261121224107+0100||DFT^P03^DFT_P03|0d7c0b5e-...|P|2.8.2|||AL|NE||UNICODE UTF-8
    EVN||20261121224107+0100
    PID|||OP-20261121-0317^^^orbit^AN||^^^^^^S|||||||||||||OP-20261121-0317^^^orbit^AN
    FT1|1|0d7c0b5e-...||20261121224107+0100||CG|VGR-104233^Nordan Stam 12^L|||1|||op3...|09520001000102^(01)...^GS1
    PRT|1|AD||EQUIP^^HL70912||||||(01)0952...^GS1||||||09520001000102^GS1||20451231|L2A0417|NS700312
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from gateway.events import cloudevent
from gateway.events.exports.acts import Act, Acts
from gateway.model import Decoded

VERSION: Final = "2.8.2"
"""The first version whose PRT segment has fields for each part of a UDI (PRT-16 to PRT-21)."""
CHARGE: Final = "CG"
CREDIT: Final = "CR"
"""HL7 table 0017, transaction type."""
ESCAPES: Final = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
"""HL7 v2.8.2, 2.7: escape sequences for the delimiters."""
MAX_NAMESPACE: Final = 20
"""Characters of a namespace id (HL7 v2.8.2, data type HD, component 1)."""
FIRST_PRINTABLE: Final = " "


def lines(acts: Acts) -> Iterator[bytes]:
    """Yield each message, its segments ended by carriage returns, and count what is left out."""
    for act in acts:
        made = message(act)
        if made is None:
            acts.left_out[reason_left_out(act) or ""] += 1
        else:
            yield made.encode()


def message(act: Act) -> str | None:
    """Return the message of one act; None for one that has no place in a DFT (see `reason_left_out`)."""
    if reason_left_out(act) is not None:
        return None
    used = act.corrected or act.undone or act.event
    segments = (_msh(act.event), _evn(act.event), _pid(used, _account(used) or ""), _ft1(act, used), _prt(used))
    return "".join(f"{segment}\r" for segment in segments)


def reason_left_out(act: Act) -> str | None:
    """Return why an act has no message; None for one that has."""
    used = act.corrected or act.undone or act.event
    if used.data.action != "consume":
        return f"action {used.data.action}"
    if _account(used) is None:
        return "consumed without a patient or a case"
    return (
        None if pieces(act) else f"action {(act.undone or act.event).data.action} without a change of what was used"
    )


def pieces(act: Act) -> int:
    """Return how many pieces an act charges; less than 0: how many it credits.

    A discard or return credits the pieces of the use that it corrects, and its undo charges them again.
    """
    if act.corrected is not None:
        return act.left - act.before
    return act.event.data.quantity if act.undone is None else -act.before


def _msh(event: cloudevent.ScanEvent) -> str:
    box = event.source.removeprefix("urn:scangate:").replace(":", ".")
    return _segment(
        "MSH",
        {
            2: "^~\\&",
            3: "scangate",
            4: escaped(box),
            7: moment(event.recordedtime),
            9: "DFT^P03^DFT_P03",
            10: event.id,
            11: "P",
            12: VERSION,
            15: "AL",  # HL7 table 0155: an accept acknowledgement always
            16: "NE",
            18: "UNICODE UTF-8",
        },
    )


def _evn(event: cloudevent.ScanEvent) -> str:
    return _segment("EVN", {2: moment(event.recordedtime)})


def _pid(scan: cloudevent.ScanEvent, account: str) -> str:
    patient = scan.data.context.patient
    identifier = account if patient is None else _cx(patient, "PI")
    # PID-5 is required: a pseudonym has no parts of a name (HL7 table 0200: S)
    return _segment("PID", {3: identifier, 5: "^^^^^^S", 18: account if _case(scan) else ""})


def _ft1(act: Act, scan: cloudevent.ScanEvent) -> str:
    data, article, udi = scan.data, scan.data.article, scan.data.udi or Decoded(ok=False)
    number = article.article_number if article else None
    name = (article.trade_name if article else None) or udi.hri
    code, system = (number, "L") if number else (udi.device_identifier or "", udi.issuer or "")
    performer = data.context.performer
    return _segment(
        "FT1",
        {
            1: "1",
            2: act.event.id,
            4: moment(scan.time),
            5: moment(act.event.recordedtime),
            6: CHARGE if pieces(act) > 0 else CREDIT,
            7: _components(code, name, system),
            10: str(abs(pieces(act))),
            13: _components(data.station.id),
            16: f"&{escaped(data.context.location)}&URI" if data.context.location else "",  # PL-1 is an HD
            20: f"{escaped(performer['value'])}^^^^^^^^{_authority(performer)}" if performer else "",
            23: "" if scan is act.event else _components(scan.id, "", scan.source, "URI"),
            34: _components(udi.device_identifier, udi.hri, udi.issuer),
        },
    )


def _prt(scan: cloudevent.ScanEvent) -> str:
    udi = scan.data.udi or Decoded(ok=False)
    return _segment(
        "PRT",
        {
            1: "1",
            2: "AD",
            4: "EQUIP^^HL70912",
            10: _components(udi.hri or scan.data.symbols[0].text, udi.issuer) if scan.data.symbols else "",
            16: _components(udi.device_identifier, udi.issuer),
            17: day(udi.manufacture_date),
            18: day(udi.expiration_date),
            19: escaped(udi.lot_number),
            20: escaped(udi.serial_number),
            21: _components(
                udi.donation_identification_number, udi.issuer if udi.donation_identification_number else ""
            ),
        },
    )


def _account(scan: cloudevent.ScanEvent) -> str | None:
    """Whom it is posted to (CX): the case, or the patient where there is none; None when it was for nobody."""
    case, patient = _case(scan), scan.data.context.patient
    if case is not None:
        return case
    return None if patient is None else _cx(patient, "PI")


def _case(scan: cloudevent.ScanEvent) -> str | None:
    case = scan.data.context.case
    if isinstance(case, Mapping):
        return _cx(case, "AN")
    if case is None:
        return None
    scheme, _, value = case.rpartition(":")
    return f"{escaped(value)}^^^{escaped(scheme[:MAX_NAMESPACE])}^AN"


def _cx(protected: Mapping[str, str], kind: str) -> str:
    """An identifier as it came (HL7 data type CX); its authority says which key made it."""
    return f"{escaped(protected['value'])}^^^{_authority(protected)}^{kind}"


def _authority(protected: Mapping[str, str]) -> str:
    """Who gave the identifier (HD): the scheme, and which key has made it unreadable (HL7 table 0301: L, local)."""
    return f"{escaped(protected['scheme'][:MAX_NAMESPACE])}&{escaped(protected['kid'])}&L"


def _components(*texts: str | None) -> str:
    return "^".join(escaped(text) for text in texts).rstrip("^")


def _segment(name: str, fields: Mapping[int, str]) -> str:
    """Write a segment; MSH-1 is the separator itself."""
    last = max(number for number, text in fields.items() if text)
    first = 2 if name == "MSH" else 1
    return "|".join([name, *(fields.get(number, "") for number in range(first, last + 1))])


def escaped(text: str | None) -> str:
    r"""Return a text with the delimiters of HL7 escaped, control characters as hexadecimal.

    >>> escaped("A|B^C\x1dD"), escaped(None)
    ('A\\F\\B\\S\\C\\X1D\\D', '')
    """
    return "".join(_character(one) for one in text or "")


def _character(one: str) -> str:
    if one in ESCAPES:
        return ESCAPES[one]
    return one if one >= FIRST_PRINTABLE and one != "\x7f" else f"\\X{ord(one):02X}\\"


def moment(text: str) -> str:
    """Return an RFC 3339 time as HL7's DTM, to the second, with its zone.

    >>> moment("2026-11-21T22:41:07.312+01:00")
    '20261121224107+0100'
    """
    return datetime.fromisoformat(text).strftime("%Y%m%d%H%M%S%z")


def day(text: str | None) -> str:
    """Return a label's date as DTM, as exact as the label is.

    >>> day("2045-12-31"), day("2045-12-31T14:30"), day(None)
    ('20451231', '204512311430', '')
    """
    return (text or "").replace("-", "").replace("T", "").replace(":", "")
