"""What stands retained on the broker, said again at every connection: the box's health and article master.

It goes with QoS 1, so that a broker that finds it too large can say so; what a broker does not take is left out,
and said: it must not end the connection, or keep events from it.
"""

from collections import Counter
from typing import Final

from gateway.mqtt.connection import TOO_LARGE, Acknowledged, Connection
from gateway.mqtt.learned_limits import LearnedLimits
from gateway.mqtt.publisher_status import StatusReporter
from gateway.system.wake_pipe import WakePipe

BREAKS_BEFORE_LEFT_OUT: Final = 2
"""A message that was under way when the connection broke, this often in a row, is what the broker hangs up on."""


class RetainedState:
    """`put` may be called from any thread; the rest is used by the publisher's."""

    def __init__(self, wake: WakePipe, reporter: StatusReporter, limits: LearnedLimits) -> None:
        self._wake = wake
        self._reporter = reporter
        self._limits = limits
        self._hung_up = LearnedLimits()
        """What a broker hung up on, mostly: a bad network breaks connections, too, and no event is held for that."""
        self._wanted: dict[str, bytes] = {}
        self._sent: dict[str, bytes] = {}
        self._under_way: dict[int, tuple[str, int, float]] = {}
        self._breaks: Counter[str] = Counter()
        self._url = ""

    def put(self, topic: str, body: bytes) -> None:
        """Have this stand there now and after every reconnect."""
        if self._wanted.get(topic) != body:
            self._wanted = {**self._wanted, topic: body}
            self._wake.wake()

    def begin(self, url: str) -> None:
        """Send everything anew: a connection has begun, and its broker may know nothing."""
        for topic, size, _ in self._under_way.values():
            self._breaks[topic] += 1
            if self._breaks[topic] >= BREAKS_BEFORE_LEFT_OUT:
                self._hung_up.note(self._url, size)
                del self._breaks[topic]
        self._under_way.clear()
        self._sent = {}
        self._url = url

    @property
    def under_way(self) -> int:
        """Messages that the broker has not acknowledged; they take room in its window."""
        return len(self._under_way)

    def waiting_since(self) -> float | None:
        """Return since when a message has waited for its acknowledgement; None while none does."""
        return next((at for _, _, at in self._under_way.values()), None)

    def send(self, connection: Connection, most: int, now: float) -> None:
        """Send what has changed, as far as at most `most` are under way."""
        wanted = self._wanted
        if wanted is self._sent:
            return
        sent, unfit = dict(self._sent), None
        for topic, body in wanted.items():
            size = connection.packet_size(topic, body)
            limit, hung_up = connection.packet_limit, self._hung_up.limit(self._url)
            if limit is not None and size > limit:
                unfit = (
                    f"{len(body)} bytes for {topic} are beyond the broker's maximum packet size of {limit} bytes"
                )
                sent[topic] = body
            elif hung_up is not None and size > hung_up:
                unfit = f"{len(body)} bytes for {topic} are left out for a while: connections broke when they went"
                sent[topic] = body
            elif sent.get(topic) != body and len(self._under_way) < most:
                self._under_way[connection.retain(topic, body, qos=1)] = (topic, size, now)
                sent[topic] = body
        self._sent = wanted if sent == wanted else sent
        if not connection.retain_available:
            unfit = "the broker keeps no retained messages: health and status are not seen by who comes later"
        if unfit != self._reporter.value.state_problem:
            self._reporter.change(state_problem=unfit)

    def answered(self, connection: Connection, answer: Acknowledged) -> bool:
        """Take the broker's answer; False when it is about something else."""
        found = self._under_way.pop(answer.mid, None)
        if found is None:
            return False
        topic, size, _ = found
        del self._breaks[topic]
        if answer.reason == TOO_LARGE:
            self._limits.note(self._url, size)
            connection.learnt_limit = self._limits.limit(self._url)
            self._sent = {one: body for one, body in self._sent.items() if one != topic}
        return True
