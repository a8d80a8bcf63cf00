"""What is to be remarked of an item because of what it is scanned for, how many, and what went before. Pure."""

from collections.abc import Iterator

from msgspec import Struct

from gateway.model import Decoded, LookUp
from gateway.station.values import Meaning

Made = tuple[str, str, str | None]
"""Code of a rule, message, element."""


class Story(Struct, frozen=True, kw_only=True):
    """What went before with the same piece, as far as this box knows."""

    repeats: str | None = None
    """Id of the first event of the same label, where this is one more reading of it."""
    used_before: str | None = None
    """Id of the event that consumed a piece with this serial number; it is in force."""
    corrects: str | None = None
    """Id of the event that consumed this piece, of one that is thrown away, returned or taken out."""
    carton_again: bool = False
    """The label of a package that the same scanner read seconds ago under the same action."""
    counted_by_another: bool = False
    """Another count has counted this label at this place today."""


NO_STORY = Story()
PLAIN = Meaning(action="consume")


def remarks(meaning: Meaning, story: Story, decoded: Decoded, look_up: LookUp) -> Iterator[Made]:
    """Yield what the occasion makes of an item."""
    implant = look_up.article is not None and look_up.article.implant
    if meaning.action == "consume" and implant:
        yield from _whose(meaning)
    if meaning.restored and meaning.context:
        yield "CONTEXT_RESTORED", "case and patient are those from before the restart: scan one again", None
    if meaning.fell_back is not None and meaning.fell_back != meaning.action:
        yield "ACTION_ENDED", f"'{meaning.fell_back}' had ended: this was recorded as '{meaning.action}'", None
    if meaning.quantity_ended and not meaning.quantity_given:
        yield "QUANTITY_ENDED", "the quantity given had ended: this counts as one", None
    if meaning.action in {"discard", "return"} and implant:
        yield "IMPLANT_NOT_USED", f"an implant is recorded as '{meaning.action}', not as used", None
    yield from _quantity(meaning, decoded)
    if meaning.action == "transfer" and meaning.destination is None:
        yield "NO_DESTINATION", "the transfer has no destination: scan the place's code behind 'transfer'", None
    if story.used_before is not None:
        yield "SERIAL_USED", f"this serial number was used before: event {story.used_before}", None
    if story.carton_again:
        yield "CARTON_AGAIN", "the label of this package was read just now: is it another package?", None
    if story.counted_by_another:
        yield "COUNTED_BEFORE", "another count has this article at this place today", None


def _whose(meaning: Meaning) -> Iterator[Made]:
    if "patient" in meaning.lacks:
        yield "NO_PATIENT", "the patient set before has ended, and no other one was scanned", None
    if "case" in meaning.lacks:
        yield "NO_CASE", "the case set before has ended, and no other one was scanned", None


def _quantity(meaning: Meaning, decoded: Decoded) -> Iterator[Made]:
    serial = decoded.serial_number or decoded.donation_identification_number
    if meaning.quantity > 1 and serial is not None:
        yield "QUANTITY_OF_SERIAL", f"a serial number is one piece, not {meaning.quantity}: scan it again", None
    if meaning.quantity == 0 and meaning.action != "inventory":
        yield "QUANTITY_ZERO", "none can only be counted: 'count stock' is not chosen", None
