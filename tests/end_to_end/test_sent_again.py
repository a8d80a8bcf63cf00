"""A dead letter, a technician, and the daemon at work: asked for once, it arrives as it was stored."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.cli import main
from gateway.outbox import dead_letters
from gateway.outbox.dead_letters import DeadLetter
from tests.end_to_end.plant import label, plant, wait_for

SCANS = 5
DEAD = 3


def test_a_dead_letter_is_sent_again_while_the_daemon_runs(tmp_path: Path) -> None:
    with plant(tmp_path) as one:
        gateway = one.gateway
        gateway.import_samples()
        gateway.start()
        for serial in range(1, SCANS + 1):
            gateway.wire.write(label(serial))
        wait_for(lambda: gateway.stored() == SCANS, "all are stored")
        gateway.stop()
        with closing(sqlite3.connect(gateway.state / "outbox.db")) as db, db:
            dead_letters.put(db, DeadLetter(sequence=DEAD, parked_ns=1, reason="refused", asked_ns=0))
        one.broker.start()
        consumer = one.listen()
        gateway.start()
        wait_for(lambda: gateway.status()["sequence"]["delivered"] == SCANS, "the others are delivered")
        assert gateway.status()["sequence"]["deadLetters"] == 1
        assert any("scangate outbox dead" in alarm for alarm in gateway.status()["alarms"])
        journal = gateway.journal()
        socket, config = str(gateway.socket), str(gateway.config)

        def asked() -> bool:
            """Whether the mark of delivery has passed it on disk is the daemon's business."""
            return main(["outbox", "retry", "-c", config, "--socket", socket, str(DEAD)]) == 0

        assert asked()
        wait_for(lambda: gateway.status()["sequence"]["deadLetters"] == 0, "it is delivered, and no dead letter")
        bodies = consumer.bodies
        assert json.loads(bodies[DEAD - 1])["type"] == "scangate.parked.v1", "its notice stood in its place"
        assert bodies == [*journal[: DEAD - 1], bodies[DEAD - 1], *journal[DEAD:], journal[DEAD - 1]]
        assert not asked(), "it is no dead letter any more"
        written = gateway.status()["disk"]["writtenBytes"]
        assert written is None or written >= 0
        assert main(["outbox", "backup", "-c", config, str(tmp_path / "backup.db")]) == 0
        assert main(["outbox", "restore", "-c", config, str(tmp_path / "backup.db")]) == 3, "the daemon runs"
        gateway.stop()
        assert main(["outbox", "restore", "-c", config, str(tmp_path / "backup.db")]) == 0
        gateway.start()
        status = gateway.status()
        assert status["sequence"]["epochBegins"] == SCANS + 1
        assert any("another outbox was put in its place" in alarm for alarm in status["alarms"])
        gateway.wire.write(label(99))
        wait_for(lambda: len(consumer.bodies) > SCANS, "and scans go on")
