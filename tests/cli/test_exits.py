"""Which error leads to which exit code, and in which words."""

import errno
from pathlib import Path

import pytest

from gateway.cli import exits
from gateway.config.loader import ConfigError, load
from tests.cli.conftest import Box, Run


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/var/lib/x"), 3, "/var/lib/x: Permission denied"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a.csv"),
            3,
            "a.csv: No such file or directory",
        ),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/srv"), 3, "/srv: Is a directory"),
        (PermissionError("of no file"), None, "of no file"),
        (OSError(errno.EIO, "Input/output error", "/srv/a"), None, "[Errno 5] Input/output error: '/srv/a'"),
        (ValueError("a fault of ours"), None, "a fault of ours"),
    ],
)
def test_errors_that_are_meant_for_people(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int | None, words: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert exits.code_for(error) == code
    if code is not None:
        assert exits.words_for(error) == words


def test_a_configuration_that_is_not_there_keeps_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "none.toml")
    assert exits.code_for(raised.value) == exits.USAGE
    assert exits.words_for(raised.value) == str(raised.value)


def test_whoever_is_not_root_is_told_who_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    error = PermissionError(errno.EACCES, "Permission denied", "/var/lib/x")
    assert exits.words_for(error) == "/var/lib/x: Permission denied; run it as root"


@pytest.mark.parametrize(
    "command", [("restore", "{}"), ("upgrade", "{}"), ("articles", "import", "{}", "--source", "s")]
)
def test_a_file_that_is_not_there_is_one_line(box: Box, run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    missing = tmp_path / "none"
    config = ("--config", box.config_file, "--force") if command[0] == "restore" else ("-c", box.config_file)
    done = run(*(part.format(missing) for part in command), *config)
    assert done.code in {1, 2, 3}
    assert str(missing) in done.err
    assert done.err.count("\n") == 1, done.err
