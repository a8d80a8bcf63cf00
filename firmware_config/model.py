"""What profiles, vendors and the engine speak: frozen values, no I/O."""

from enum import StrEnum
from typing import Literal

from msgspec import Struct


class Intent(StrEnum):
    """What a station needs of a scanner, whoever made it."""

    USB_SERIAL = "usb-serial"
    """It is a serial port: nothing is typed, nothing is translated, and it takes commands and answers."""
    AIM_ID = "aim-id"
    """Each code begins with its AIM symbology identifier: what tells a GS1 Data Matrix from a plain one."""
    GS_UNTOUCHED = "gs-untouched"
    """The FNC1 between GS1 elements arrives as GS (0x1D)."""
    SUFFIX_CR = "suffix-cr"
    """Each code ends with one CR."""
    PACKETS = "packets"
    """Each code comes in a packet with a checksum (Zebra SSI)."""
    DATA_MATRIX = "data-matrix"
    """GS1 and HIBC labels, most of all of devices."""
    QR_CODE = "qr-code"
    """HIBC and GS1 labels."""
    CODE_128 = "code-128"
    """GS1-128 and ISBT 128, and HIBC."""
    CODE_39 = "code-39"
    """Older HIBC labels, and IFA."""
    EAN_13 = "ean-13"
    """Retail packs."""
    HOST_ACK = "host-ack"
    """The scanner waits for the gateway's answer before it reads the next code."""
    BEEP_BY_HOST = "beep-by-host"
    """The scanner is silent by itself: its own beep would sound as if the scan had been accepted."""
    KEYBOARD_US = "keyboard-us"
    """A scanner that poses as a keyboard types as a US keyboard does."""


class Setting(Struct, frozen=True, kw_only=True):
    """One setting of a vendor, and the value a station needs."""

    name: str
    """As the vendor's commands write it: `TERMID` (Honeywell), `45` (Zebra), `CAIEN` (Datalogic)."""
    intent: Intent
    value: str
    """As the vendor's commands write it."""
    meaning: str
    """What the value does, for a technician."""
    source: str
    """Manual, and section or page."""
    verified: bool
    """A manual that was read says so. Never: it was tried on a scanner."""
    why_unverified: str = ""
    """What is not known; empty where verified."""
    also: tuple[str, ...] = ()
    """Values that serve as well: they are left as they are."""
    reconnects: bool = False
    """The scanner goes away and comes back with it (USB), so it is written last and straight to flash."""
    by: Literal["port", "page"] = "port"
    """`page`: only a code on paper can set it, because the scanner cannot be talked to then."""


class Need(Struct, frozen=True, kw_only=True):
    """One intent, and what fulfils it at this vendor."""

    intent: Intent
    why: str
    settings: tuple[Setting, ...] = ()
    nothing_to_set: str = ""
    """Why no setting is needed, or that none is known."""


class ScannerProfile(Struct, frozen=True, kw_only=True):
    """What a station needs of this vendor's scanners."""

    name: str
    vendor: str
    """Key of `firmware_config.vendors`."""
    models: tuple[str, ...]
    """Models whose manuals were read."""
    title: str
    use: dict[str, str]
    """Keys of `[[scanner]]` that go with it: `dialect`, `terminator`, `feedback`."""
    notes: tuple[str, ...]
    """What a technician should know first."""
    refused: str = ""
    """Why scanners of this profile cannot be configured over the port; empty where they can."""
    needs: tuple[Need, ...]

    @property
    def settings(self) -> tuple[Setting, ...]:
        """All settings, in the order of the needs."""
        return tuple(setting for need in self.needs for setting in need.settings)


class Identity(Struct, frozen=True, kw_only=True):
    """Which scanner answers. None: it does not say."""

    model: str | None = None
    firmware: str | None = None
    serial: str | None = None


class SettingsReading(Struct, frozen=True, kw_only=True):
    """What the scanner's settings are now."""

    values: dict[str, str]
    """Name of the setting -> the value in force, as the scanner writes it."""
    kept: dict[str, str] | None = None
    """The values in flash; None where this vendor's scanners do not tell them apart."""
    unknown: tuple[str, ...] = ()
    """Settings this model does not have."""


class Difference(Struct, frozen=True, kw_only=True):
    """A setting that is not what the station needs."""

    setting: Setting
    present: str
    wanted: str
    bytes: tuple[bytes, ...]
    """What keeps this setting alone, message by message. `Report.messages` is what is sent for all together."""
    meaning: str


class StepKind(StrEnum):
    """What the engine does, in this order."""

    IDENTIFY = "identify"
    QUERY = "query"
    COMPARE = "compare"
    JOURNAL = "journal"
    """What was there and what is intended is on disk before anything is written."""
    WRITE_RAM = "write-ram"
    READ_BACK = "read-back"
    KEEP = "keep"
    """Write to flash: the only step that wears the scanner."""
    REOPEN = "reopen"
    VERIFY = "verify"
    RESTORE = "restore"
    """Write back what was there, because a step failed."""
    DONE = "done"


class Step(Struct, frozen=True, kw_only=True):
    """One step of the engine, reported as it begins."""

    kind: StepKind
    text: str
    settings: tuple[str, ...] = ()
    """Names of the settings it is about."""


class Report(Struct, frozen=True, kw_only=True):
    """What was found, and what was done."""

    profile: str
    vendor: str
    identity: Identity
    before: SettingsReading
    """What was read first; of a run that finishes an earlier one, what that one read first."""
    differences: tuple[Difference, ...]
    """Settings that were not as needed (check), or that were changed (apply)."""
    left_out: tuple[Setting, ...] = ()
    """Differ, and were not written because no manual that was read confirms them."""
    unknown: tuple[Setting, ...] = ()
    """The profile has them and the model does not."""
    messages: tuple[bytes, ...] = ()
    """What `apply` sends to write, in order: first to RAM, then to flash. Questions in between change nothing."""
    applied: bool = False
    """The differences were written, kept and read back."""
    flash_writes: int = 0
    """Writes to flash that the journal knows of, all runs on this scanner together."""
    restored: bool = False
    """A step failed, and what was there before is there again."""
    trouble: str = ""
    """What failed; empty when nothing did."""

    @property
    def as_needed(self) -> bool:
        """Whether the scanner is now as the profile wants it, but for what is in `left_out` and `unknown`."""
        return not self.trouble and (self.applied or not self.differences)
