"""What the daemon notes in the audit trail: requests that change something, commands, a changed configuration."""

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway import VERSION
from gateway.config.loader import Config
from gateway.mqtt.pacing import TokenBucket
from gateway.system.atomic_file import whole_file
from gateway.system.audit import MODE, Act, AuditTrail, person

log = logging.getLogger(__name__)

SEEN: Final = "audit.configuration"
"""In the state directory: the version and configuration that the last entry about them was of."""
MAX_SEEN_BYTES: Final = 1024 * 1024
"""Thirty-two scanners with all their keys are 40 KB."""
REFUSED_AT_ONCE: Final = 20.0
REFUSED_PER_SECOND: Final = 1 / 60
"""Refused requests that are noted: whoever sends them by the thousand must not push out what was done."""
READS: Final = frozenset({"health"})
"""Commands that change nothing and move nobody."""


class _Seen(Struct, frozen=True):
    """The version, and each key's value as the beginning of its SHA-256: no value is in it in clear."""

    version: str
    keys: dict[str, str]


class AuditNotes:
    """Notes acts in the trail of a state directory. May be called from any thread; never raises."""

    def __init__(self, state: Path, trail: AuditTrail | None = None) -> None:
        self._trail = trail or AuditTrail(state)
        self._seen = state / SEEN
        self._refused = TokenBucket(REFUSED_PER_SECOND, time.monotonic(), REFUSED_AT_ONCE)
        self._left_out = 0
        self.trouble: str | None = None
        """Why the newest act could not be noted; None when it was."""

    def configuration(self, config: Config) -> None:
        """Note that the daemon goes on with another version or configuration than before, and what differs."""
        now = _Seen(version=VERSION, keys=dict(_keys(msgspec.to_builtins(config))))
        try:
            before = msgspec.json.decode(self._seen.read_bytes()[:MAX_SEEN_BYTES], type=_Seen)
        except (OSError, msgspec.MsgspecError, ValueError):
            before = _Seen(version="", keys={})
        if before == now:
            return
        detail = {} if before.version == now.version else {"version": f"{before.version or 'none'} -> {VERSION}"}
        changed = sorted(key for key in {*before.keys, *now.keys} if before.keys.get(key) != now.keys.get(key))
        if changed:
            detail["changed"] = ", ".join(changed) if before.keys else "all"
        if not self._note(Act(who="?", through="files", operation="configuration", outcome="done", detail=detail)):
            return
        try:
            with whole_file(self._seen, MODE) as file:
                file.write(msgspec.json.encode(now))
        except OSError as error:
            self._fail(error)

    def asked(self, uid: int, do: str, args: Mapping[str, Any], refused: str | None) -> None:
        """Note a request over the control socket. `uid`: of whoever asked; `refused`: why, or None."""
        detail = {key: str(value) for key, value in args.items() if isinstance(value, str | int)}
        self._request(person(uid), "control socket", do, detail, refused)

    def commanded(self, name: str, identity: str | None, refused: str | None) -> None:
        """Note a command over MQTT. `identity`: its id, if it has one; `refused`: why, or None."""
        if name not in READS or refused is not None:
            self._request(f"command {identity or 'without an id'}", "MQTT", name, {}, refused)

    def _request(self, who: str, through: str, operation: str, detail: dict[str, str], refused: str | None) -> None:
        if refused is not None and not self._refused.take(time.monotonic()):
            self._left_out += 1
            return
        if self._left_out:
            detail = {**detail, "refusedBefore": str(self._left_out)}
        outcome = "done" if refused is None else f"refused: {refused}"
        if self._note(Act(who=who, through=through, operation=operation, outcome=outcome, detail=detail)):
            self._left_out = 0

    def _note(self, act: Act) -> bool:
        try:
            self._trail.append(act)
        except OSError as error:
            self._fail(error)
            return False
        self.trouble = None
        return True

    def _fail(self, error: OSError) -> None:
        self.trouble = f"the audit trail cannot be written: {error.strerror or error}"
        log.error("%s", self.trouble)


def _keys(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield each setting with the beginning of its value's SHA-256; of a list of sections, by their names."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _keys(inner, f"{name}.{key}".lstrip("."))
    elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        for place, inner in enumerate(value, 1):
            yield from _keys(inner, f"{name}.{inner.get('name', place)}")
    else:
        yield name, hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:16]
