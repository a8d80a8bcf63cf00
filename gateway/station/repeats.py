"""Which scan repeats an earlier one: the labels of the last minutes. Pure; a value.

A repeat is an event like any other and names the first event of its label. Nothing is dropped, nothing is changed.
"""

from typing import Final

from msgspec import Struct

from gateway.model import Decoded
from gateway.station.profiles import StationProfile

MAX_LABELS: Final = 512
"""Labels remembered, some 100 KB: two minutes of the fastest operators. Beyond, the oldest go."""

Key = tuple[str | None, ...]
"""What makes two scans scans of the same label for the same purpose. Its last part: for whom, or None."""


class Seen(Struct, frozen=True, kw_only=True):
    """A label of the last minutes."""

    first: str
    """Id of its first event."""
    at_ns: int
    """When it was scanned last, CLOCK_MONOTONIC."""


class Repeats(Struct, frozen=True, kw_only=True):
    """The labels of the last minutes, the one scanned last at the end."""

    labels: dict[Key, Seen] = {}

    def first_of(self, key: Key | None, at_ns: int, window_ns: int) -> str | None:
        """Return the id of the first event of a label that was scanned within the window, else None.

        What was scanned for nobody and then, once the patient is set, again, is a repeat, too.
        """
        for one in () if key is None else (key, (*key[:-1], None)):
            seen = self.labels.get(one)
            if seen is not None and at_ns - seen.at_ns <= window_ns:
                return seen.first
        return None

    def with_event(self, key: Key | None, first: str, at_ns: int, window_ns: int) -> "Repeats":
        """Remember an event, or the first one that it repeats; what is older than the window goes."""
        if key is None or not window_ns:
            return self
        labels = self.labels.copy()
        labels.pop(key, None)
        labels[key] = Seen(first=first, at_ns=at_ns)
        oldest = next(iter(labels))
        while len(labels) > MAX_LABELS or at_ns - labels[oldest].at_ns > window_ns:
            del labels[oldest]
            oldest = next(iter(labels))
        return Repeats(labels=labels)

    def without(self, identity: str) -> "Repeats":
        """Forget the label whose first event was taken back: scanned again, it is no repeat of it."""
        return Repeats(labels={key: seen for key, seen in self.labels.items() if seen.first != identity})


def key_of(
    action: str, decoded: Decoded | None, texts: tuple[str, ...], profile: StationProfile, whose: str | None
) -> Key | None:
    """Return what a repeat has in common with its first scan, or None for what is never a repeat.

    `whose`: the case and patient it is for, None without. The next patient's dose of the same lot is no repeat; a
    serial number is one piece whoever gets it.

    A label of a lot is one more piece where the profile counts by scanning; so is a shelf label, which stands for
    every piece of its article.
    """
    if decoded is None:
        return (action, *texts, whose) if profile.lot_repeats else None
    serial = decoded.serial_number or decoded.donation_identification_number
    if serial is None and not profile.lot_repeats:
        return None
    if decoded.device_identifier is None:
        return (action, *texts, whose)
    article = (action, decoded.issuer, decoded.device_identifier)
    if serial is not None:  # one piece of the world, whatever lot or dates another symbol of it carries
        return (*article, serial, None)
    return (*article, decoded.lot_number, decoded.expiration_date, whose)
