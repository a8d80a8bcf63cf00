"""Every way of not delivering is an alarm that names its cause, and health never says ok meanwhile.

The daemon as it is, in this process, with real brokers and the network between them; only its bounds are short:
what waits for five minutes on a box is an alarm here after half a second.
"""

import select
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from gateway.app import Life, run
from gateway.config.loader import parse
from gateway.events.cloudevent import gateway_source
from gateway.monitoring import alarms
from gateway.mqtt import connection, publisher, session
from gateway.mqtt.delivery_memory import DeliveryMemory
from gateway.outbox.box_identity import read_identity
from gateway.outbox.writer import Outbox
from gateway.system.control_socket import DaemonUnreachableError, ask
from tests.brokers import Broker, Subscriber, wait_for
from tests.certificates import make_authority, make_certificate
from tests.faults.scripted import ScriptedBroker, Told
from tests.mqtt.central import Central
from tests.mqtt.conftest import hurried
from tests.mqtt.courier import TOPICS
from tests.outbox.events import ROOMY, draft, reading

__all__ = ["hurried"]  # the fixture
pytestmark = [
    pytest.mark.usefixtures("hurried"),
    # paho drops the socket of a failed handshake unclosed; dropping it closes it
    pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"),
]
EVENTS = 40
OPEN = "allow_anonymous true\nmax_queued_messages 0"
PAST, FUTURE = ("20200101000000Z", "20200201000000Z"), ("20990101000000Z", "20990201000000Z")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the bounds short that are minutes on a box."""
    monkeypatch.setattr(alarms, "WAITING_SECONDS", 0.5)
    monkeypatch.setattr(publisher, "BACKOFF_CREDENTIALS", 0.2)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the broker's bounds short, too, where it answers nothing."""
    monkeypatch.setattr(session, "UNACKED_SECONDS", 0.5)
    monkeypatch.setattr(connection, "CONNACK_SECONDS", 0.5)


class Daemon:
    """The daemon with events that wait, in threads of this process."""

    def __init__(self, directory: Path, broker: Mapping[str, Any]) -> None:
        self.socket = directory / "control.sock"
        state = directory / "state"
        state.mkdir()
        outbox = Outbox(state / "outbox.db", ROOMY, read_identity(gateway_source("vgr", "su", "gw01")))
        outbox.append([draft(number) for number in range(1, EVENTS + 1)], reading(), seal=True)
        outbox.close(reading())
        document = {
            "gateway": {"tenant": "vgr", "site": "su", "id": "gw01"},
            "station": {"id": "op3", "profile": "operating-room"},
            "state": {"directory": str(state)},
            "outbox": {"min_free_bytes": 0},
            "broker": dict(broker),
        }
        self._config = parse(document, "test")
        self._life = Life()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._live)

    def _live(self) -> None:
        try:
            run(self._config, self.socket, life=self._life)
        except BaseException as error:  # noqa: BLE001 - the test says it
            self._failed.append(error)

    def start(self) -> None:
        self._thread.start()
        wait_for(self._answers, "the daemon answers")

    def _answers(self) -> bool:
        assert not self._failed, self._failed
        with suppress(DaemonUnreachableError):
            return bool(ask(self.socket, "status"))
        return False

    def health(self) -> dict[str, Any]:
        status: dict[str, Any] = ask(self.socket, "status")
        return status

    def alarm(self, *words: str) -> None:
        """Wait until what waits is an alarm, and one names the cause; nothing counts as delivered meanwhile."""
        seen: list[dict[str, Any]] = []

        def named() -> bool:
            seen.append(self.health())
            found = seen[-1]["alarms"]
            assert not (seen[-1]["ok"] and any("have waited" in one for one in found))
            return any("have waited" in one for one in found) and all(
                any(word in one for one in found) for word in words
            )

        try:
            wait_for(named, f"alarms with {words}", 40)
        except AssertionError as error:
            raise AssertionError(f"{error}; the last: {seen[-1:]}") from error
        assert seen[-1]["ok"] is False
        assert seen[-1]["sequence"]["delivered"] == 0

    def stop(self) -> None:
        self._life.end()
        self._thread.join(30)
        assert not self._thread.is_alive()
        assert not self._failed, self._failed


class Bench:
    """What a test starts; all of it ends with the test."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self._stack = stack

    def mosquitto(self, config: str = OPEN) -> Broker:
        broker = Broker(self.directory / "mosquitto", config)
        broker.start()
        self._stack.callback(broker.kill)
        return broker

    def scripted(self, script: Callable[[Told], bool]) -> ScriptedBroker:
        broker = self._stack.enter_context(closing(ScriptedBroker()))
        broker.script = script
        return broker

    def listen(self, broker: Broker) -> None:
        one = Subscriber(broker.port, "udi/#")
        self._stack.callback(one.close)
        one.subscribed()

    def central(self, broker: Broker) -> Central:
        return self._stack.enter_context(closing(Central(broker)))

    def keep(self, what: Any) -> Any:  # noqa: ANN401 - whatever has `close`
        return self._stack.enter_context(closing(what))

    @contextmanager
    def daemon(self, url: str, *, met_an_intake: bool = False, **broker: object) -> Iterator[Daemon]:
        one = Daemon(self.directory, {"urls": [url], **broker})
        if met_an_intake:
            DeliveryMemory(self.directory / "state" / "delivery.json").change(acks=True, since="1")
        one.start()
        try:
            yield one
        finally:
            one.stop()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(tmp_path, stack)


class BlackHole:
    """A way that loses what is larger than 1,400 bytes, and with it what comes behind: TCP sends it again for ever."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.socket()
        self._listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 2048
        )  # what does not pass stays at the sender
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        while not self._over.is_set():
            if select.select([self._listener], [], [], 0.1)[0]:
                near, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._pass, args=(near,)))
                self._threads[-1].start()

    def _pass(self, near: socket.socket) -> None:
        lost = False
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as far:
            while not self._over.is_set():
                for link in select.select([far] if lost else [near, far], [], [], 0.1)[0]:
                    data = link.recv(4096)
                    if not data:
                        return
                    if link is near and len(data) > 1400:
                        lost = True
                    else:
                        (far if link is near else near).sendall(data)

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(20)
        self._listener.close()


def silent(_told: Told) -> bool:
    return True


def answers(reason: int) -> Callable[[Told], bool]:
    def script(told: Told) -> bool:
        told.ack(reason)
        return False

    return script


def hangs_up(told: Told) -> bool:
    raise OSError(f"on {told.mid}")


class TestBroker:
    @pytest.mark.usefixtures("impatient")
    def test_it_freezes_with_events_under_way(self, bench: Bench) -> None:
        with bench.daemon(bench.scripted(silent).url) as one:
            one.alarm("no acknowledgement for", "is it frozen?")

    @pytest.mark.usefixtures("impatient")
    def test_it_was_frozen_before(self, bench: Bench) -> None:
        broker = bench.mosquitto()
        broker.freeze()
        with bench.daemon(broker.url) as one:
            one.alarm("no answer to CONNECT, though the connection stands: is the broker frozen")
            broker.thaw()

    @pytest.mark.parametrize("protocol", ["5", "3.1.1"])
    def test_its_access_list_denies(self, bench: Bench, protocol: str) -> None:
        acl = bench.directory / "acl"
        acl.write_text("topic read udi/#\ntopic write udi/v1/vgr/su/gw01/status\n")
        acl.chmod(0o644)
        broker = bench.mosquitto(f"allow_anonymous true\nacl_file {acl}")
        bench.listen(broker)
        with bench.daemon(broker.url, protocol=protocol) as one:
            one.alarm("Not authorized" if protocol == "5" else "path unproven")

    def test_it_hangs_up_on_each_event(self, bench: Bench) -> None:
        with bench.daemon(bench.scripted(hangs_up).url, window=1) as one:
            one.alarm("the connection to the broker broke")

    def test_its_quota_is_exceeded(self, bench: Bench) -> None:
        with bench.daemon(bench.scripted(answers(0x97)).url) as one:
            one.alarm("Quota exceeded")

    def test_nobody_subscribes(self, bench: Bench) -> None:
        with bench.daemon(bench.mosquitto().url) as one:
            one.alarm("nobody subscribes")

    @pytest.mark.parametrize(
        ("limit", "words"),
        [
            ("max_packet_size 900", "maximum packet size of 900 bytes"),
            ("message_size_limit 900", "raise it"),
            ("max_qos 0", "takes QoS 0 only"),
        ],
    )
    def test_its_limits(self, bench: Bench, limit: str, words: str) -> None:
        broker = bench.mosquitto(f"{OPEN}\n{limit}")
        with bench.daemon(broker.url, protocol="5") as one:
            one.alarm(words)

    def test_it_refuses_the_password(self, bench: Bench) -> None:
        broker = bench.mosquitto("allow_anonymous false")
        with bench.daemon(broker.url) as one:
            one.alarm("credentials")

    def test_it_says_that_another_client_has_its_name(self, bench: Bench) -> None:
        """MQTT 5, 3.14.2.1: session taken over."""

        def takes_over(told: Told) -> bool:
            told.link.sendall(b"\xe0\x01\x8e")
            raise OSError(f"on {told.mid}")

        with bench.daemon(bench.scripted(takes_over).url) as one:
            one.alarm("another client connects with this box's client id")

    def test_another_client_has_its_name(self, bench: Bench) -> None:
        """Two boxes fight for ever; mosquitto 2.0 closes the older connection and does not say why."""
        broker = bench.mosquitto()
        rival = Client(CallbackAPIVersion.VERSION2, client_id="box", protocol=MQTTv5)
        rival.reconnect_delay_set(1, 1)
        with bench.daemon(broker.url, client_id="box") as one:
            rival.connect("127.0.0.1", broker.port)
            rival.loop_start()
            try:
                one.alarm("another client with this box's client id")
            finally:
                rival.disconnect()
                rival.loop_stop()

    def test_another_machine_has_its_identity(self, bench: Bench) -> None:
        """A cloned card: the machine says how it is on the topic of this one."""
        broker = bench.mosquitto()
        system = bench.central(broker)
        with bench.daemon(broker.url) as one:
            wait_for(lambda: one.health()["broker"]["url"], "connected")

            def named() -> bool:
                system.say(TOPICS.health, {"machine": "another"})
                return any("another machine works under this box's" in alarm for alarm in one.health()["alarms"])

            wait_for(named, "it is an alarm")


class TestWay:
    @pytest.mark.usefixtures("impatient")
    def test_a_black_hole_for_large_packets(self, bench: Bench) -> None:
        broker = bench.mosquitto()
        bench.listen(broker)
        hole: BlackHole = bench.keep(BlackHole(broker.port))
        with bench.daemon(hole.url) as one:
            one.alarm(
                "bytes have not reached the broker: the network is cut, or loses packets of an event's size (MTU)"
            )

    def test_nobody_is_there(self, bench: Bench) -> None:
        broker = bench.mosquitto()
        broker.kill()
        with bench.daemon(broker.url) as one:
            one.alarm("unreachable: [Errno 111] Connection refused")

    def test_its_name_is_not_known(self, bench: Bench) -> None:
        """RFC 6761, 6.4: names under `invalid` never resolve."""
        with bench.daemon("mqtt://broker.invalid") as one:
            one.alarm("broker.invalid: unreachable: its name is not known", "check DNS")


class TestCentralSystem:
    def test_it_does_not_acknowledge(self, bench: Bench) -> None:
        broker = bench.mosquitto()
        bench.listen(broker)
        with bench.daemon(broker.url, confirm="ack") as one:
            one.alarm(f"the central system does not acknowledge on {TOPICS.ack}")

    def test_its_announcement_is_gone(self, bench: Bench) -> None:
        """A broker whose storage was wiped; the box remembers the intake that it has met."""
        broker = bench.mosquitto()
        bench.listen(broker)
        with bench.daemon(broker.url, met_an_intake=True) as one:
            one.alarm("the intake's announcement is gone")


class TestTls:
    @pytest.fixture
    def keys(self, bench: Bench) -> Path:
        for authority in ("right", "other"):
            make_authority(bench.directory, authority)
        return bench.directory

    def secure(self, bench: Bench, keys: Path, certificate: str, more: str = "") -> str:
        files = f"cafile {keys}/right.crt\ncertfile {keys}/{certificate}.crt\nkeyfile {keys}/{certificate}.key\n"
        return bench.mosquitto(f"{files}{OPEN}\n{more}").url.replace("mqtt:", "mqtts:")

    @pytest.mark.parametrize(
        ("valid", "ca", "words"),
        [
            (None, "other", ("certificate verify failed", "check broker.ca_file")),
            (PAST, "right", ("certificate has expired by this box's clock", "check the clock")),
            (FUTURE, "right", ("certificate is not yet valid by this box's clock", "check the clock")),
        ],
        ids=["another authority", "expired", "the clock is behind"],
    )
    def test_the_brokers_certificate(
        self, bench: Bench, keys: Path, valid: tuple[str, str] | None, ca: str, words: tuple[str, ...]
    ) -> None:
        make_certificate(keys, "right", "broker", "IP:127.0.0.1", valid)
        with bench.daemon(self.secure(bench, keys, "broker"), ca_file=f"{keys}/{ca}.crt") as one:
            one.alarm(*words)

    @pytest.mark.parametrize(
        ("authority", "valid", "words"),
        [
            (None, None, ("the broker demands a client certificate: set broker.cert_file",)),
            ("right", PAST, ("this box's certificate has expired", "this box's certificate ended on 2020-02-01")),
            ("other", None, ("the broker does not know who issued this box's certificate",)),
        ],
        ids=["none", "expired", "of another authority"],
    )
    def test_this_boxs_certificate(
        self,
        bench: Bench,
        keys: Path,
        authority: str | None,
        valid: tuple[str, str] | None,
        words: tuple[str, ...],
    ) -> None:
        """TLS 1.3 refuses it behind the hand-shake (RFC 8446, 4.4.2.4): no less of MQTT is tried for that."""
        make_certificate(keys, "right", "broker", "IP:127.0.0.1")
        files: dict[str, Any] = {"ca_file": f"{keys}/right.crt"}
        if authority is not None:
            make_certificate(keys, authority, "client", "DNS:gw01", valid)
            files |= {"cert_file": f"{keys}/client.crt", "key_file": f"{keys}/client.key"}
        with bench.daemon(self.secure(bench, keys, "broker", "require_certificate true"), **files) as one:
            one.alarm(*words)
            assert one.health()["broker"]["protocol"] is None
        log = (bench.directory / "mosquitto" / "mosquitto.log").read_text()
        assert "New client connected" not in log

    def test_both_ends_are_always_said(self, bench: Bench, keys: Path) -> None:
        """And an alarm a month before."""
        make_certificate(keys, "right", "broker", "IP:127.0.0.1", ("20200101000000Z", "20990201000000Z"))
        make_certificate(keys, "right", "client", "DNS:gw01")
        files: dict[str, Any] = {"cert_file": f"{keys}/client.crt", "key_file": f"{keys}/client.key"}
        url = self.secure(bench, keys, "broker", "require_certificate true")
        with bench.daemon(url, ca_file=f"{keys}/right.crt", **files) as one:
            wait_for(lambda: one.health()["broker"]["certificateEnds"], "the broker's is known")
            health = one.health()
            assert health["broker"]["certificateEnds"].startswith("2099-02-01")
            assert any("this box's certificate ends on 20" in alarm for alarm in health["alarms"])
