"""`scangate articles`: import, status, look-up."""

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import samples
from gateway.system.service_user import SERVICE_USER
from tests.cli.conftest import Run, configuration

GOOD = "deviceIdentifier;articleNumber;tradeName\n9520001000102;VGR-1;Stam\n9520001000119;VGR-2;Stam 13\n"
WRONG_CHECK_DIGIT = "9520001000103;VGR-3;Skruv\n"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """An empty state directory."""
    directory = tmp_path / "state"
    directory.mkdir()
    return directory


def file_with(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    file = tmp_path / "articles.csv"
    file.write_bytes(text.encode(encoding))
    return file


def test_sample_master(run: Run, state: Path) -> None:
    ran = run("articles", "import", "--source", "sample", samples.articles_csv(), "--state", state)
    assert ran.code == 0
    assert "articles are in force" in ran.out
    status = json.loads(run("articles", "status", "--state", state, "--json").out)
    (source,) = status["sources"]
    assert (source["name"], source["ageDays"], status["ageDays"]) == ("sample", 0, 0)
    assert source["rows"] > 50
    assert "sample" in run("articles", "status", "--state", state).out


@pytest.mark.parametrize(
    ("text", "match", "number"),
    [
        ("09520001000102", "di", "VGR-104233"),
        ("9520001000102", "di", "VGR-104233"),
        ("]d201095200010001021745123110L2A0417{GS}21NS700312", "di", "VGR-104233"),
        ("(01)09520001000102(10)L2A0417", "di", "VGR-104233"),
        ("https://id.example.org/01/09520006000107/10/KAD1688", "di", "VGR-150200"),
        ("19520006000302", "package", "VGR-150300"),
        ("VGR-104233", "articleNumber", "VGR-104233"),
        ("]C0VGR-104233", "articleNumber", "VGR-104233"),
        ("SK-3520", "catalogNumber", "VGR-104301"),
        ("09520009999999", "none", None),
        ("Sommarstuga42!", "none", None),
        ("", "none", None),
        ("\udc80", "none", None),
    ],
    ids=ascii,
)
def test_lookup(run: Run, state: Path, text: str, match: str, number: str | None) -> None:
    """The identifiers are those of gateway.samples."""
    run("articles", "import", "--source", "sample", samples.articles_csv(), "--state", state)
    ran = run("articles", "lookup", text, "--state", state, "--json")
    found = json.loads(ran.out)
    assert ran.code == (0 if number else 1)
    assert found["match"] == match
    assert (found["article"] or {}).get("articleNumber") == number


def test_lookup_as_a_table(run: Run, state: Path) -> None:
    run("articles", "import", "--source", "sample", samples.articles_csv(), "--state", state)
    ran = run("articles", "lookup", "9520001000416", "--state", state)
    assert "recalled" in ran.out
    ran = run("articles", "lookup", "unheard-of", "--state", state)
    assert (ran.code, ran.out) == (1, "")
    assert "does not know it" in ran.err


def test_no_master(run: Run, state: Path) -> None:
    assert json.loads(run("articles", "status", "--state", state, "--json").out)["version"] is None
    assert "no article master yet" in run("articles", "status", "--state", state).err
    ran = run("articles", "lookup", "9520001000102", "--state", state)
    assert ran.code == 1
    assert "no article master yet" in ran.err


def test_columns_delimiter_and_encoding_by_flags(run: Run, state: Path, tmp_path: Path) -> None:
    file = file_with(tmp_path, "GTIN\tITEM_NO\tNAMN\n9520001000102\t0017\tHöftskål\n", "cp1252")
    columns = ("deviceIdentifier=GTIN", "articleNumber=ITEM_NO", "tradeName=NAMN")
    options = [word for column in columns for word in ("--column", column)]
    ran = run(
        *("articles", "import", "--source", "miv", file, "--state", state),
        *(*options, "--delimiter", "tab", "--encoding", "cp1252"),
    )
    assert ran.code == 0
    article = json.loads(run("articles", "lookup", "0017", "--state", state, "--json").out)["article"]
    assert article["tradeName"] == "Höftskål"


@pytest.mark.usefixtures("state")
def test_settings_of_the_configuration_with_one_outranked(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "scangate.toml"
    source = '[[articles.source]]\nname = "miv"\ndelimiter = "|"\ncolumns = { articleNumber = "ITEM_NO" }\n'
    config.write_text(configuration(tmp_path, source))
    file = file_with(tmp_path, "deviceIdentifier,ITEM_NO\n9520001000102,17\n")
    assert run("articles", "import", "-c", config, "--source", "miv", file).code == 1
    assert run("articles", "import", "-c", config, "--source", "miv", file, "--delimiter", ",").code == 0
    assert json.loads(run("articles", "lookup", "17", "-c", config, "--json").out)["match"] == "articleNumber"
    ran = run("articles", "import", "-c", config, "--source", "mvi", file, "--delimiter", ",")
    assert "mvi is not in" in ran.err
    assert "miv" in ran.err


def test_rejected_rows(run: Run, state: Path, tmp_path: Path) -> None:
    file = file_with(tmp_path, GOOD + WRONG_CHECK_DIGIT)
    rejected = tmp_path / "rejected.ndjson"
    arguments = ("articles", "import", "--source", "miv", file, "--state", state, "--rejected", rejected)
    ran = run(*arguments)
    assert ran.code == 1
    assert "line 4, column deviceIdentifier" in ran.err
    assert "nothing was taken" in ran.err
    (row,) = map(json.loads, rejected.read_text().splitlines())
    assert (row["line"], row["column"]) == (4, "deviceIdentifier")
    assert run("articles", "lookup", "VGR-1", "--state", state).code == 1
    assert run(*arguments, "--max-rejected", "50").code == 0
    assert run("articles", "lookup", "VGR-1", "--state", state).code == 0


def test_report_as_json(run: Run, state: Path, tmp_path: Path) -> None:
    file = file_with(tmp_path, GOOD)
    report = json.loads(run("articles", "import", "--source", "miv", file, "--state", state, "--json").out)
    assert (report["file"], report["accepted"], report["swapped"]) == (str(file), 2, True)


def test_only_the_first_ten_rejected_rows_are_shown(run: Run, state: Path, tmp_path: Path) -> None:
    file = file_with(tmp_path, GOOD + WRONG_CHECK_DIGIT * 12)
    ran = run("articles", "import", "--source", "miv", file, "--state", state)
    assert ran.err.count("  line ") == 10
    assert "and 2 more: see them with --rejected FILE" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--source", "miv", "missing.csv"], 1, "missing.csv"),
        (["--source", "miv", "/"], 1, "cannot read /"),
        (["--source", "not good", "missing.csv"], 2, "--source not good"),
        (["--source", "miv", "x.csv", "--column", "GTIN"], 2, "expected FIELD=COLUMN"),
        (["--source", "miv", "x.csv", "--column", "gtin=GTIN"], 2, "deviceIdentifier"),
        (["--source", "miv", "x.csv", "--delimiter", "tabs"], 2, "expected ; , | or tab"),
        (["--source", "miv", "x.csv", "--encoding", "utf-16"], 2, "utf-8"),
        (["--source", "miv", "x.csv", "--max-rejected", "101"], 2, "expected 0 to 100"),
        (["x.csv"], 2, "--source"),
    ],
)
def test_wrong_usage(run: Run, state: Path, arguments: list[str], code: int, said: str) -> None:
    ran = run("articles", "import", *arguments, "--state", state)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_no_configuration_and_no_state(run: Run, tmp_path: Path) -> None:
    ran = run("articles", "status", "-c", tmp_path / "missing.toml")
    assert ran.code == 2
    assert "scangate init" in ran.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_as_root_a_file_in_a_closed_home_is_read(state: Path, tmp_path: Path) -> None:
    """A technician's `sudo scangate articles import ~/articles.csv`: the service may not look into that home."""
    try:
        user = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        pytest.skip(f"there is no user {SERVICE_USER}")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    file = file_with(home, GOOD)
    os.chown(state, user.pw_uid, user.pw_gid)
    command = (sys.executable, "-m", "gateway", "articles", "import", "--source", "miv", file, "--state", state)
    ran = subprocess.run(command, capture_output=True, check=False)
    assert ran.returncode == 0
    assert (state / "articles" / "current.db").stat().st_uid == user.pw_uid
    assert [path.name for path in state.iterdir()] == ["articles"]


def test_check_force_and_up_to(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    file = tmp_path / "rows.csv"
    file.write_text("articleNumber\n" + "".join(f"A-{n}\n" for n in range(20)))
    command = ("articles", "import", "--source", "miv", file, "--state", state)
    ran = run(*command, "--check")
    assert (ran.code, ran.out) == (0, "miv: 20 articles would be taken; nothing was changed\n")
    assert run("articles", "lookup", "A-1", "--state", state).code == 1
    assert run(*command, "--up-to", "4711").code == 0
    assert json.loads(run("articles", "status", "--state", state, "--json").out)["sources"][0]["gap"] is False
    file.write_text("articleNumber\nA-1\nA-2\n")
    for more in ((), ("--check",)):
        ran = run(*command, *more)
        assert ran.code == 1
        assert "it has 2 good rows, and 20 are in force" in ran.err
        assert "--force" in ran.err
    assert run("articles", "lookup", "A-9", "--state", state).code == 0
    assert run(*command, "--force").code == 0
    assert run("articles", "lookup", "A-9", "--state", state).code == 1


def test_profile(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text("Artikelnr;GTIN;Kostnad\nA-1;9520001000102;5\n", encoding="cp1252")
    ran = run("articles", "profile", file, "--source", "miv")
    assert ran.code == 0
    assert 'columns = { deviceIdentifier = "GTIN", articleNumber = "Artikelnr" }' in ran.out
    assert "Kostnad" in ran.err
    file.write_text("a;b\n1;2\n")
    assert run("articles", "profile", file).code == 1
    assert run("articles", "profile", tmp_path / "none").code == 2
