"""Messages of the daemon as its control socket tells them."""

from typing import Any

from drivers.model import Signal

PATIENT = {"scheme": "personnummer", "kid": "key-7f3a", "value": "c2VhbGVkLXBhdGllbnQ"}
PERFORMER = {"scheme": "gsrn", "kid": "key-7f3a", "value": "c2VhbGVkLXBlcmZvcm1lcg"}
CASE = "orbit:OP-20261121-0317"


def view(**other: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """What `gateway.station.view` shows of a station."""
    return {
        "station": "op3",
        "profile": "operating-room",
        "language": "sv",
        "scanners": [],
        "action": "consume",
        "defaultAction": "consume",
        "reason": None,
        "actionExpiresAt": None,
        "quantity": 1,
        "contextKinds": [],
        "contextExpiresAt": None,
        "waiting": [],
        "lastEvent": None,
        "undoUntil": None,
        **other,
    }


def scan(signal: Signal = Signal.ACCEPTED, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """An event, as `gateway.scanning.outcome` tells it."""
    return {
        "scanner": "front",
        "station": view(),
        "signal": str(signal),
        "id": "0d7c0b5e-6f7e-4d3b-9a55-0f3c6b1d2e4f",
        "withheld": None,
        "data": {
            "action": "consume",
            "reason": None,
            "quantity": 1,
            "undoes": None,
            "repeats": None,
            "station": {"id": "op3", "scanner": "front", "profile": "operating-room"},
            "symbols": [{"symbology": "]d2", "raw": "", "text": "0109520001000102", "quality": []}],
            "udi": {
                "deviceIdentifier": "09520001000102",
                "lotNumber": "L2A0417",
                "serialNumber": "NS700312",
                "expirationDate": "2045-12-31",
                "expirationPrecision": "day",
            },
            "article": {"match": "di", "tradeName": "Nordan Stam 12", "articleNumber": "VGR-104233"},
            "verdict": {"disposition": "accepted", "findings": []},
            "context": {"case": CASE, "location": None, "patient": PATIENT, "performer": PERFORMER},
            **data,
        },
    }


def chosen(scanner: str = "front", **other: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """What holds on one scanner, as the view of its station has it."""
    return {
        "scanner": scanner,
        "action": "consume",
        "reason": None,
        "quantity": None,
        "oneItem": False,
        "locked": False,
        "destination": None,
        "count": None,
        "expiresAt": None,
        "fellBack": None,
        **other,
    }


def code(signal: Signal, **news: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """What is told of a scan that is no event."""
    return {
        "scanner": "front",
        "station": view(),
        "signal": str(signal),
        "id": None,
        "data": None,
        "withheld": None,
        **news,
    }


def findings(*named: tuple[str, str]) -> dict[str, Any]:
    """A verdict with these (code, severity)."""
    return {
        "disposition": "accepted",
        "findings": [{"code": one, "severity": how, "element": None, "message": "..."} for one, how in named],
    }


def behind(waiting: int, unsent: int | None = None) -> dict[str, int]:
    """So many scans are not delivered, and so many of them not sent."""
    unsent = waiting if unsent is None else unsent
    return {"stored": 500, "published": 500 - unsent, "delivered": 500 - waiting, "waiting": waiting}


def status(**other: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """What the request `status` answers."""
    return {
        "ok": True,
        "alarms": [],
        "sequence": {"stored": 12, "published": 12, "delivered": 12, "waiting": 0},
        "broker": {"url": "mqtts://central:8883", "acksAwaited": False},
        "scanners": [{"name": "front", "link": "connected", "failure": None}],
        **other,
    }


def case(*unresolved: tuple[str, str], used: tuple[tuple[str, int], ...] = ()) -> dict[str, Any]:
    """What `gateway.scanning.case_summary` says of a case: (name, why) to sort out, (name, pieces) used."""
    return {
        "used": sum(pieces for _, pieces in used),
        "wasted": 1,
        "returned": 0,
        "explanted": 2,
        "unresolved": len(unresolved),
        "opened": "2026-11-21T08:00:00+01:00",
        "unresolvedScans": [
            {"event": "x", "name": name, "lotNumber": "L1", "serialNumber": None, "why": [why]}
            for name, why in unresolved
        ],
        "usedArticles": [{"name": name, "quantity": pieces} for name, pieces in used],
    }
