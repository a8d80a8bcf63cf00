"""`audit`, and what the command line notes in the trail."""

import argparse
import json
from collections.abc import Iterator

import pytest

from gateway.cli import _parser
from gateway.monitoring.audit_notes import AuditNotes
from gateway.system.audit import LOG, Act, AuditTrail, read, verify
from tests.cli.conftest import Box, Run

READS_ONLY = {
    *(
        "demo",
        "run",
        "status",
        "config check",
        "config show",
        "config schema",
        "doctor",
        "parse",
        "display",
        "tail",
    ),
    *("articles status", "articles lookup", "articles sources", "articles unknown", "articles affected"),
    *("articles drill", "articles profile", "outbox status", "outbox list", "outbox show", "outbox dead"),
    *("scanners list", "scanners watch", "scanners quality", "scanners test", "scanners sheet", "station sheet"),
    *(
        "firmware profiles",
        "firmware show",
        "firmware check",
        "firmware page",
        "station signals",
        "audit list",
        "audit verify",
    ),
    *("station guide", "station case", "completion", "man"),
}
"""Commands that change nothing and take no scans out of the box; closing a case is noted by the daemon that does it."""


def commands(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield each command that runs, by the words that name it."""
    groups = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    if not groups:
        yield name.strip(), parser
    for group in groups:
        for word, inner in group.choices.items():
            yield from commands(inner, f"{name} {word}")


def test_every_command_either_reads_only_or_is_noted_by_its_own_name() -> None:
    noted = {name: parser.get_default("audited") for name, parser in commands(_parser())}
    assert {name for name, audited in noted.items() if audited is None} == READS_ONLY
    assert {name: audited for name, audited in noted.items() if audited not in {None, name}} == {}


def entries(box: Box) -> list[tuple[str, str]]:
    lines = read(box.config.state_directory)
    return [(line.entry.operation, line.entry.outcome) for line in lines if line.entry is not None]


def test_what_the_command_line_does_is_noted_with_what_came_of_it(box: Box, run: Run, tmp_path: object) -> None:
    config = ("-c", box.config_file)
    assert run("outbox", "backup", f"{tmp_path}/copy.db", *config).code == 0
    assert run("outbox", "list", *config).code == 0
    assert run("outbox", "backup", "/dev/null/copy.db", *config).code == 3
    (done, failed) = entries(box)
    assert done == ("outbox backup", "done")
    assert failed[1].startswith("failed: cannot write /dev/null/copy.db")
    assert verify(box.config.state_directory).problems == ()


def test_the_list_is_readable_at_80_columns(box: Box, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("gateway.cli.output.sys.stdout.isatty", lambda: True, raising=False)
    trail = AuditTrail(box.config.state_directory, lambda _: None)
    for operation in ("firmware apply", "outbox export"):
        trail.append(
            Act(
                who="anna as root from 10.1.2.3",
                through="command line",
                operation=operation,
                outcome="done",
                detail={"scanner": "front", "profile": "honeywell", "file": "/mnt/usb/" + "x" * 120},
            )
        )
    listed = run("audit", "list", "-c", box.config_file)
    assert listed.code == 0
    assert "firmware apply" in listed.out
    rows = json.loads(run("audit", "list", "--json", "--limit", 1, "-c", box.config_file).out)
    assert [(row["number"], row["operation"]) for row in rows] == [(2, "outbox export")]
    assert json.loads(run("audit", "list", "--json", "--since", "2020-01-01", "-c", box.config_file).out)
    assert run("audit", "list", "--since", "2099-01-01", "-c", box.config_file).err == "nothing has been noted\n"


def test_verify_says_what_was_changed(box: Box, run: Run) -> None:
    state = box.config.state_directory
    assert (
        run("audit", "verify", "-c", box.config_file).out
        == "nothing has been noted\nwhole, as far as the files show\n"
    )
    trail = AuditTrail(state, lambda _: None)
    for number in range(3):
        trail.append(Act(who="root", through="command line", operation=f"act {number}", outcome="done"))
    whole = run("audit", "verify", "-c", box.config_file)
    assert whole.code == 0
    assert whole.out.startswith("3 entries, 1 to 3\nhead: 3:")
    head = whole.out.split("head: ")[1].split()[0]
    assert run("audit", "verify", "--head", head, "-c", box.config_file).code == 0
    other = run("audit", "verify", "--head", f"2:{'0' * 64}", "-c", box.config_file)
    assert (other.code, other.err) == (1, "! entry 2 is not the one that was written\n")
    (state / LOG).write_bytes((state / LOG).read_bytes().replace(b"act 1", b"act 9"))
    changed = run("audit", "verify", "--json", "-c", box.config_file)
    assert changed.code == 1
    assert json.loads(changed.out)["problems"] == ["entry 2 was changed after entry 3 was written"]
    assert run("audit", "verify", "--head", "x:1", "-c", box.config_file).code == 2


def test_a_changed_configuration_is_noted_by_its_keys_and_no_value(box: Box) -> None:
    from msgspec.structs import replace

    state = box.config.state_directory
    AuditNotes(state, AuditTrail(state, lambda _: None)).configuration(box.config)
    changed = replace(box.config, gateway=replace(box.config.gateway, site="secretplace"))
    for _ in range(2):  # the same again is no change
        AuditNotes(state, AuditTrail(state, lambda _: None)).configuration(changed)
    first, second = (line.entry for line in read(state))
    assert first is not None
    assert second is not None
    assert first.detail["changed"] == "all"
    assert second.detail == {"changed": "gateway.site"}
    assert all(b"secretplace" not in file.read_bytes() for file in state.glob("audit*"))


def test_refused_requests_push_out_nothing(box: Box) -> None:
    state = box.config.state_directory
    notes = AuditNotes(state, AuditTrail(state, lambda _: None))
    for number in range(1000):
        notes.commanded("reload", f"c{number}", "stale")
    notes.asked(0, "retry", {"all": True}, None)
    noted = [line.entry for line in read(state) if line.entry is not None]
    assert 20 <= len(noted) < 40
    assert (noted[-1].who, noted[-1].operation, noted[-1].outcome) == ("root", "retry", "done")
    assert int(noted[-1].detail["refusedBefore"]) == 1000 - (len(noted) - 1)


def test_a_trail_that_cannot_be_written_is_an_alarm_and_stops_nothing(box: Box) -> None:
    state = box.config.state_directory
    notes = AuditNotes(state / "gone", AuditTrail(state / "gone", lambda _: None))
    notes.asked(0, "retry", {}, None)
    assert notes.trouble is not None
    assert "the audit trail cannot be written" in notes.trouble
