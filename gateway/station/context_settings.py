"""The `[context]` section of the configuration: which codes set the context, and how identities are protected."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Scheme = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,31}$(?!\n)")]
"""Which numbering an identity belongs to; it stands in the event in clear."""


class CodePattern(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of context code: `{ scheme = "...", pattern = "...", check = "..." }`."""

    scheme: Scheme
    """Which numbering it is; the event names it in clear."""
    pattern: str
    """Regular expression for the whole text. What its first group matches is the identity; without a group, all."""
    check: Literal["none", "personnummer", "vgr-reservnummer", "luhn", "gs1"] = "none"
    """What must hold beside: a Swedish person number, a reserve number of Västra Götalandsregionen, or digits with
    a check digit of modulus 10 (`luhn`, ISO/IEC 7812-1) or of GS1."""


ORBIT = CodePattern(scheme="orbit", pattern=r"orbit:([A-Za-z0-9._/-]{1,64})")
PERSONNUMMER = CodePattern(
    scheme="personnummer", pattern=r"(?:18|19|20)[0-9]{6}[-+]?[0-9]{4}", check="personnummer"
)
VGR_RESERVE = CodePattern(
    scheme="vgr-reservnummer", pattern="(?:18|19|20)[0-9]{6}[KMX][0-9]{3}", check="vgr-reservnummer"
)


class ContextSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[context]`."""

    case_mode: Literal["clear", "sealed", "hmac"] = "sealed"
    """How a case's id leaves the box. It leads to a patient, so that `clear` is for a central system that may see
    it and a broker that nobody else reads."""
    person_mode: Literal["sealed", "hmac"] = "sealed"
    """How the identity of a patient or a member of staff leaves the box. `sealed`: only the owner of the private
    key can read it, not this box. `hmac`: a pseudonym, the same for the same person: to link scans without reading
    who it is. Whoever has the box has its key, and finds a person number by trying all of them within minutes."""
    case: tuple[CodePattern, ...] = (ORBIT,)
    """Codes of a case. In clear the event says `scheme:identity`."""
    patient: tuple[CodePattern, ...] = (PERSONNUMMER, VGR_RESERVE)
    """Codes of a patient beside a GSRN (AI 8018), which is always one."""
    performer: tuple[CodePattern, ...] = ()
    """Codes of a member of staff beside a GSRN (AI 8017), which is always one."""
    location: tuple[CodePattern, ...] = ()
    """Codes of a place, such as a ward, beside a GLN (AI 414), which is always one. The event says
    `scheme:identity`."""
    seconds: Annotated[int, Meta(ge=60, le=86_400)] | None = None
    """The context ends, all of it, when nothing was scanned for so long: the next patient must not inherit it. Left
    out, as the station's profile has it (operating-room 5400, clinic 600, supply-room 14400)."""
    restore_seconds: Annotated[int, Meta(ge=0, le=3600)] = 600
    """After a restart the context goes on when its last use is no longer ago, flagged until a scan confirms it; 0
    restores none."""
    seal_key_file: str | None = None
    """The central system's public key (X25519, 64 hex digits), to seal identities with."""
    hmac_key_file: str | None = None
    """Keys for pseudonyms, one a line: `ID HEXDIGITS`, the newest last."""
    hmac_key_id: str | None = None
    """Which of them is used; the last one when left out."""
