"""What stands retained on the broker, said again at every connection: the box's health and article master."""

from gateway.mqtt.connection import Connection
from gateway.mqtt.publisher_status import StatusReporter
from gateway.system.wake_pipe import WakePipe


class RetainedState:
    """`put` may be called from any thread; the rest is used by the publisher's."""

    def __init__(self, wake: WakePipe, reporter: StatusReporter) -> None:
        self._wake = wake
        self._reporter = reporter
        self._wanted: dict[str, bytes] = {}
        self._sent: dict[str, bytes] = {}

    def put(self, topic: str, body: bytes) -> None:
        """Have this stand there now and after every reconnect."""
        if self._wanted.get(topic) != body:
            self._wanted = {**self._wanted, topic: body}
            self._wake.wake()

    def begin(self) -> None:
        """Send everything anew: a connection has begun, and its broker may know nothing."""
        self._sent = {}

    def send(self, connection: Connection) -> None:
        """Send what has changed. What a broker does not take is left out, and said: it would end the connection."""
        wanted = self._wanted
        if wanted == self._sent:
            return
        unfit = None
        for topic, body in wanted.items():
            if not connection.fits(topic, body):
                limit = connection.maximum_packet
                unfit = (
                    f"{len(body)} bytes for {topic} are beyond the broker's maximum packet size of {limit} bytes"
                )
            elif self._sent.get(topic) != body:
                connection.retain(topic, body)
        self._sent = wanted
        if not connection.retain_available:
            unfit = "the broker keeps no retained messages: health and status are not seen by who comes later"
        if unfit != self._reporter.value.state_problem:
            self._reporter.change(state_problem=unfit)
