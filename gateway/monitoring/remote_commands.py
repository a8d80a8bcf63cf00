"""What the central system may ask of a box over MQTT: each command and what it does."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.articles.sync.request import request_sync
from gateway.config.loader import Config
from gateway.monitoring.monitor import Monitor
from gateway.mqtt.command_envelope import CommandError, Handler
from gateway.mqtt.publisher import Publisher
from gateway.scanning.worker import Worker
from gateway.system.control_socket import RequestError

MAX_REPLAY: Final = 100_000
"""Events sent again at one command: some 150 MB. Who lost more begins with another `from`."""


class Remote:
    """The commands' side of a box. Called by the publisher's thread: it reads, or hands on."""

    def __init__(
        self,
        config: Config,
        worker: Worker,
        housekeeping: Monitor,
        publisher: Callable[[], Publisher],
        reload: Callable[[], str],
    ) -> None:
        self._config = config
        self._worker = worker
        self._housekeeping = housekeeping
        self._publisher = publisher
        self._reload = reload

    def handlers(self) -> dict[str, Handler]:
        """Return what each command does."""
        return {
            "identify": self.identify,
            "health": lambda _: self._housekeeping.status(),
            "articles-sync": self.sync,
            "outbox-replay": self.replay,
            "reload": self.reload,
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

    def replay(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Send a range of events again, as they were."""
        first, last, stored = args.get("from"), args.get("to"), self._worker.outbox.last
        if not (isinstance(first, int) and isinstance(last, int) and 1 <= first <= last):
            raise CommandError('expected args {"from": SEQUENCE, "to": SEQUENCE}')
        if last - first >= MAX_REPLAY:
            raise CommandError(f"at most {MAX_REPLAY} events at once")
        if first > stored:
            raise CommandError(f"the newest event is {stored}")
        if not self._publisher().replay(first, min(last, stored)):
            raise CommandError("too many replays wait; try again later")
        return {"from": first, "to": min(last, stored)}

    def reload(self, _args: Mapping[str, Any]) -> str:
        """Begin again with the configuration as it is now."""
        try:
            return self._reload()
        except RequestError as error:
            raise CommandError(str(error)) from error
