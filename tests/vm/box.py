"""scangate installed in the guest as on a real box: its unit, its scanners, and two witnesses of what it did."""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct

from tests.brokers import wait_for
from tests.vm.agent import CommandError
from tests.vm.channel import ChannelError
from tests.vm.machine import Machine

PATIENCE: Final = 180.0
"""Seconds for what must happen in an emulated machine, on a host that may be busy with other things."""
WATCH_PORT: Final = "org.scangate.watch"
STATE: Final = "/var/lib/scangate"
HOST: Final = "10.0.2.2"
"""The host, as QEMU's user network shows it to the guest."""
HEAD: Final = """
[gateway]
tenant = "vgr"
site = "su"
id = "gw01"
[station]
id = "op3"
profile = "operating-room"
[outbox]
min_free_bytes = 0
"""
STORE: Final = "/usr/local/lib/scangate-test"
"""Where the guest's side of the bench lies in the guest."""


class Scan(Struct, frozen=True, kw_only=True):
    """One scan as the outbox holds it."""

    scanner: str
    symbology: str | None
    text: str
    quality: tuple[str, ...]


class Box:
    """The daemon in the guest. One per resumed machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.agent = machine.agent
        self.told: list[dict[str, Any]] = []
        """What the daemon told its watchers, as it left the machine."""
        self._listener: threading.Thread | None = None

    def configure(self, *scanners: str, extra: str = "", broker: int | None = None) -> None:
        """Write the configuration: a `[[scanner]]` body each, the broker's port on the host."""
        bodies = "".join(f"[[scanner]]\n{one.strip()}\n" for one in scanners)
        urls = f'[broker]\nurls = ["mqtt://{HOST}:{broker}"]\n' if broker else ""
        self.agent.write("/etc/scangate/scangate.toml", f"{HEAD}{extra}\n{bodies}{urls}")

    def watch(self) -> None:
        """Begin to note what the daemon tells."""
        port = self.machine.port(WATCH_PORT)
        self._listener = threading.Thread(target=self._listen, args=(port,), daemon=True)
        self._listener.start()
        self.agent.begin(f"exec python3 {STORE}/watch.py /dev/virtio-ports/{WATCH_PORT}")

    def _listen(self, port: socket.socket) -> None:
        with suppress(OSError), port, port.makefile("rb") as lines:
            for line in lines:
                with suppress(ValueError):  # the power was cut in the middle of a line
                    self.told.append(json.loads(line))

    def cut_power(self) -> None:
        """Pull the machine's plug; what had left it by then is in `told` when this returns."""
        self.machine.power_cut()
        if self._listener is not None:
            self._listener.join()
            self._listener = None

    def shut_down(self) -> None:
        """Shut the machine down in order."""
        self.machine.shut_down()
        self.cut_power()

    def boot(self) -> None:
        """Boot it again from its disk."""
        self.machine.start()
        self.agent = self.machine.agent

    def start(self, *, watching: bool = True) -> None:
        """Start the daemon as systemd does; it is ready, and watched, when this returns."""
        if watching and self._listener is None:
            self.watch()
        seen = len(self.told)
        done = self.agent.try_run("systemctl start scangate")
        assert done.code == 0, self.log()
        if watching:
            self.wait_for(lambda: any("ok" in one for one in self.told[seen:]), "the daemon is watched")

    def run(self, *scanners: str, extra: str = "", broker: int | None = None) -> None:
        """Configure and start."""
        self.configure(*scanners, extra=extra, broker=broker)
        self.start()

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """What was told, from an earlier `len(box.told)` on."""
        return [one["event"] for one in self.told[since:] if "event" in one]

    def signalled(self, since: int = 0) -> list[str]:
        """Ids of the scans that were signalled as recorded."""
        return [one["id"] for one in self.events(since) if one.get("id")]

    def counters(self) -> dict[str, int]:
        """Return how many scans came to which end."""
        counters: dict[str, int] = self.ask("status")["counters"]
        return counters

    def discarded(self) -> dict[str, int]:
        """Return how many frames were thrown away, by reason."""
        return {name.partition(".")[2]: n for name, n in self.counters().items() if name.startswith("discarded.")}

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until something holds; where it does not, say how the daemon is."""
        try:
            wait_for(condition, what, PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._how_it_is()}") from error

    def _how_it_is(self) -> str:
        try:
            return f"{self.counters()}\n{self.texts()}\n{self.log()}"
        except (CommandError, ChannelError, TimeoutError) as error:
            return f"the guest does not say how it is: {error}"

    def wait_link(self, scanner: str, link: str) -> None:
        """Wait until a scanner is in this state."""

        def reached() -> bool:
            states = {one["name"]: one["link"] for one in self.ask("scanners")}
            return bool(states[scanner] == link)

        self.wait_for(reached, f"{scanner} is {link}")

    def wait_scans(self, count: int, since: int = 0) -> None:
        """Wait until so many scans were signalled."""
        self.wait_for(lambda: len(self.signalled(since)) >= count, f"{count} scans are signalled")

    def ask(self, do: str, **arguments: object) -> Any:  # noqa: ANN401 - each request has its own answer
        """Ask the daemon over its control socket."""
        request = json.dumps({"do": do, "args": arguments})
        answer = json.loads(self.agent.run(f"python3 {STORE}/ask.py '{request}'"))
        assert answer["ok"], answer
        return answer["result"]

    def journal(self, directory: str = STATE) -> list[str]:
        """Every event in the outbox, in order, as it will be or was sent."""
        bodies: list[str] = json.loads(self.agent.run(f"python3 {STORE}/journal.py {directory}/outbox.db"))
        return bodies

    def scans(self) -> list[Scan]:
        """Every scan in the outbox, in order."""
        events = [json.loads(body)["data"] for body in self.journal()]
        return [
            Scan(
                scanner=data["station"]["scanner"],
                symbology=symbol["symbology"],
                text=symbol["text"],
                quality=tuple(symbol["quality"]),
            )
            for data in events
            for symbol in data.get("symbols", ())
        ]

    def texts(self, scanner: str | None = None) -> list[str]:
        """Return the texts of the scans in the outbox, of one scanner or of all."""
        return [one.text for one in self.scans() if scanner in (None, one.scanner)]

    def log(self) -> str:
        """What the daemon wrote to the journal."""
        return self.agent.try_run("journalctl -u scangate --no-pager -o cat").out

    def plug(self, name: str, vendor: str, product: str, serial: str, kinds: str, port: int | None = None) -> None:
        """Make a USB scanner in the guest and plug it in; port 0 to 3."""
        controller = "" if port is None else f"dummy_udc.{port}"
        self._gadget(f"plug {name} {vendor} {product} {serial} {kinds} {controller}")

    def unplug(self, name: str) -> None:
        """Pull such a scanner's cable."""
        self._gadget(f"unplug {name}")

    def replug(self, name: str, port: int | None = None) -> None:
        """Plug such a scanner in again."""
        self._gadget(f"replug {name} {'' if port is None else f'dummy_udc.{port}'}")

    def leds(self, name: str) -> int:
        """Return the lights that the host has newly switched on at such a keyboard (bit 1: Caps Lock), or 0."""
        return int(self._gadget(f"leds {name}"))

    def send(self, name: str, kind: str, data: bytes, *, gap: float = 0.0) -> int:
        """Let such a scanner send reports or bytes; return the process to wait for with `agent.result`.

        It takes only the time that the box has left over: a real scanner has a processor of its own.
        """
        file = self._write_reports(name, kind, data)
        return self.agent.begin(f"exec chrt -i 0 python3 {STORE}/gadget.py send {name} {kind} {file} {gap}")

    def sent(self, name: str, kind: str, data: bytes, *, gap: float = 0.0) -> None:
        """Let such a scanner send, and wait until everything was taken."""
        done = self.agent.result(self.send(name, kind, data, gap=gap))
        assert done.code == 0, done

    def break_off(self, name: str, kind: str, data: bytes) -> None:
        """Let such a scanner send, and pull its cable at once."""
        file = self._write_reports(name, kind, data)
        self._gadget(f"break {name} {kind} {file}")

    def pair(self, name: str, vendor: str, product: str, address: str) -> None:
        """Let a Bluetooth scanner that types come into reach."""
        self.agent.run(
            f"modprobe uhid && rm -f {_fifo(name)} && systemd-run --collect --unit=ring-{name}"
            f" python3 {STORE}/gadget.py ring {vendor} {product} {address} {_fifo(name)}"
        )
        self.wait_for(lambda: not self.agent.try_run(f"test -p {_fifo(name)}").code, f"{name} is in reach")

    def part(self, name: str) -> None:
        """Let such a scanner go out of reach."""
        self.agent.run(f"systemctl stop ring-{name}")

    def typed(self, name: str, data: bytes) -> None:
        """Let such a scanner send reports."""
        self.agent.run(f"cat {self._write_reports(name, 'ring', data)} >{_fifo(name)}")

    def _write_reports(self, name: str, kind: str, data: bytes) -> str:
        file = f"/run/{name}-{kind}.reports"
        self.agent.write(file, data)
        return file

    def _gadget(self, command: str) -> str:
        return self.agent.run(f"python3 {STORE}/gadget.py {command}")


def _fifo(name: str) -> str:
    return f"/run/ring-{name}"


def port_of(number: int) -> str:
    """Return what `match.port` calls the port that `Box.plug` numbers."""
    return f"platform-dummy_hcd.{number}-usb-0:1"
