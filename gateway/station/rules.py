"""Every rule on what is accepted: its code, what it means, how much it matters in each kind of place, and why.

In an operating room the article may be in the patient by the time it is scanned: there the record counts most, and
what a store would send back is taken up with a warning. A clinic weighs as a supply room does.

Whether an article may be *used* matters to its use alone (OF_USE): what has expired is thrown away and returned (an
info), and counted, received and moved (a warning at most), because it is there. In an operating room the moment
decides beside (`[station] moment`): before use, what must not be used stops the hand; afterwards it is in the
patient and must be recorded.
"""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from msgspec import Struct

from gateway.model import Severity
from gateway.station.settings import Action, StationSettings

ProfileName = Literal["operating-room", "supply-room", "clinic"]
PROFILES: Final[tuple[ProfileName, ...]] = get_args(ProfileName)


class Rule(Struct, frozen=True, kw_only=True):
    """One rule. `None` for a profile: the rule does not hold there."""

    meaning: str
    """One sentence."""
    operating_room: Severity | None
    supply_room: Severity | None
    clinic: Severity | None
    source: str
    """Where the rule comes from."""

    def severity(self, profile: ProfileName) -> Severity | None:
        """Return how much it matters in a place of this kind, or None where it does not hold."""
        match profile:
            case "operating-room":
                return self.operating_room
            case "supply-room":
                return self.supply_room
            case "clinic":
                return self.clinic


_INFO, _WARNING, _ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR
_MDR_27_9: Final = "MDR (EU) 2017/745 Art. 27(9); HSLF-FS 2021:52"
_MDR_I_23: Final = "MDR (EU) 2017/745 Annex I, 23.2"
_OPERATION: Final = "how the box works"
_WHOSE: Final = "HSLF-FS 2021:52: an implant is traced to its patient"


def _everywhere(meaning: str, severity: Severity, source: str) -> Rule:
    return Rule(meaning=meaning, operating_room=severity, supply_room=severity, clinic=severity, source=source)


def _with_patients(meaning: str, severity: Severity, source: str) -> Rule:
    return Rule(meaning=meaning, operating_room=severity, supply_room=None, clinic=severity, source=source)


def _milder_in_operating_room(meaning: str, theatre: Severity | None, elsewhere: Severity, source: str) -> Rule:
    return Rule(meaning=meaning, operating_room=theatre, supply_room=elsewhere, clinic=elsewhere, source=source)


RULES: Final[Mapping[str, Rule]] = {
    "ARTICLE_UNKNOWN": _everywhere(
        "The article is not in the article master of this box.", _WARNING, "the article master"
    ),
    "ARTICLE_BLOCKED": _everywhere(
        "The article master says that the article must not be used.", _ERROR, "the article master"
    ),
    "ARTICLE_DISCONTINUED": _everywhere(
        "The article is no longer sold; what is on the shelf may be used.", _INFO, "the article master"
    ),
    "ARTICLE_RECALLED": _everywhere(
        "The article, or this lot or serial number of it, has been recalled.",
        _ERROR,
        "the article master; MDR (EU) 2017/745 Art. 89(8)",
    ),
    "RECALL_POSSIBLE": _milder_in_operating_room(
        "Some of this article are recalled, and the label does not say whether this is one of them.",
        _WARNING,
        _ERROR,
        "the article master; MDR (EU) 2017/745 Art. 89(8)",
    ),
    "EXPIRED": _milder_in_operating_room(
        "The expiry date has passed.", _WARNING, _ERROR, f"{_MDR_I_23}(i); ISO 15223-1, 5.1.4"
    ),
    "EXPIRES_SOON": _milder_in_operating_room(
        "The expiry date is near (`near_expiry_days`).", _INFO, _WARNING, "stock rotation"
    ),
    "CLOCK_UNTRUSTED": _everywhere(
        "Whether the expiry date has passed is not certain: the clock is not set.", _INFO, _OPERATION
    ),
    "LOT_MISSING": _everywhere(
        "The article's label must carry a lot number, and this one does not.", _WARNING, "the article master"
    ),
    "SERIAL_MISSING": _everywhere(
        "The article's label must carry a serial number, and this one does not.", _WARNING, "the article master"
    ),
    "EXPIRY_MISSING": _everywhere(
        "The article's label must carry an expiry date, and this one does not.", _WARNING, "the article master"
    ),
    "IMPLANT_NOT_TRACEABLE": _milder_in_operating_room(
        "The label of an implant, or of a device of class III, has neither lot nor serial number.",
        _WARNING,
        _ERROR,
        _MDR_27_9,
    ),
    "WRONG_PACKAGE_LEVEL": Rule(
        meaning="The label is that of a package of several; single articles are scanned here.",
        operating_room=_WARNING,
        supply_room=None,
        clinic=_WARNING,
        source="the article master; GTIN indicator digit, HIBC unit of measure",
    ),
    "UNIT_OF_USE": _everywhere(
        "The identifier is that of one piece inside a package (unit of use).", _INFO, "GUDID unit of use DI"
    ),
    "CONSIGNMENT": _everywhere(
        "The article belongs to its supplier until it is used: the owner is named.", _INFO, "the article master"
    ),
    "INCOMPLETE_LABEL": _everywhere(
        "A further symbol of the label was not scanned in time.", _WARNING, "[station] pairing_seconds"
    ),
    "LOGISTIC_UNIT": Rule(
        meaning="The label is that of a delivery (SSCC), not of an article: the articles in it are scanned.",
        operating_room=_WARNING,
        supply_room=_INFO,
        clinic=_WARNING,
        source="GenSpecs 3.2: AI 00 identifies a logistic unit",
    ),
    "LABELS_INTERLEAVED": _everywhere(
        "Two labels were begun one after the other, and nothing says which of them a symbol belongs to: read the "
        "lot and serial number on the label.",
        _WARNING,
        "GenSpecs 4.14: a linear symbol with production identifiers does not name its GTIN",
    ),
    "LABEL_KEYED": _everywhere(
        "The label, or a part of it, could not be read and was typed; what check digits and a second typing prove "
        "was proved.",
        _INFO,
        "GenSpecs 4.14: the human readable interpretation stands in for a symbol that cannot be read",
    ),
    "KEYED_ONCE": _everywhere(
        "Lot, serial or donation number was typed once and not again: no check digit proves it.",
        _WARNING,
        "[station] keyed_seconds; GenSpecs 3.4.1 and 3.5.2: AI 10 and 21 have no check digit",
    ),
    "UNLABELLED": _everywhere(
        "The item has no label: one piece is recorded, and what it is is not known.",
        _WARNING,
        "how the box works: what is used is recorded, also where nothing identifies it",
    ),
    "LOWER_TRUST": _everywhere(
        "Characters may be missing or be others, because of how the scanner sent the code: read the label.",
        _WARNING,
        "the symbols' `quality`",
    ),
    "MASTER_OLD": _everywhere(
        "The article master is older than `[articles] max_age_days`: recalls may be missing.", _WARNING, _OPERATION
    ),
    "NO_PATIENT": _with_patients(
        "An implant, and the patient set before has ended; no other one was scanned.", _WARNING, _WHOSE
    ),
    "NO_CASE": _with_patients(
        "An implant, and the case set before has ended; no other one was scanned.", _WARNING, _WHOSE
    ),
    "CONTEXT_RESTORED": _with_patients(
        "Case, patient or place are those from before a restart, and nobody has confirmed them.",
        _WARNING,
        _OPERATION,
    ),
    "ACTION_ENDED": _everywhere(
        "The action chosen before had ended by time: this is recorded under the default action.",
        _WARNING,
        "[station] action_seconds, lasting_seconds",
    ),
    "QUANTITY_ENDED": _everywhere(
        "The quantity given before had ended by time: this counts as one piece.",
        _WARNING,
        "[station] action_seconds",
    ),
    "IMPLANT_NOT_USED": _everywhere(
        "An implant is recorded as thrown away or returned, not as used.", _WARNING, _MDR_27_9
    ),
    "QUANTITY_OF_SERIAL": _everywhere(
        "A quantity above one was given for a label with a serial number, which is one piece.",
        _ERROR,
        "GS1 General Specifications, 3.5.2: AI 21 identifies one individual item",
    ),
    "QUANTITY_ZERO": _everywhere(
        "The quantity none was given for something else than a count.", _ERROR, _OPERATION
    ),
    "SERIAL_USED": _everywhere(
        "A piece with this serial number was used before; `repeats` names the event.",
        _WARNING,
        "GS1 General Specifications, 3.5.2: AI 21 identifies one individual item",
    ),
    "NO_DESTINATION": _everywhere("A transfer, and no place it goes to was scanned.", _WARNING, "stock keeping"),
    "CARTON_AGAIN": _everywhere(
        "The label of a package was read twice within seconds; it is booked twice.", _WARNING, "stock keeping"
    ),
    "COUNTED_BEFORE": _everywhere(
        "Another count of the same day has this article at this place.", _WARNING, "stock keeping"
    ),
    "PERSON_DATA_REMOVED": _everywhere(
        "The label held identifiers of a person, or parts of a web address that may hold them; they were removed.",
        _WARNING,
        "the privacy guard",
    ),
}
"""Every finding of the verdict. Those of the label's own faults come from decoding (`gateway.udi.findings`)."""

STOPS: Final = frozenset({"EXPIRED", "ARTICLE_BLOCKED", "ARTICLE_RECALLED", "RECALL_POSSIBLE"})
"""What must not be used."""
OF_USE: Final = STOPS | {"EXPIRES_SOON", "IMPLANT_NOT_TRACEABLE"}
"""What matters to the use of an article alone."""
AWAY: Final[frozenset[Action]] = frozenset({"discard", "return", "explant"})
"""Actions that take an article out of use."""
_ORDER: Final = tuple(Severity)


def weight(code: str, settings: StationSettings, action: Action) -> Severity | None:
    """Return how much a rule matters here to an item under an action; None where the rule does not hold.

    A site's own severity (`[station] severity`) goes before the profile's, and the action before both.
    """
    severity = RULES[code].severity(settings.profile)
    if severity is None:
        return None
    if code in STOPS and action == "consume" and settings.profile == "operating-room" and settings.moment:
        severity = Severity.ERROR if settings.moment == "before" else Severity.WARNING
    severity = settings.severity.get(code, severity)
    if code not in OF_USE or action == "consume":
        return severity
    most = Severity.INFO if action in AWAY else Severity.WARNING
    return min(severity, most, key=_ORDER.index)
