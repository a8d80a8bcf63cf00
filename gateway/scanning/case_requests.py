"""The case at the station, asked for from elsewhere: what it comes to, closing it, and setting one for a time."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from gateway.scanning.case_summary import CaseSummary, summary_of
from gateway.scanning.outcome import Outcome
from gateway.scanning.pipeline import Pipeline
from gateway.scanning.worker import Worker
from gateway.scanning.worker_call import call
from gateway.station.protect import PersonRef
from gateway.station.values import PushedCase
from gateway.system.clock import NS, ClockReading
from gateway.system.control_socket import RequestError

MAX_HOURS: Final = 48
"""Longest time of a case: an operation ends on the day after it began. Longer is a mistake of the sender's clock."""
PUSH_SECONDS: Final = 2.0
"""Wait of the publisher's thread for the worker: a scan takes milliseconds, and keeping the connection 15 s."""
EXPECTED: Final = 'expected args {"case": TEXT, "from": TIME, "until": TIME}, times of RFC 3339 with a zone'


class PushedCaseArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the command `case` takes."""

    case: str
    """The text of the case's code, as it would be scanned: `orbit:OP-2026-1`."""
    from_: datetime = msgspec.field(name="from")
    """When it takes hold, RFC 3339 with a zone."""
    until: datetime
    """When it ends by itself. In the past: the case is withdrawn."""
    patient: PersonRef | None = None
    """Pseudonym of the patient, `scheme`, `kid` and `value` as in events of the mode `hmac`: another wristband than
    hers is then an alarm. Only where the station has that key."""


class Cases:
    """Called by the control socket's threads, and by the publisher's."""

    def __init__(self, worker: Worker, pipeline: Pipeline, now: Callable[[], ClockReading]) -> None:
        """`now`: the box's clock."""
        self._worker = worker
        self._pipeline = pipeline
        self._now = now

    def look(self) -> CaseSummary | None:
        """Return what the case that is set comes to until now; None: none is set."""
        return call(self._worker, lambda: self._pipeline.case(self._now()))

    def close(self) -> CaseSummary:
        """Close the case that is set, as its code does. Raises RequestError where none is set."""
        outcome = call(self._worker, lambda: self._worker.change(self._pipeline.close_case))
        closed = None if outcome is None else outcome.case()
        if closed is None:
            raise RequestError("no case is set at the station, and no patient")
        return summary_of(closed.data)

    def push(self, args: Mapping[str, object]) -> dict[str, str]:
        """Set a case for a time, or withdraw it; return which. Raises RequestError."""
        try:
            wanted = msgspec.convert(args, PushedCaseArgs)
        except msgspec.ValidationError as error:
            raise RequestError(f"{EXPECTED}: {error}") from error
        item = self._pipeline.read_case(wanted.case)
        if item is None:
            raise RequestError("case is no case of [context] case, or this station has no key to protect it with")
        clock = self._now()
        first, last = (_wall_ns(moment) for moment in (wanted.from_, wanted.until))
        if not clock.synchronised:
            raise RequestError("the station's clock is not set: it cannot tell when the case begins")
        if last - first > MAX_HOURS * 3600 * NS or (last <= first and last > clock.wall_ns):
            raise RequestError(f"a case ends behind its beginning, and within {MAX_HOURS} hours")
        if wanted.patient is not None and not self._pipeline.can_compare(wanted.patient):
            raise RequestError("the patient cannot be compared: the station has no key of that id for pseudonyms")
        offset_ns = clock.monotonic_ns - clock.wall_ns
        pushed = PushedCase(item=item, from_ns=first + offset_ns, until_ns=last + offset_ns, patient=wanted.patient)

        def push(present: ClockReading, _identity: str) -> Outcome:
            return self._pipeline.push(pushed, present)

        call(self._worker, lambda: self._worker.change(push), PUSH_SECONDS)
        return {"case": "withdrawn" if last <= clock.wall_ns else "set"}


def _wall_ns(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise RequestError(f"{EXPECTED}: a time has no zone")
    return round(moment.timestamp() * 1000) * 1_000_000
