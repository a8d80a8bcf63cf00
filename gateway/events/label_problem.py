"""The label-problem event: what of a label could not be read, and why. CloudEvents 1.0, structured JSON mode. Pure.

Where a label was typed, or an item has none, it follows the scan event in the same sequence and names it. Where
keyed entry ended without anything that could be recorded, it stands alone: an article was there and is not booked.
It is for whoever looks after labels, printers and suppliers; it says nothing about pieces.
"""

from typing import Final, Literal

import msgspec
from msgspec import Struct

from gateway.events.cloudevent import SEQUENCE_DIGITS, ClockStamp, Context, EntryReason, Position, Station
from gateway.system.clock import local_rfc3339

LABEL_PROBLEM_TYPE: Final = "scangate.labelproblem.v1"
LABEL_PROBLEM_SCHEMA: Final = "urn:scangate:schema:labelproblem:v1"

Part = Literal["device-identifier", "lot", "serial", "donation", "expiry", "label"]
"""`label`: all of it."""


class UnreadPart(Struct, frozen=True, kw_only=True):
    """One thing that no scanner read."""

    what: Part
    typed: Literal["proved", "once", "no"]
    """`proved`: it was typed, and a check digit or a second typing proves it. `once`: lot, serial or donation number,
    typed once only. `no`: it is not known."""


class LabelProblemData(Struct, frozen=True, kw_only=True, rename="camel"):
    """`data` of a label-problem event."""

    event: str | None
    """Id of the scan event of this label; null where nothing was booked."""
    why: EntryReason
    """What the operator said; `not-read` where nothing was said."""
    unread: tuple[UnreadPart, ...]
    refused: tuple[str, ...] = ()
    """Why something typed was not taken, the newest last: codes of findings (GS1_CHECK_DIGIT), `person-number`,
    `not-understood`, `other-label`. Where nothing was booked."""
    station: Station
    clock: ClockStamp
    context: Context
    issuer: str | None = None
    device_identifier: str | None = None
    article_number: str | None = None
    trade_name: str | None = None
    manufacturer_name: str | None = None


class LabelProblemEvent(Struct, frozen=True, kw_only=True):
    """A label-problem event, complete; it stands in the same sequence as the scans."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: str
    recordedtime: str
    sequence: str
    epoch: str
    datacontenttype: Literal["application/json"]
    dataschema: str
    data: LabelProblemData


_encoder = msgspec.json.Encoder()


def label_problem_event(identity: str, source: str, time_ns: int, data: LabelProblemData, at: Position) -> bytes:
    """Encode a label-problem event."""
    return _encoder.encode(
        LabelProblemEvent(
            specversion="1.0",
            id=identity,
            source=source,
            type=LABEL_PROBLEM_TYPE,
            time=local_rfc3339(time_ns),
            recordedtime=local_rfc3339(at.recorded_ns),
            sequence=str(at.sequence).zfill(SEQUENCE_DIGITS),
            epoch=at.epoch,
            datacontenttype="application/json",
            dataschema=LABEL_PROBLEM_SCHEMA,
            data=data,
        )
    )
