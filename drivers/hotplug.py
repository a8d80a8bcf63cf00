"""News of devices: a thread that tells the scanners to look again whenever one comes, goes or changes.

Where udev runs, its own news are heard: they come when the rules have set owner, group and links. For nodes that
udev does not manage, and where no udev answers (a container), the folders of the nodes are watched (inotify). Where
neither works, the scanners go on looking by themselves, slowly.

udev tells whoever listens through a netlink socket. Of a message only the subsystem is looked for, because sysfs
tells the rest better (`drivers.hardware`); a library that reads the whole message would cost 2.3 MiB of memory.
"""

import logging
import os
import select
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, Protocol, Self

from drivers.base import Scanner

log = logging.getLogger(__name__)

UDEV_CONTROL = Path("/run/udev/control")
"""Listening never fails where no udev runs: it only hears nothing. udev's own socket tells."""
NETLINK_KOBJECT_UEVENT: Final = 15
UDEV_GROUP: Final = 2
"""1 is the kernel's, whose news come before the rules have given a node to its group (systemd, sd-device)."""
SUBSYSTEMS: Final = (b"SUBSYSTEM=tty\0", b"SUBSYSTEM=input\0", b"SUBSYSTEM=hidraw\0", b"SUBSYSTEM=bluetooth\0")
"""As a message has them: its properties are strings that end with NUL."""
UDEV_BUFFER_BYTES: Final = 256 * 1024
"""A hub with everything on it makes some hundred messages of about 1 KiB at once; more than fits counts as news."""
DEV: Final = Path("/dev")
SETTLE_SECONDS: Final = 0.05
"""A scanner that comes makes a dozen messages; they are waited for and answered by one look."""
MAX_FOLDERS: Final = 128
"""Folders watched at once: each scanner has at most three, and a daemon at most 32 scanners."""
READ_BYTES: Final = 64 * 1024

# Values of include/uapi/linux/inotify.h, explained in inotify(7).
_IN_ATTRIB: Final = 0x4
_IN_MOVED: Final = 0xC0
_IN_CREATE: Final = 0x100
_IN_DELETE: Final = 0x200
_IN_ONLYDIR: Final = 0x01000000
_INTERESTING: Final = _IN_ATTRIB | _IN_MOVED | _IN_CREATE | _IN_DELETE | _IN_ONLYDIR


class _Source(Protocol):
    """Something that has news."""

    def fileno(self) -> int: ...

    def drain(self) -> bool:
        """Read what is there; return whether it may be about a scanner."""

    def refresh(self) -> None:
        """Follow the nodes to where they are now."""

    def close(self) -> None: ...


class Hotplug:
    """Tells scanners of news. `scanners` is asked for the present ones each time."""

    def __init__(self, scanners: Callable[[], Iterable[Scanner]]) -> None:
        self._scanners = scanners
        self._stop_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="udev", daemon=True)

    def __enter__(self) -> Self:
        """Begin. Returns at once; scanners are `watched` a moment later."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End; the scanners look by themselves again."""
        self._stopping.set()
        os.eventfd_write(self._stop_fd, 1)
        self._thread.join()
        os.close(self._stop_fd)

    def _run(self) -> None:
        try:
            with ExitStack() as stack:
                sources = list(self._open())
                for source in sources:
                    stack.callback(source.close)
                if sources:
                    self._watch(sources)
        except Exception:  # without news the scanners are still found, only later
            log.exception("devices are not watched; scanners look by themselves")
        finally:
            for scanner in self._scanners():
                scanner.watched = False
                scanner.look_again()

    def _open(self) -> Iterator[_Source]:
        udev = _udev()
        if udev is not None:
            yield udev
        if folders_of(self._scanners(), udev=udev is not None):
            yield _Folders(self._scanners, udev=udev is not None)

    def _watch(self, sources: list[_Source]) -> None:
        poll = select.poll()
        poll.register(self._stop_fd, select.POLLIN)
        for source in sources:
            poll.register(source.fileno(), select.POLLIN)
        news = True  # what came before the watch began
        while not self._stopping.is_set():
            if news:
                for source in sources:
                    source.refresh()
                for scanner in self._scanners():
                    scanner.watched = True
                    scanner.look_again()
            ready = {fd for fd, _ in poll.poll()}
            self._stopping.wait(SETTLE_SECONDS)
            changed = [source.drain() for source in sources if source.fileno() in ready]
            news = any(changed)


class _Udev:
    """udev's own news, after its rules have been applied."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, NETLINK_KOBJECT_UEVENT)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDEV_BUFFER_BYTES)
            self._socket.bind((0, UDEV_GROUP))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def drain(self) -> bool:
        changed = False
        while True:
            try:
                message = self._socket.recv(READ_BYTES)
            except BlockingIOError:
                return changed
            except OSError:  # ENOBUFS: more came than the buffer holds
                return True
            changed = changed or any(subsystem in message for subsystem in SUBSYSTEMS)

    def refresh(self) -> None:
        """Do nothing: the news are of every device."""

    def close(self) -> None:
        self._socket.close()


def _udev() -> _Source | None:
    if not UDEV_CONTROL.exists():
        return None
    try:
        return _Udev()
    except OSError as error:
        log.warning("udev cannot be heard, folders are watched instead: %s", error)
        return None


class _Folders:
    """inotify on the folders in which nodes and links to them come and go."""

    def __init__(self, scanners: Callable[[], Iterable[Scanner]], *, udev: bool) -> None:
        import ctypes

        self._scanners = scanners
        self._udev = udev
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "folders cannot be watched (inotify_init1)")

    def fileno(self) -> int:
        return self._fd

    def drain(self) -> bool:
        changed = False
        with suppress(BlockingIOError):
            while os.read(self._fd, READ_BYTES):
                changed = True
        return changed

    def refresh(self) -> None:
        for folder in folders_of(self._scanners(), udev=self._udev)[:MAX_FOLDERS]:
            # Watching a folder again changes nothing; of one that has just gone there is news.
            self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _INTERESTING)

    def close(self) -> None:
        os.close(self._fd)


def folders_of(scanners: Iterable[Scanner], *, udev: bool) -> list[Path]:
    """Return the folders in which nodes of these scanners may appear or change, without those that udev tells of.

    Of a device's path it is the nearest folder there is, and likewise of the node that the path leads to.
    """
    found: set[Path] = set()
    for scanner in scanners:
        device = None if scanner.settings.device is None else Path(scanner.settings.device)
        if scanner.settings.driver == "replay" or (udev and (device is None or _managed(device))):
            continue
        if device is None:
            found.update(folder for folder in (DEV, DEV / "input") if folder.is_dir())
            continue
        for path in (device, _behind(device)):
            above = next((folder for folder in path.parents if folder.is_dir()), None)
            if above is not None:
                found.add(above)
    return sorted(found)


def _managed(device: Path) -> bool:
    """Return whether udev speaks of this path; it knows nothing of pseudo-terminals and of links elsewhere."""
    return device.is_relative_to(DEV) and not device.is_relative_to(DEV / "pts")


def _behind(link: Path) -> Path:
    try:
        return link.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return link
