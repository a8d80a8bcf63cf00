"""`scangate articles sync` and `sources`: exit codes, words and JSON."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run, configuration

GOOD = "articleNumber;tradeName\nVGR-1;Cup\n"
BAD = "articleNumber;tradeName\n" + "VGR-1;\x07\n" * 3
ROW = "VGR-{0};Cup\n"


def box(tmp_path: Path, *sources: str) -> Path:
    config = tmp_path / "scangate.toml"
    config.write_text(configuration(tmp_path, "".join(f"[[articles.source]]\n{source}\n" for source in sources)))
    return config


def dropped(tmp_path: Path, text: str, name: str = "a.csv") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


def source(file: Path, name: str = "miv", more: str = "") -> str:
    return f'name = "{name}"\npath = "{file}"\n{more}'


def test_sync_and_sources(run: Run, tmp_path: Path) -> None:
    file = dropped(tmp_path, GOOD)
    config = box(tmp_path, source(file), 'name = "hand"')
    before = json.loads(run("articles", "sources", "-c", config, "--json").out)
    assert [(row["name"], row["from"], row["result"], row["next"]) for row in before] == [
        ("miv", str(file), None, "at the next run"),
        ("hand", "by hand", None, None),
    ]
    ran = run("articles", "sync", "miv", "-c", config)
    assert (ran.code, ran.err) == (0, "")
    assert "miv: 1 articles are in force, version 2" in ran.out
    assert json.loads(run("articles", "lookup", "VGR-1", "-c", config, "--json").out)["match"] == "articleNumber"
    (after, _) = json.loads(run("articles", "sources", "-c", config, "--json").out)
    assert (after["result"], after["rows"], after["rejected"]) == ("imported", 1, 0)
    assert after["attempted"] == after["succeeded"] < after["next"]
    table = run("articles", "sources", "-c", config)
    assert "imported" in table.out
    assert "by hand" in table.out
    again = run("articles", "sync", "-c", config)
    assert (again.code, again.out) == (0, "")
    assert "no source is due" in again.err
    assert run("articles", "sync", "miv", "-c", config).out == "miv: unchanged\n"
    forced = run("articles", "sync", "miv", "--force", "--json", "-c", config)
    ((one,),) = (json.loads(forced.out),)
    assert (one["source"], one["result"], one["report"]["accepted"]) == ("miv", "imported", 1)


@pytest.mark.parametrize(
    ("files", "arguments", "code", "said"),
    [
        ({"miv": BAD}, [], 1, "rejected-miv.ndjson"),
        ({"miv": "x"}, [], 1, "no column for"),
        ({"miv": None}, [], 3, "there is no such folder"),
        ({"miv": GOOD, "other": None}, [], 3, "other: unreachable"),
        ({"miv": BAD, "other": None}, [], 1, "miv: refused"),
        ({"miv": GOOD}, ["mvi"], 2, "no [[articles.source]] named 'mvi' (there: miv, hand)"),
        ({"miv": GOOD}, ["hand"], 2, "scangate articles import --source hand FILE"),
    ],
)
def test_exit_codes(
    run: Run, tmp_path: Path, files: dict[str, str | None], arguments: list[str], code: int, said: str
) -> None:
    sources = [
        source(dropped(tmp_path, text, f"{name}.csv") if text else tmp_path / "gone" / "x.csv", name)
        for name, text in files.items()
    ]
    config = box(tmp_path, *sources, 'name = "hand"')
    ran = run("articles", "sync", *(arguments or files), "-c", config)
    assert (ran.code, said in ran.err) == (code, True), ran.err


def test_rejected_rows_below_the_threshold_are_pointed_to(run: Run, tmp_path: Path) -> None:
    file = dropped(tmp_path, GOOD + "".join(ROW.format(number) for number in range(2, 40)) + "VGR-99;\x07\n")
    ran = run("articles", "sync", "miv", "-c", box(tmp_path, source(file)))
    assert ran.code == 0
    assert "1 of 40 rows rejected: see " in ran.out
    assert "rejected-miv.ndjson" in ran.out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('url = "http://127.0.0.1/x"', "plain http"),
        ('url = "https://user:hidden@127.0.0.1/x"', "must not carry credentials"),
        ('url = "https://127.0.0.1/x"\npath = "/x"', "exclude each other"),
        ('format = "xml"', "gudid"),
        ('sha256 = "12"', "sha256"),
    ],
)
def test_settings_that_cannot_work(run: Run, tmp_path: Path, line: str, said: str) -> None:
    ran = run("config", "check", "-c", box(tmp_path, f'name = "miv"\n{line}'))
    assert (ran.code, said in ran.err + ran.out) == (2, True), ran.err
    assert "hidden" not in ran.err + ran.out
