"""Control codes: printed codes that tell the station what the next scans mean. Pure.

A control code is text in a Data Matrix symbol, of digits and capital letters only, because those keys are the same
in the US and the Swedish keyboard layout:

    QZSG1 7K2MQ DISCARDEXPIRED 4JQ2ZK7XN3WPA6TD
    |     |     |              signature: HMAC-SHA-256 over what stands before it, cut to 80 bits, base32
    |     |     command, one of COMMANDS
    |     tag of the site: the first characters of the base32 of a SHA-256 over its name
    what makes it a control code of this version

No code of an article begins like it: GS1 element strings and article numbers begin with a digit, HIBC with `+`,
ISBT 128 with `=` or `&`, IFA with `[)>` or `9N`, a Digital Link with `http`; and no word of English or Swedish
begins with QZ. The signature keeps a sheet of another site, a home-made code and a typed text from being obeyed.
It cannot keep a sheet of this site from being copied: what a code may do is no more than what its holder may do at
the scanner anyway.
"""

import re
from base64 import b32encode
from collections.abc import Mapping
from enum import StrEnum
from string import ascii_uppercase
from typing import Final, Literal

from msgspec import Struct

from gateway.station.settings import Action, CountMode, EntryReason

PREFIX: Final = "QZSG1"
SITE_TAG_LENGTH: Final = 5
"""25 bits: enough to tell the sheets of the sites of a region apart. The signature covers the whole name."""
SIGNATURE_BYTES: Final = 10
"""80 bits, the fewest that RFC 2104 (section 5) advises. It advises half the hash beside, against who can have
chosen texts signed: here only the key's owner signs, and only COMMANDS. A guess costs a scan."""
SIGNATURE_LENGTH: Final = 16
"""Ten bytes in base32 (RFC 4648), which needs no padding there."""
MAX_CODE: Final = 64
"""Characters; the longest command makes 42."""
LEAST_KEY_BYTES: Final = 16
"""128 bits; `scangate station key` makes 256."""
MAX_QUANTITY: Final = 999
"""Pieces one quantity code can stand for: above any count that is not a misreading."""
_FORM: Final = re.compile(
    rf"{PREFIX}([A-Z2-7]{{{SITE_TAG_LENGTH}}})([A-Z]{{2,20}}[0-9]{{0,3}})([A-Z2-7]{{{SIGNATURE_LENGTH}}})", re.ASCII
)
_QUANTITY: Final = re.compile(r"QTY([1-9][0-9]{0,2})", re.ASCII)

Kind = Literal[
    "action",
    "lock",
    "quantity",
    "undo",
    "undo-item",
    "used-despite",
    "cancel",
    "same-patient",
    "clear-context",
    "close-case",
    "count",
    "end-count",
    "who-am-i",
    "keyed",
    "field",
    "character",
    "small-letter",
    "erase",
    "keyed-end",
    "unlabelled",
]


class ControlCode(Struct, frozen=True, kw_only=True):
    """What a control code asks for."""

    kind: Kind
    action: Action | Literal["undo"] | None = None
    """Of an action code, and of one that begins a count; `undo`: the next label is taken back."""
    reason: str | None = None
    """Of an action `discard`: one of REASONS."""
    quantity: int | None = None
    """Pieces, of a quantity code: 1 to MAX_QUANTITY."""
    digit: int | None = None
    """Of a quantity code that is one digit, 0 to 9: several in a row make a number."""
    count: CountMode | None = None
    """Of a code that begins a count of stock."""
    unread: EntryReason | None = None
    """Of a code that begins keyed entry, or books an item without a label: why nothing is scanned."""
    text: str = ""
    """Of a character its character, of a field its GS1 Application Identifier."""


class Foreign(StrEnum):
    """Why a control code is not obeyed."""

    NO_KEY = "no-key"
    """This station has no key."""
    OTHER_SITE = "other-site"
    BAD_SIGNATURE = "bad-signature"
    """Made with another key (a sheet from before a change of keys), or misread."""
    MALFORMED = "malformed"
    """It begins like a control code and is none: cut off, or of another version."""


WHAT_TO_DO: Final[Mapping[Foreign, str]] = {
    Foreign.NO_KEY: "control codes need a key: make one with `scangate station key control -o FILE` and "
    "name it in [station] code_key_file",
    Foreign.OTHER_SITE: "the sheet is another site's: print this site's with `scangate station sheet`",
    Foreign.BAD_SIGNATURE: "the sheet was made with another key: print a new one with `scangate station sheet`",
    Foreign.MALFORMED: "the code is damaged or of another version: print a new sheet with `scangate station sheet`",
}
"""For a log line or a person, one each."""


class ForeignCode(Struct, frozen=True, kw_only=True):
    """A control code that this station does not obey: signal refused, counted by `why`."""

    why: Foreign


REASONS: Final = ("expired", "damaged", "opened-unused", "recalled", "wrong-item", "contaminated", "other")
"""Why an article is thrown away, as an event's `reason` says it."""

MARKS: Final[Mapping[str, str]] = {
    "DASH": "-",
    "SLASH": "/",
    "DOT": ".",
    "UNDERSCORE": "_",
    "PLUS": "+",
    "DOLLAR": "$",
    "PERCENT": "%",
    "SPACE": " ",
    "EQUALS": "=",
    "AMPERSAND": "&",
    "COMMA": ",",
    "MORE": ">",
    "BRACE": "}",
    "ASTERISK": "*",
}
"""Marks that lot and serial numbers have, and those that HIBC and ISBT 128 texts are made of."""

COMMANDS: Final[Mapping[str, ControlCode]] = {
    "CONSUME": ControlCode(kind="action", action="consume"),
    "RECEIVE": ControlCode(kind="action", action="receive"),
    "RETURN": ControlCode(kind="action", action="return"),
    "INVENTORY": ControlCode(kind="action", action="inventory"),
    "ORDER": ControlCode(kind="action", action="order"),
    "TRANSFER": ControlCode(kind="action", action="transfer"),
    "EXPLANT": ControlCode(kind="action", action="explant"),
    **{
        "DISCARD" + reason.replace("-", "").upper(): ControlCode(kind="action", action="discard", reason=reason)
        for reason in REASONS
    },
    "LOCK": ControlCode(kind="lock"),
    "COUNTNEW": ControlCode(kind="count", action="inventory", count="replace"),
    "COUNTMORE": ControlCode(kind="count", action="inventory", count="add"),
    "COUNTEND": ControlCode(kind="end-count"),
    **{f"DIGIT{digit}": ControlCode(kind="quantity", digit=digit) for digit in range(10)},
    "UNDO": ControlCode(kind="undo"),
    "UNDOITEM": ControlCode(kind="undo-item", action="undo"),
    "USEDDESPITE": ControlCode(kind="used-despite"),
    "CANCEL": ControlCode(kind="cancel"),
    "SAMEPATIENT": ControlCode(kind="same-patient"),
    "CLEARCONTEXT": ControlCode(kind="clear-context"),
    "CLOSECASE": ControlCode(kind="close-case"),
    "WHOAMI": ControlCode(kind="who-am-i"),
    "KEYDAMAGED": ControlCode(kind="keyed", unread="damaged"),
    "KEYNOCODE": ControlCode(kind="keyed", unread="no-code"),
    "KEYNOTREAD": ControlCode(kind="keyed", unread="not-read"),
    "UNLABELLED": ControlCode(kind="unlabelled", unread="no-label"),
    "KEYARTICLE": ControlCode(kind="field", text="01"),
    "KEYEXPIRY": ControlCode(kind="field", text="17"),
    "KEYLOT": ControlCode(kind="field", text="10"),
    "KEYSERIAL": ControlCode(kind="field", text="21"),
    **{f"CHAR{letter}": ControlCode(kind="character", text=letter) for letter in ascii_uppercase},
    **{f"CHAR{name}": ControlCode(kind="character", text=mark) for name, mark in MARKS.items()},
    "SMALLLETTER": ControlCode(kind="small-letter"),
    "KEYERASE": ControlCode(kind="erase"),
    "KEYEND": ControlCode(kind="keyed-end"),
}
"""Every command but the quantities, `QTY1` to `QTY999`."""


class ControlCodes:
    """Makes and reads the control codes of one site."""

    def __init__(self, site: str, key: bytes | None) -> None:
        """`site`: `[gateway] site`. `key`: the site's secret, LEAST_KEY_BYTES or more; None: no code is obeyed."""
        if key is not None and len(key) < LEAST_KEY_BYTES:
            raise ValueError(f"control codes: the key has {len(key)} bytes, at least {LEAST_KEY_BYTES} are needed")
        self._site = site
        self._key = key
        self._tag = "" if key is None else _site_tag(site)

    def read(self, text: str) -> ControlCode | ForeignCode | None:
        """Return what a symbol's text asks for; None for a text that is no control code at all.

        Letters of either case are taken: a keyboard scanner with Caps Lock on swaps them.
        """
        if text[: len(PREFIX)].upper() != PREFIX:
            return None
        if self._key is None:
            return ForeignCode(why=Foreign.NO_KEY)
        form = _FORM.fullmatch(text.upper()) if len(text) <= MAX_CODE and text.isascii() else None
        if form is None:
            return ForeignCode(why=Foreign.MALFORMED)
        tag, command, signature = form.groups()
        if tag != self._tag:
            return ForeignCode(why=Foreign.OTHER_SITE)
        if not self._is_signed(command, signature, self._key):
            return ForeignCode(why=Foreign.BAD_SIGNATURE)
        return _meaning(command) or ForeignCode(why=Foreign.MALFORMED)

    def write(self, command: str) -> str:
        """Return the text of a command's symbol. Raises ValueError for no command, or without a key."""
        if self._key is None:
            raise ValueError(WHAT_TO_DO[Foreign.NO_KEY])
        if _meaning(command) is None:
            raise ValueError(f"{command!r} is no command of a control code")
        return f"{PREFIX}{self._tag}{command}{self._signature(command, self._key)}"

    def _is_signed(self, command: str, signature: str, key: bytes) -> bool:
        import hmac

        return hmac.compare_digest(signature, self._signature(command, key))

    def _signature(self, command: str, key: bytes) -> str:
        import hmac

        # The site's name in full: the tag is too short to stand for it. A NUL is in no name and no command.
        message = f"{PREFIX}\0{self._site}\0{command}".encode()
        return b32encode(hmac.digest(key, message, "sha256")[:SIGNATURE_BYTES]).decode()


def _site_tag(site: str) -> str:
    import hashlib  # brings OpenSSL along, which a station without a key can do without

    return b32encode(hashlib.sha256(site.encode()).digest()).decode()[:SITE_TAG_LENGTH]


def _meaning(command: str) -> ControlCode | None:
    known = COMMANDS.get(command)
    if known is not None:
        return known
    quantity = _QUANTITY.fullmatch(command)
    return ControlCode(kind="quantity", quantity=int(quantity[1])) if quantity else None
