"""The configuration that `scangate init` writes: commented, and checked before it is written."""

import json
import tomllib
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from drivers.hardware import Subsystem, devices
from gateway.config.loader import parse

SERIAL_FOLDERS: Final = (Path("/dev/serial/by-id"), Path("/dev/serial/by-path"))
"""Where udev names serial devices so that the name stays: by what the device says it is, and by its USB socket."""


class Answers(Struct, frozen=True, kw_only=True):
    """What must be known for a first configuration. Keys of the same names in the file."""

    tenant: str
    site: str
    id: str
    profile: str
    scanner_name: str
    driver: Literal["serial", "hid-keyboard", "hid-pos", "none"]
    """none: the scanner comes later."""
    scanner_device: str | None = None
    """serial: the device node."""
    usb: str | None = None
    """`VENDOR:PRODUCT` instead."""
    baud: int
    terminator: str
    broker_urls: tuple[str, ...] = ()
    """None: the box stands alone."""
    username: str | None = None
    password_file: str | None = None


def serial_devices(folders: tuple[Path, ...] = SERIAL_FOLDERS) -> list[Path]:
    """List the serial devices that are plugged in, by their lasting names."""
    return [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]


class Attached(Struct, frozen=True, kw_only=True):
    """Something plugged in that could be a scanner."""

    label: str
    """For people."""
    driver: Literal["serial", "hid-keyboard", "hid-pos"]
    device: str | None = None
    usb: str | None = None


def attached() -> list[Attached]:
    """List what could be a scanner, serial devices first."""
    kinds: tuple[tuple[Literal["hid-keyboard", "hid-pos"], Subsystem, str], ...] = (
        ("hid-keyboard", "input", "types like a keyboard"),
        ("hid-pos", "hidraw", "HID point of sale"),
    )
    found = [Attached(label=str(path), driver="serial", device=str(path)) for path in serial_devices()]
    for driver, subsystem, words in kinds:
        for one in devices(subsystem):
            identity = one.identity
            if identity.vendor and identity.product and one.unreadable is None:
                usb = f"{identity.vendor}:{identity.product}"
                found.append(Attached(label=f"{one.name or 'USB device'} {usb} ({words})", driver=driver, usb=usb))
    return found


def compose(answers: Answers, file: str) -> str:
    """Return the file's text. Raises ConfigError, naming `file`, for an answer that cannot be used."""
    text = _TEXT.format(
        tenant=_quoted(answers.tenant),
        site=_quoted(answers.site),
        id=_quoted(answers.id),
        profile=_quoted(answers.profile),
        scanner=_scanner(answers),
        broker=_broker(answers),
    )
    parse(tomllib.loads(text), file)
    return text


def _scanner(answers: Answers) -> str:
    if answers.driver == "none":
        return _NO_SCANNER
    which = "" if answers.scanner_device is None else f"device = {_quoted(answers.scanner_device)}\n"
    if answers.usb is not None:
        vendor, _, product = answers.usb.partition(":")
        which += f"match = {{ vendor = {_quoted(vendor)}, product = {_quoted(product)} }}\n"
    return _SCANNER.format(
        name=_quoted(answers.scanner_name),
        driver=_quoted(answers.driver),
        which=which,
        line=_LINE.format(baud=answers.baud, terminator=_quoted(answers.terminator))
        if answers.driver == "serial"
        else "",
    )


def _broker(answers: Answers) -> str:
    if not answers.broker_urls:
        return _NO_BROKER
    login = ""
    if answers.username is not None:
        login = f"username = {_quoted(answers.username)}\n"
    if answers.password_file is not None:
        login += f"password_file = {_quoted(answers.password_file)}\n"
    urls = ", ".join(map(_quoted, answers.broker_urls))
    return _BROKER.format(urls=urls, login=login or _NO_LOGIN)


def _quoted(text: str) -> str:
    """Return a TOML string. TOML takes JSON's escapes, but wants DEL escaped, too."""
    clean = text.encode(errors="replace").decode()  # no TOML can hold a lone surrogate
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")


_TEXT: Final = """\
# Configuration of this scangate box.
#
# After a change:      scangate config check && systemctl reload scangate
# What is in force:    scangate config show
# Every possible key:  scangate config schema

[gateway]
# Who this box is: it stands in every topic and event. Letters, digits, _ and -.
tenant = {tenant}
site = {site}
id = {id}

[station]
# Kind of place: operating-room, supply-room or clinic.
profile = {profile}
# What a scan means here: consume, receive, return, discard or inventory.
#default_action = "consume"
# The station's words on a display: sv or en.
#language = "sv"
# A label's second symbol is waited for so many seconds.
#pairing_seconds = 5
# The key of the printed control codes: scangate station key control -o /etc/scangate/credentials/control-code-key
#code_key_file = "control-code-key"
# Warn when a label expires within so many days; 0 does not warn.
#near_expiry_days = 0
# A text that one of these regular expressions matches from end to end (a shelf label, a supplier's item number) is
# taken for an article even when the article master does not know it. Everything else without a device identifier is
# neither stored nor sent.
#item_patterns = ["VGR-[0-9]{{6}}"]

#[context]
# The central system's public key: without it nothing of a patient or a member of staff is taken up.
#seal_key_file = "seal-key.pub"
# Codes of a member of staff beside a GSRN: a name, and an expression for the whole text.
#performer = [{{ scheme = "hsa-id", pattern = "SE[0-9]{{10}}-[A-Z0-9]{{4,10}}" }}]

{scanner}
{broker}
[articles]
# Remark on scans when the article master is older than so many days.
#max_age_days = 30
# One section for each list of articles. `scangate articles import --source NAME FILE` reads a file at once;
# `scangate articles sync` fetches what has a path or a url, by timer.
#[[articles.source]]
#name = "master"
# csv, gudid, accessgudid, eudamed, peppol, hl7-mfn, fhir, gs1-cin or gs1-firstbase.
#format = "csv"
#path = "/srv/articles/*.csv"
# Where two sources know the same article, the lower number wins.
#priority = 100
#delimiter = ";"
#encoding = "utf-8"
# Field of the master = column of the file; a field left out is read from the column of its own name.
#columns = {{ deviceIdentifier = "GTIN", articleNumber = "ITEM_NO" }}

[outbox]
# Delivered scans stay so long as a journal.
#keep_delivered_days = 30  # without a broker: 3650
"""
_NO_SCANNER: Final = """\
# One section for each scanner; the box runs without, and takes it when it is configured. `scangate scanners list`
# shows what is plugged in. A scanner that types is "hid-keyboard", one that speaks HID point of sale "hid-pos".
#[[scanner]]
#name = "scanner1"
#driver = "hid-keyboard"
#match = { vendor = "0c2e", product = "0b61" }
"""
_SCANNER: Final = """\
# One section for each scanner. A scanner that types (driver = "hid-keyboard") or speaks HID point of sale
# ("hid-pos") has match = {{ vendor = "...", product = "..." }}, not device: `scangate scanners list` shows them.
[[scanner]]
name = {name}
driver = {driver}
# A name below /dev/serial/by-id or by-path stays the same when devices are plugged in another order.
{which}{line}"""
_LINE: Final = """\
# Without meaning for scanners on USB (USB-CDC).
baud = {baud}
# What the scanner sends behind each code: CR, LF, CRLF, TAB, ETX, STX-ETX or none.
terminator = {terminator}
"""
_NO_BROKER: Final = """\
# Without [broker] the box stands alone: scans are kept, and `scangate outbox export` hands them on.
#[broker]
#urls = ["mqtts://mqtt.example.org:8883"]
#username = "scangate"
# A bare name means /etc/scangate/credentials/NAME.
#password_file = "mqtt-password"
"""
_BROKER: Final = """\
[broker]
# In order of preference: mqtts://host[:8883] or wss://host[:443] with TLS, mqtt://host[:1883] without.
urls = [{urls}]
# The password lies in a file of its own; a bare name means /etc/scangate/credentials/NAME.
{login}# Certificates to trust for mqtts; the system's when left out.
#ca_file = "/etc/scangate/ca.pem"
"""
_NO_LOGIN: Final = """\
#username = "scangate"
#password_file = "mqtt-password"
"""
