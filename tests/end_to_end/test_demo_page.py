"""The demo serves the station's page, and says where."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.plant import PATIENCE, ROOT

pytest.importorskip("amqtt")


@contextmanager
def demo(directory: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "demo", *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)


def test_the_page_shows_the_recorded_scans(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        assert process.stdout is not None
        address = ""
        while not address:
            line = process.stdout.readline()
            assert line, "it has ended"
            found = re.search(r"http://127\.0\.0\.1:[0-9]+/", line)
            address = found[0] if found else ""
        with urllib.request.urlopen(f"{address}events", timeout=PATIENCE) as answer:  # noqa: S310 - what it printed
            shown: list[dict[str, str]] = []
            while not shown:
                line = answer.readline().decode()
                assert line, "the stream has ended"
                if line.startswith("data: "):
                    shown = json.loads(line.removeprefix("data: "))["recent"]
        assert {one["word"] for one in shown} <= {"Accepted", "Check", "Do not use", "Not valid"}


def test_without_a_page_it_prints_no_address(tmp_path: Path) -> None:
    with demo(tmp_path, "--no-page", "--count", "1") as process:
        out, _ = process.communicate(timeout=PATIENCE * 4)
        assert process.returncode == 0
        assert "1 events" in out
        assert "http" not in out
