"""Past uses that a recall touches, over all boxes: one query, then what each label says of lot and dates."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from gateway.model import Decoded, Recall
from intake.database import unusable
from intake.schema import event

GTIN_DIGITS = 14


class Affected(Struct, frozen=True, kw_only=True, rename="camel"):
    """One past scan."""

    certain: bool
    """False: the label does not say what would tell (its lot, serial number or date): look at the device."""
    taken_back: bool
    """An undo has taken it back: the device was most likely not used then."""
    action: str
    time: datetime
    source: str
    """The box."""
    station: str | None
    id: str
    sequence: int
    device_identifier: str | None
    article_number: str | None
    lot_number: str | None
    serial_number: str | None
    expiration_date: str | None
    case: str | None
    location: str | None


def affected(
    engine: sa.Engine, recall: Recall, *, device_identifier: str | None = None, article_number: str | None = None
) -> Iterator[Affected]:
    """Yield the accepted scans of the devices that a recall means, oldest first. Raises DatabaseError.

    Packages of an article have identifiers of their own: scans count that a box's master found under the same
    article number as the identifier asked for.
    """
    undo = event.alias("undo")
    taken_back = sa.exists().where(
        undo.c.undoes == event.c.id,
        undo.c.source == event.c.source,
        undo.c.action == "undo",
        undo.c.disposition == "accepted",
    )
    query = (
        sa.select(event, taken_back.label("taken_back"))
        .where(event.c.type == "scangate.scan.v1", event.c.action != "undo", event.c.disposition == "accepted")
        .where(_of_article(device_identifier, article_number))
        .order_by(event.c.time)
    )
    try:
        with engine.connect() as connection:
            for row in connection.execute(query):
                meant = recall.means(_label(row))
                if meant is not False:
                    yield _affected(row, certain=meant is True)
    except sa.exc.DBAPIError as error:
        raise unusable("read", str(engine.url), error) from error


def _of_article(device_identifier: str | None, article_number: str | None) -> sa.ColumnElement[bool]:
    if device_identifier is None:
        return event.c.article_number == article_number
    wanted = spelled(device_identifier)
    same = event.alias("same")
    numbers = sa.select(same.c.article_number).where(
        same.c.device_identifier == wanted, same.c.article_number.is_not(None)
    )
    return sa.or_(event.c.device_identifier == wanted, event.c.article_number.in_(numbers))


def spelled(identifier: str) -> str:
    """Return a device identifier as events have it: a GTIN of 8, 12 or 13 digits gets 14.

    GS1 General Specifications, 3.3.

    >>> spelled("9520001000102"), spelled("A99912345")
    ('09520001000102', 'A99912345')
    """
    text = identifier.strip()
    return text.zfill(GTIN_DIGITS) if text.isdigit() and len(text) in {8, 12, 13} else text


def _label(row: Any) -> Decoded:  # noqa: ANN401 - a row of the table `event`
    return Decoded(
        ok=True,
        lot_number=row.lot_number,
        serial_number=row.serial_number,
        expiration_date=row.expiration_date,
        manufacture_date=row.manufacture_date,
    )


def _affected(row: Any, *, certain: bool) -> Affected:  # noqa: ANN401 - a row of the table `event`
    return Affected(
        certain=certain,
        taken_back=bool(row.taken_back),
        action=row.action,
        time=row.time,
        source=row.source,
        station=row.station,
        id=str(row.id),
        sequence=row.sequence,
        device_identifier=row.device_identifier,
        article_number=row.article_number,
        lot_number=row.lot_number,
        serial_number=row.serial_number,
        expiration_date=row.expiration_date,
        case=row.case_id,
        location=row.location,
    )
