"""The daemon under a real systemd: installed offline, ready, confined, killed, watched, stopped in order."""

import json

from tests.brokers import Broker, Subscriber
from tests.vm.box import STATE, Box
from tests.vm.labels import label, text

SERIAL = 'name = "front"\ndevice = "/dev/ttyUSB0"\n'
MAX_EXPOSURE = 1.5


def test_installed_as_on_a_real_box(box: Box) -> None:
    assert box.agent.run("scangate --version").startswith("scangate ")
    assert box.agent.run("id -nG scangate").split() == ["scangate", "dialout", "gpio"]
    assert box.agent.run("stat -c '%a %U' /etc/scangate/credentials") == "700 root"
    assert box.agent.run("stat -c '%a %U' /var/lib/scangate") == "700 scangate"


def test_a_life_under_systemd(box: Box, broker: Broker, consumer: Subscriber) -> None:
    """Ready when it says so; confined; killed and back; stopped in order. Everything it signalled arrives."""
    line = box.machine.plug_serial("adapter")
    box.run(SERIAL, broker=broker.port)
    assert box.agent.run("systemctl is-active scangate") == "active"
    box.wait_link("front", "connected")
    line.send(label(1))
    box.wait_scans(1)

    assert (
        float(box.agent.run("systemd-analyze security scangate --no-pager | grep -o '[0-9.]* OK'").split()[0])
        <= MAX_EXPOSURE
    )
    pid = box.agent.run("systemctl show -P MainPID scangate")
    inside = f"nsenter -t {pid} -m --"
    assert box.agent.try_run(f"{inside} touch /usr/probe").code != 0
    assert box.agent.try_run(f"{inside} touch {STATE}/probe && rm {STATE}/probe").code == 0
    status = box.agent.run(f"cat /proc/{pid}/status")
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "CapEff:\t0000000000000000" in status

    told = len(box.told)
    box.agent.run("systemctl kill -s KILL scangate")
    box.wait_for(lambda: any("ok" in one for one in box.told[told:]), "it is back")
    assert box.agent.run("systemctl show -P NRestarts scangate") == "1"
    box.wait_link("front", "connected")
    line.send(label(2))
    box.wait_scans(2)
    box.agent.run("systemctl stop scangate")
    assert box.agent.run("systemctl show -P Result scangate") == "success"
    assert box.texts() == [text(1), text(2)]

    def arrived() -> list[str]:
        """What came, first arrivals: the first scan's mark of delivery may have died with the daemon."""
        return list(dict.fromkeys(json.loads(body)["id"] for body in consumer.bodies))

    box.wait_for(lambda: len(arrived()) >= 2, "both arrive")
    assert arrived() == box.signalled()


def test_a_daemon_that_stands_still_is_replaced(box: Box) -> None:
    """The watchdog, shortened: it kills and starts again what does not answer."""
    box.agent.run("mkdir -p /run/systemd/system/scangate.service.d")
    box.agent.write("/run/systemd/system/scangate.service.d/short.conf", "[Service]\nWatchdogSec=6\n")
    box.agent.run("systemctl daemon-reload")
    line = box.machine.plug_serial("adapter")
    box.run(SERIAL)
    told = len(box.told)
    box.agent.run("systemctl kill -s STOP --kill-whom=main scangate")
    box.wait_for(lambda: any("ok" in one for one in box.told[told:]), "another one runs")
    assert "watchdog" in box.agent.run("journalctl -u scangate --no-pager -o cat").lower()
    box.wait_link("front", "connected")
    line.send(label(1))
    box.wait_scans(1)
