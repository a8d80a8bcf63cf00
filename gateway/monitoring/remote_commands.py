"""What the central system may ask of a box over MQTT: each command and what it does."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.articles.sync.request import request_sync
from gateway.config.loader import Config
from gateway.mqtt.command_envelope import Call, CommandError, Handler
from gateway.mqtt.delivery_memory import ReplayRange
from gateway.scanning.case_requests import Cases
from gateway.scanning.worker import Worker
from gateway.system.control_socket import RequestError

EPOCH: Final = re.compile(r"[0-9a-f]{16}")
MAX_REPLAY: Final = 100_000
"""Events sent again at one command: some 150 MB. Who lost more begins with another `from`."""


class Remote:
    """The commands' side of a box. Called by the publisher's thread: it reads, or hands on."""

    def __init__(
        self,
        config: Config,
        worker: Worker,
        cases: Cases,
        status: Callable[[], dict[str, object]],
        replay: Callable[[ReplayRange], bool],
        reload: Callable[[], str],
    ) -> None:
        """`status`: the box's health; `replay` and `reload` begin what they say."""
        self._config = config
        self._worker = worker
        self._cases = cases
        self._status = status
        self._replay = replay
        self._reload = reload

    def handlers(self) -> dict[str, Handler]:
        """Return what each command does."""
        return {
            "identify": lambda call: self.identify(call.args),
            "health": lambda _: self._status(),
            "articles-sync": lambda call: self.sync(call.args),
            "outbox-replay": self.replay,
            "reload": lambda _: self.reload(),
            "case": lambda call: self.case(call.args),
        }

    def identify(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Have a scanner signal, or all of them, so that a person sees which one it is."""
        names = [one.name for one in self._config.scanner]
        wanted = args.get("scanner")
        chosen = names if wanted is None else [name for name in names if name == wanted]
        signalled = [name for name in chosen if self._worker.identify(name)]
        if not signalled:
            raise CommandError(f"no such scanner; there are: {', '.join(names)}")
        return {"signalled": signalled}

    def sync(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a sync of a source, or of all."""
        names = [source.name for source in self._config.articles.source]
        wanted = args.get("source")
        chosen = names if wanted is None else [name for name in names if name == wanted]
        if not chosen:
            raise CommandError(f"no such source; there are: {', '.join(names) or 'none'}")
        for name in chosen:
            try:
                request_sync(self._config.articles_directory, name)
            except OSError as error:
                raise CommandError(f"the sync cannot be asked for: {error.strerror}") from error
        return {"requested": chosen}

    def replay(self, call: Call) -> dict[str, Any]:
        """Send a range of events again, as they were: kept until each has its PUBACK, then replied to once more."""
        args = call.args
        epoch, first, last = args.get("epoch"), args.get("from"), args.get("to")
        stored = self._worker.status.stored
        if not (type(first) is int and type(last) is int and 1 <= first <= last):
            raise CommandError('expected args {"from": SEQUENCE, "to": SEQUENCE}, and "epoch" where it matters')
        if epoch is not None and not (isinstance(epoch, str) and EPOCH.fullmatch(epoch)):
            raise CommandError("epoch is no epoch of an event")
        if last - first >= MAX_REPLAY:
            raise CommandError(f"at most {MAX_REPLAY} events at once")
        if first > stored:
            raise CommandError(f"the newest event is {stored}")
        wanted = ReplayRange(
            first=first,
            last=min(last, stored),
            following=first,
            epoch=epoch,
            command=call.id,
            reply_topic=call.reply_topic,
            correlation=call.correlation,
        )
        if not self._replay(wanted):
            raise CommandError("too many replays wait; try again later")
        return {"from": first, "to": wanted.last, "done": False}

    def case(self, args: Mapping[str, Any]) -> dict[str, str]:
        """Set a case at the station for a time, or withdraw it."""
        try:
            return self._cases.push(args)
        except RequestError as error:
            raise CommandError(str(error)) from error

    def reload(self) -> str:
        """Begin again with the configuration as it is now."""
        try:
            return self._reload()
        except RequestError as error:
            raise CommandError(str(error)) from error
