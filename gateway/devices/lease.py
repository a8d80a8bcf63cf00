"""Lends a scanner's port for reading and writing the scanner's own settings, while the scanner goes on working.

The daemon keeps the port and passes the bytes on. The descriptor itself could be passed too, but then nobody could
take the port back from a client that hangs, a new daemon would find it locked by that client, and a scan that the
client reads would be lost with it. So every scan still goes through the daemon's reader, and the client gets a copy
of the bytes to look for its answers in.

A scan is never taken for an answer. The dialects know answers by their vendor's form and make replies of them; only
a frame that has the form of a line of an answer (`Terms.is_answer`), and comes behind a question, is withheld,
counted and logged. Whatever is doubtful is a scan. Example: a Honeywell scanner is asked `REVINF`. The line
`Serial Number: 1106` is withheld, `VGR-200010` is a scan, and so is `Serial Number: 1106` when nothing was asked.

A lease ends by being returned, with the connection it was asked for on, after `control.CLIENT_SECONDS` without a
word from the client, and after MAX_SECONDS whatever the client does.
"""

import base64
import binascii
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from drivers.base import DriverError, Loan
from drivers.model import ConnectionState, RawScan, ScannerInput
from gateway.devices.lease_terms import NO_TERMS, Terms, terms_of
from gateway.devices.scanner_reader import ScannerReader
from gateway.system.control_socket import RequestError

log = logging.getLogger(__name__)

MAX_SECONDS: Final = 300.0
"""Longest lease: bringing a scanner to a profile takes some ten seconds, with a restart and repeated questions some
sixty."""
READ_SECONDS: Final = 4.0
"""One answer of the control socket takes so long at most: less than a client waits for it."""
MAX_HEARD: Final = 64 * 1024
"""Bytes that wait for the borrower: far more than all answers of a scanner together. Of more, the oldest go."""
MAX_WRITE: Final = 4096
"""One message to a scanner; the longest is a few hundred bytes, and more would not fit the line's buffer."""
ANSWER_NS: Final = 2_500_000_000
"""What comes so long after a command may be an answer to it: scanners take 2 s at most (SSI response timeout)."""
GONE_SECONDS: Final = 3.0
"""A line that is not there for so long is gone: a scanner that starts anew may leave some time after it said so."""
REST_SECONDS: Final = 0.05
"""Beyond the silence that ends a frame: for the reading thread to take note of it."""
MOST_REST_SECONDS: Final = 1.0
"""Longest wait for that silence: somebody may be scanning."""
OPEN_POLL_SECONDS: Final = 0.02
"""Between two looks whether a line that was let go is there again."""


class LeaseOverError(ConnectionError):
    """The lease has ended, or the scanner is gone. The message says which."""


class Lease:
    """One scanner's line, lent. Used by one borrower; `hear` and `withholds` belong to the reading thread."""

    def __init__(
        self,
        reader: ScannerReader,
        terms: Terms = NO_TERMS,
        *,
        gives_way: bool = False,
        seconds: float = MAX_SECONDS,
    ) -> None:
        """Begin it. Raises DriverError. `gives_way`: it ends as soon as somebody scans."""
        self.scanner = reader.name
        self.withheld = 0
        """Frames that were lines of answers, and not codes."""
        self.scanned = False
        """A code came meanwhile. It went its way."""
        self._reader = reader
        self._terms = terms
        self._gives_way = gives_way
        self._heard = bytearray()
        self._news = threading.Condition()
        self._heard_at = 0.0
        self._asked_ns: int | None = None
        self._latest_ns = 0
        self._over = ""
        # The timer first: where no thread can be started there is no lease, and the scanner keeps its line.
        self._time_is_up = threading.Timer(seconds, self._time_up)
        self._time_is_up.daemon = True
        try:
            self._time_is_up.start()
        except RuntimeError as error:
            raise LeaseOverError(f"scanner {self.scanner} cannot be lent now: {error}; try again") from error
        try:
            self._loan: Loan = reader.scanner.lend(self._hear, hold=terms.hold)
        except BaseException:
            self._time_is_up.cancel()
            raise
        reader.begin_lease(self)

    @property
    def over(self) -> bool:
        """It has ended."""
        return bool(self._over)

    def write(self, data: bytes) -> None:
        """Send bytes to the scanner. Raises LeaseOverError."""
        self._be_there()
        now = time.monotonic_ns()
        if self._asked_ns is None or now > self._latest_ns + ANSWER_NS:
            self._asked_ns = now
        self._latest_ns = now
        if not self._loan.write(data):
            raise LeaseOverError(f"scanner {self.scanner} is gone, or takes no command")

    def read(self, seconds: float) -> bytes:
        """Return what came, or nothing when nothing came for so many seconds. Raises LeaseOverError."""
        self._check()
        with self._news:
            self._news.wait_for(lambda: self._heard or self._over, max(0.0, seconds))
            data = bytes(self._heard)
            self._heard.clear()
        if not data:
            self._be_there()
        return data

    def reopen(self, baud: int | None) -> None:
        """Have the line let go and opened again; what was heard is forgotten. Raises LeaseOverError."""
        self._check()
        self._loan.reopen(baud)
        with self._news:
            self._heard.clear()

    def wait_open(self, seconds: float) -> bool:
        """Wait until the line is there again. Raises LeaseOverError when the lease ends first."""
        end = time.monotonic() + seconds
        while not self._loan.open:
            if time.monotonic() >= end:
                return False
            with self._news:
                self._news.wait_for(lambda: bool(self._over), OPEN_POLL_SECONDS)
            self._check()
        return True

    def end(self, why: str = "it was returned", *, returned: bool = False) -> None:
        """Give the line back. Safe from any thread, and more than once; not from the reading one if `returned`.

        In order, that waits until the last answer has passed: the next code is not to be taken for its end.
        """
        if returned:
            self._rest()
        with self._news:
            if self._over:
                return
            self._over = why
            self._news.notify_all()
        self._time_is_up.cancel()
        self._reader.end_lease(self)
        self._loan.end(b"" if returned else self._terms.last_words)

    def _time_up(self) -> None:
        self.end("its time was up")

    def withholds(self, item: ScannerInput) -> bool:
        """Return whether this is a line of an answer, and no code. Called by the reading thread."""
        if not isinstance(item, RawScan):
            return False
        if self._may_be_answer(item.frame.started_ns) and self._terms.is_answer(item.frame.data):
            self.withheld += 1
            log.info("scanner=%s withheld a line of an answer bytes=%d", self.scanner, len(item.frame.data))
            return True
        self.scanned = True
        if self._gives_way:
            self.end("somebody scans with it")
        return False

    def _rest(self) -> None:
        silence = self._reader.scanner.settings.idle_ms / 1000 + REST_SECONDS
        end = time.monotonic() + MOST_REST_SECONDS
        with self._news:
            while not self._over and (left := min(self._heard_at + silence, end) - time.monotonic()) > 0:
                self._news.wait(left)

    def _may_be_answer(self, began_ns: int) -> bool:
        return self._asked_ns is not None and self._asked_ns <= began_ns <= self._latest_ns + ANSWER_NS

    def _hear(self, data: bytes) -> None:
        with self._news:
            self._heard += data
            self._heard_at = time.monotonic()
            del self._heard[:-MAX_HEARD]
            self._news.notify_all()

    def _be_there(self) -> None:
        """Make sure that there is a line to speak over."""
        self._check()
        if not self.wait_open(GONE_SECONDS):
            raise LeaseOverError(f"scanner {self.scanner} is gone")

    def _check(self) -> None:
        if self._over:
            raise LeaseOverError(f"the lease of scanner {self.scanner} has ended: {self._over}")


class Lender:
    """Begins leases, and ends all of them with the daemon."""

    def __init__(
        self, readers: Mapping[str, ScannerReader], note: Callable[[str, Mapping[str, Any]], None]
    ) -> None:
        """`note` is called with what a borrower found out of a scanner's settings."""
        self._readers = readers
        self._note = note
        self._leases: set[Lease] = set()
        self._lock = threading.Lock()
        self._closed = False

    def begin(self, name: str, terms: Terms = NO_TERMS, *, gives_way: bool = False) -> Lease:
        """Lend a scanner's line. Raises DriverError, KeyError, LeaseOverError when the daemon ends."""
        with self._lock:
            if self._closed:
                raise LeaseOverError("the daemon ends")
            self._leases = {one for one in self._leases if not one.over}
            lease = Lease(self._readers[name], terms, gives_way=gives_way)
            self._leases.add(lease)
            return lease

    def lend(self, args: Mapping[str, Any]) -> "Borrowing":
        """Answer the request `lend`: args scanner, vendor. Raises RequestError."""
        name, vendor = args.get("scanner"), args.get("vendor")
        if not isinstance(name, str) or name not in self._readers:
            known = ", ".join(sorted(self._readers))
            raise RequestError(f"there is no scanner {name!r}: this station has {known}")
        if not isinstance(vendor, str):
            raise RequestError('expected args {"scanner": NAME, "vendor": NAME}')
        scanner = self._readers[name].scanner
        if scanner.settings.driver == "serial" and scanner.connection is not ConnectionState.CONNECTED:
            raise RequestError(f"scanner {name} is {scanner.connection}: {scanner.connection_detail}")
        try:
            lease = self.begin(name, terms_of(vendor))
        except (DriverError, LeaseOverError) as error:
            raise RequestError(str(error)) from error
        return Borrowing(lease, self._note)

    def close(self) -> None:
        """End every lease: the scanners are left as after any other."""
        with self._lock:
            self._closed = True
            leases, self._leases = self._leases, set()
        for lease in leases:
            lease.end("the daemon ends")


class Borrowing:
    """What the borrower of a line may ask on its connection (`gateway.system.control_socket.Conversation`)."""

    def __init__(self, lease: Lease, note: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._lease = lease
        self._note = note
        self._requests: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
            "write": self._write,
            "read": self._read,
            "reopen": self._reopen,
            "opened": self._opened,
            "note": self._take_note,
            "return": self._return,
        }
        self.over = False

    @property
    def opening(self) -> object:
        """The answer to the request that began it."""
        return {"scanner": self._lease.scanner}

    def answer(self, do: str, args: Mapping[str, Any]) -> object:
        """Answer one request. Raises RequestError."""
        if do not in self._requests:
            raise RequestError(f"while a port is lent: {', '.join(sorted(self._requests))}")
        try:
            return self._requests[do](args)
        except LeaseOverError as error:
            raise RequestError(str(error)) from error

    def close(self) -> None:
        """The connection is over, however that came."""
        self._lease.end("its client went away")

    def _write(self, args: Mapping[str, Any]) -> object:
        data = _bytes(args.get("data"))
        if len(data) > MAX_WRITE:
            raise RequestError(f"expected at most {MAX_WRITE} bytes, got {len(data)}")
        self._lease.write(data)
        return None

    def _read(self, args: Mapping[str, Any]) -> object:
        return base64.b64encode(self._lease.read(_seconds(args))).decode()

    def _reopen(self, args: Mapping[str, Any]) -> object:
        baud = args.get("baud")
        if baud is not None and (not isinstance(baud, int) or baud < 1):
            raise RequestError("expected a baud rate, or null")
        self._lease.reopen(baud)
        return None

    def _opened(self, args: Mapping[str, Any]) -> object:
        return self._lease.wait_open(_seconds(args))

    def _take_note(self, args: Mapping[str, Any]) -> object:
        self._note(self._lease.scanner, args)
        return None

    def _return(self, _args: Mapping[str, Any]) -> object:
        self._lease.end(returned=True)
        self.over = True
        return {"withheld": self._lease.withheld}


def _seconds(args: Mapping[str, Any]) -> float:
    seconds = args.get("seconds")
    if not isinstance(seconds, int | float):
        raise RequestError('expected args {"seconds": NUMBER}')
    return min(float(seconds), READ_SECONDS)


def _bytes(text: object) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, str) else "?", validate=True)
    except binascii.Error as error:
        raise RequestError("expected bytes as base64") from error
