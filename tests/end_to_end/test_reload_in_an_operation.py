"""The configuration is reloaded in the middle of an operation: the next scan still means what was chosen."""

import signal
from pathlib import Path

import msgspec

from gateway.station.control_codes import ControlCodes
from gateway.system.control_socket import ask
from tests.end_to_end.plant import label, plant, wait_for

KEY = bytes(range(16))


def test_a_reload_keeps_action_and_case(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY.hex())
    codes = ControlCodes("su", KEY)
    with plant(tmp_path, extra='[context]\ncase_mode = "clear"\n') as one:
        gateway = one.gateway
        text = gateway.config.read_text()
        gateway.config.write_text(text.replace("[station]", f'[station]\ncode_key_file = "{tmp_path / "key"}"', 1))
        gateway.start()
        for code in ("RETURN", "LOCK"):  # until it is ended, and not for one item
            gateway.wire.write(b"]d2" + codes.write(code).encode() + b"\r")
        gateway.wire.write(b"]d2orbit:OP-1\r" + label(1))
        wait_for(lambda: gateway.stored() == 1, "the first scan is stored")
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGHUP)
        wait_for(lambda: gateway.log.read_text().count(" ready ") == 2, "the daemon has begun again")
        wait_for(lambda: gateway.scanner()["link"] == "connected", "it reads the scanner")
        view = ask(gateway.socket, "station")
        assert (view["action"], view["contextKinds"]) == ("return", ["case"])
        gateway.wire.write(label(2))
        wait_for(lambda: gateway.stored() == 2, "the second scan is stored")
        gateway.stop()
        events = [msgspec.json.decode(body)["data"] for body in gateway.journal()]
    assert [(one["action"], one["context"]["case"]) for one in events] == [("return", "orbit:OP-1")] * 2
