"""Every command of these groups says what it does, and shows an example."""

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    "command",
    [
        "parse",
        *("articles import", "articles status", "articles lookup"),
        *("outbox status", "outbox list", "outbox show", "outbox export"),
        *("config check", "config show", "config schema"),
        *("station sheet", "station key"),
        "init",
        *("firmware profiles", "firmware show", "firmware check", "firmware apply", "firmware page"),
        *("scanners list", "scanners watch", "scanners test", "scanners calibrate", "scanners sheet"),
    ],
)
def test_help(run: Run, command: str) -> None:
    ran = run(*command.split(), "--help")
    assert ran.code == 0
    assert f"usage: scangate {command} " in ran.out
    assert f"scangate {command}" in ran.out.partition("example")[2]
