"""The profiles: what a station needs of a vendor's scanners, one TOML file for each.

`verified = true` says that a manual that was read confirms the setting; no setting was tried on a scanner.
"""

import tomllib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal

import msgspec
from msgspec import Struct

from firmware_config.errors import ProfileError
from firmware_config.model import Intent, Need, ScannerProfile, Setting


class _Setting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    value: str
    meaning: str
    source: str
    verified: bool
    why_unverified: str = ""
    also: tuple[str, ...] = ()
    reconnects: bool = False
    by: Literal["port", "page"] = "port"


class _Need(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    intent: Intent
    why: str
    setting: tuple[_Setting, ...] = ()
    nothing_to_set: str = ""


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    vendor: str
    title: str
    models: tuple[str, ...]
    notes: tuple[str, ...] = ()
    refused: str = ""
    use: dict[str, str] = {}
    need: tuple[_Need, ...]


def names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if _is_profile(entry)))


def load(name: str) -> ScannerProfile:
    """Return a profile by its name. Raises ProfileError when there is none or its file is wrong."""
    if name not in names():
        raise ProfileError(
            "load",
            f"profile {name!r}",
            "there is none of that name",
            f"choose of {', '.join(names())}",
            recoverable=False,
        )
    return parse(name, (_folder() / f"{name}.toml").read_text("utf-8"))


def parse(name: str, text: str) -> ScannerProfile:
    """Return the profile that a file's text describes. Raises ProfileError."""
    try:
        found = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ProfileError(
            "load", f"profile {name!r}", str(error), "correct its file", recoverable=False
        ) from error
    return ScannerProfile(
        name=name,
        vendor=found.vendor,
        title=found.title,
        models=found.models,
        notes=found.notes,
        refused=found.refused,
        use=found.use,
        needs=tuple(_need(need) for need in found.need),
    )


def _need(need: _Need) -> Need:
    settings = tuple(Setting(intent=need.intent, **msgspec.structs.asdict(one)) for one in need.setting)
    return Need(intent=need.intent, why=need.why, settings=settings, nothing_to_set=need.nothing_to_set)


def _folder() -> Traversable:
    return files("firmware_config") / "profiles"


def _is_profile(entry: Traversable) -> bool:
    return entry.name.endswith(".toml") and not entry.name.startswith(".")
