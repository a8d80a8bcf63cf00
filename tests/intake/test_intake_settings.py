"""The configuration: the example is valid, options override it, and what is wrong is named."""

from pathlib import Path
from typing import Any

import pytest

from intake.settings import SettingsError, load
from tests.intake.boxes import ROOT
from tests.intake.running import command


def test_the_example_is_valid() -> None:
    settings = load(ROOT / "deploy/intake.toml", {})
    assert settings.checked_tenant() == "vgr"
    assert len(settings.nats) == 3


def test_options_override_the_file() -> None:
    settings = load(ROOT / "deploy/intake.toml", {"tenant": "other", "nats": None, "database": "sqlite:///x.db"})
    assert (settings.tenant, len(settings.nats), settings.database) == ("other", 3, "sqlite:///x.db")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tenannt = 'x'", "tenannt"),
        ("tenant = 'a/b'", "tenant"),
        ("tenant = 7", "tenant"),
        ("tenant = ", "cannot read"),
        ("nats = 'one'", "nats"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "intake.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=words):
        load(file, {})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no tenant"),
        (("--tenant", "vgr"), "no broker"),
        (("--tenant", "vgr", "--nats", "nats://127.0.0.1"), "its MQTT address"),
        (("--tenant", "vgr", "--broker", "mqtt://127.0.0.1"), "no database"),
        (("--tenant", "vgr", "--broker", "mqtt://127.0.0.1", "--database", "mysql://x"), "expected sqlite:///FILE"),
        (("--config", "/nowhere/intake.toml"), "it is not there"),
        (("--tenant", "vgr", "--broker", "mqtt://x", "--sign-key", "/nowhere"), "check --sign-key"),
    ],
)
def test_a_wrong_start_is_exit_code_2(arguments: tuple[Any, ...], words: str) -> None:
    code, _, err = command("run", *arguments)
    assert code == 2
    assert words in err
