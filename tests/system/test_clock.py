"""Time that may not be believed: readings, bounds and the forms they are written in."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from gateway import RELEASED
from gateway.system import clock
from gateway.system.clock import NS, Clock, ClockReading, boot_id, local_rfc3339


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * NS


@pytest.fixture(autouse=True)
def stockholm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Stockholm")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file by which systemd-timesyncd says that it has set the clock; and no bus to ask."""
    path = tmp_path / "synchronized"
    monkeypatch.setattr(clock, "SYNCHRONISED_FLAG", path)
    monkeypatch.setenv("PATH", str(tmp_path))
    return path


@pytest.mark.parametrize(
    ("wall", "bound", "sure", "today", "certain"),
    [
        ("2026-11-21T23:30:00+01:00", "2026-11-01T00:00:00+01:00", True, "2026-11-21", "2026-11-21"),
        ("2026-11-21T23:30:00+00:00", "2026-11-01T00:00:00+01:00", True, "2026-11-22", "2026-11-22"),
        ("2026-11-21T12:00:00+01:00", "2026-11-01T00:00:00+01:00", False, "2026-11-21", "2026-11-01"),
        ("1970-01-01T00:00:00+01:00", "2026-11-01T00:00:00+01:00", False, "2026-11-01", "2026-11-01"),
    ],
)
def test_dates(wall: str, bound: str, sure: bool, today: str, certain: str) -> None:  # noqa: FBT001 - a column
    reading = ClockReading(
        wall_ns=at(wall), monotonic_ns=1, boot_id="b", synchronised=sure, lower_bound_ns=at(bound)
    )
    assert reading.today() == date.fromisoformat(today)
    assert reading.certain_date() == date.fromisoformat(certain)


def test_the_wall_time_of_a_moment_of_this_boot() -> None:
    reading = ClockReading(
        wall_ns=1_000 * NS, monotonic_ns=60 * NS, boot_id="b", synchronised=True, lower_bound_ns=0
    )
    assert reading.wall_at(59 * NS) == 999 * NS
    assert reading.wall_at(61 * NS) == 1_001 * NS


def test_a_clock_nobody_has_set(flag: Path) -> None:
    ticking = Clock()
    now = ticking.now()
    assert not now.synchronised
    assert not ticking.observe()
    released = datetime.fromisoformat(RELEASED).replace(tzinfo=UTC)
    assert now.lower_bound_ns == int(released.timestamp()) * NS
    flag.touch()
    assert ticking.observe()
    assert ticking.now().synchronised
    assert ticking.now().lower_bound_ns >= now.wall_ns


def test_set_before_the_start(flag: Path) -> None:
    flag.touch()
    assert Clock().now().synchronised


@pytest.mark.parametrize(
    ("answer", "sure"),
    [("echo 'b true'", True), ("echo 'b false'", False), ("echo b true; exit 1", False), ("exit 1", False)],
)
def test_timedate1_knows_of_other_time_sources(
    flag: Path,
    tmp_path: Path,
    answer: str,
    sure: bool,  # noqa: FBT001 - a column of the table
) -> None:
    program = tmp_path / "busctl"
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    assert Clock().observe() is sure
    assert not flag.exists()


def test_the_lower_bound_only_rises(flag: Path) -> None:
    ticking = Clock()
    first = ticking.now().lower_bound_ns
    ticking.not_before(first + 5)
    ticking.not_before(first - 5)
    assert ticking.now().lower_bound_ns == first + 5
    assert not flag.exists()


def test_monotonic_time_never_goes_back() -> None:
    ticking = Clock()
    assert ticking.now().monotonic_ns <= ticking.now().monotonic_ns


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0d7c0b5e-6f7e-4d3b-9a55-0f3c6b1d2e4f", "0d7c0b5e6f7e4d3b9a550f3c6b1d2e4f"),
        ("0d7c0b5e6f7e4d3b9a550f3c6b1d2e4f", "0d7c0b5e6f7e4d3b9a550f3c6b1d2e4f"),
    ],
)
def test_the_unit_may_pass_the_boot_id(monkeypatch: pytest.MonkeyPatch, given: str, expected: str) -> None:
    monkeypatch.setenv("SCANGATE_BOOT_ID", given)
    assert boot_id() == expected


def test_a_boot_id_that_cannot_be_read_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCANGATE_BOOT_ID", raising=False)
    assert len(boot_id()) == 32
    assert boot_id() == boot_id()
    monkeypatch.setattr(clock, "BOOT_ID", tmp_path / "none")
    assert boot_id() != boot_id()


@pytest.mark.parametrize(
    ("wall_ns", "text"),
    [
        (at("2026-11-21T22:41:07+01:00") + 312_999_999, "2026-11-21T22:41:07.312+01:00"),
        (at("2026-06-21T22:41:07+02:00"), "2026-06-21T22:41:07.000+02:00"),
        (0, "1970-01-01T01:00:00.000+01:00"),
    ],
)
def test_times_are_written_with_their_offset(wall_ns: int, text: str) -> None:
    assert local_rfc3339(wall_ns) == text
