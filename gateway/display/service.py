"""The whole life of the display's process."""

import contextlib
import logging
import signal
import threading
from pathlib import Path

from gateway.display.follower import Follower
from gateway.display.screen import Screen
from gateway.display.server import DisplayServer
from gateway.display.settings import DisplaySettings
from gateway.system.systemd import ServiceManager

log = logging.getLogger(__name__)

ENDING = frozenset({signal.SIGTERM, signal.SIGINT})


def run(settings: DisplaySettings, language: str, control_path: Path) -> None:
    """Serve the page until SIGTERM or SIGINT, whether the daemon runs or not. Raises DisplayError."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # before there are threads, which inherit it
    with contextlib.closing(ServiceManager()) as service_manager:
        follower = Follower(control_path, Screen(language=language, result_seconds=settings.result_seconds))
        with DisplayServer(settings, follower, language) as server:
            address = settings.address._replace(port=server.port)
            if not address.loopback:
                log.warning("everybody on the network of %s can see the page", address.host)
            follower.start()
            threading.Thread(target=server.serve_forever, name="display-http", daemon=True).start()
            service_manager.ready(f"http://{address}/")
            log.info("page=http://%s/", address)
            signal.sigwait(ENDING)
            service_manager.stopping()
            follower.stop()
            server.shutdown()
