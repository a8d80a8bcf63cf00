"""What several sources say of one article, brought together; what contradicts; what the outside is told."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.articles.build.import_job import import_file
from gateway.articles.importers.base import BatchRow, RowBatch
from gateway.articles.lookup.conflicts import Conflict, conflicts
from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.lookup.status_message import encode, status_message
from gateway.articles.overlay.applier import DeltaApplier
from gateway.articles.rows import ArticleRow, rest_of, traits_of
from gateway.articles.settings import SourceSettings
from gateway.model import Article, ArticleStatus, Issuer, Match
from tests.articles.conftest import NOW, Importing

GTIN, CASE = "09520001000102", "19520001000109"
DAY_NS = 86_400 * 10**9
NOW_NS = int(NOW.timestamp()) * 10**9

# jeeves-miv > consignment > gudid
SOURCES: dict[str, tuple[int, str]] = {
    "jeeves-miv": (
        10,
        f"deviceIdentifier;articleNumber;tradeName;riskClass;implant;catalogNumber\n{GTIN};VGR-1;Stam 12;;;\n",
    ),
    "consignment": (
        20,
        f"deviceIdentifier;consignment;owner;tradeName;packageLevel\n{GTIN};ja;Nordan AB;STAM;primary\n",
    ),
    "gudid": (
        30,
        (
            "deviceIdentifier;tradeName;description;manufacturerName;catalogNumber;serialRequired;packageLevel;"
            f"baseDeviceIdentifier;baseQuantity;owner\n{GTIN};Stem™;Femoral stem;Nordan;NS-12;ja;;;;Annan\n"
            f"{CASE};;;;;;package;{GTIN};10;\n"
        ),
    ),
}


@pytest.fixture
def master(importing: Importing, directory: Path) -> Iterator[ArticleMaster]:
    for name, (priority, content) in SOURCES.items():
        assert importing(content, name=name, priority=priority, as_of=NOW - timedelta(hours=2)).rejections == ()
    with ArticleMaster(directory) as opened:
        yield opened


MERGED = Article(
    device_identifier=GTIN,
    issuer=Issuer.GS1,
    article_number="VGR-1",  # jeeves-miv
    trade_name="Stam 12",  # jeeves-miv, the first that states it
    description="Femoral stem",  # gudid, the only one that states it
    manufacturer_name="Nordan",
    catalog_number="NS-12",
    consignment=True,  # any
    owner="Nordan AB",  # consignment before gudid
    package_level="primary",
    serial_required=True,  # any
)


@pytest.mark.parametrize(
    ("text", "identifier", "match"),
    [("x", GTIN, Match.DI), ("VGR-1", None, Match.ARTICLE_NUMBER), ("NS-12", None, Match.CATALOG_NUMBER)],
)
def test_field_by_field(master: ArticleMaster, text: str, identifier: str | None, match: Match) -> None:
    with master:
        found = master.look_up(text, identifier)
    assert (found.match, found.source) == (match, "jeeves-miv")
    assert found.article == MERGED


def test_a_package_is_its_base_in_a_number(master: ArticleMaster) -> None:
    with master:
        found = master.look_up("x", CASE)
    assert (found.match, found.source) == (Match.PACKAGE, "gudid")
    assert found.article == msgspec.structs.replace(
        MERGED,
        device_identifier=CASE,
        package_level="package",
        base_device_identifier=GTIN,
        base_quantity=10,
    )


def test_who_says_what(master: ArticleMaster) -> None:
    with master:
        said = master.statements("x", GTIN)
        assert [(row.source, row.article.trade_name) for row in said.rows] == [
            ("jeeves-miv", "Stam 12"),
            ("consignment", "STAM"),
            ("gudid", "Stem™"),
        ]
        assert master.statements("VGR-1", None).match is Match.ARTICLE_NUMBER
        assert master.statements("unheard-of", None).match is Match.NONE


@pytest.mark.usefixtures("master")
def test_conflicts(importing: Importing, directory: Path) -> None:
    importing("deviceIdentifier;tradeName;status\nA99912345;Ett;\n95200002;x;\n", name="gudid")
    importing("deviceIdentifier;tradeName;status\nA99912345;Två;blocked\n95200002;x;recalled\n", name="other")
    found = {(one.device_identifier, one.field): one.said for one in conflicts(directory)}
    assert found == {
        (GTIN, "tradeName"): {"jeeves-miv": "Stam 12", "consignment": "STAM"},
        ("A99912345", "tradeName"): {"gudid": "Ett", "other": "Två"},
        ("A99912345", "status"): {"gudid": "active", "other": "blocked"},
        ("00000095200002", "status"): {"gudid": "active", "other": "recalled"},
    }
    assert conflicts(directory, limit=1) == [
        Conflict(device_identifier="00000095200002", field="status", said={"gudid": "active", "other": "recalled"})
    ]
    assert conflicts(directory / "none") == []


def test_what_the_outside_is_told(master: ArticleMaster, directory: Path) -> None:
    with master, DeltaApplier(directory) as deltas:
        deltas.apply(
            b'{"source":"gudid","number":3,"issuedAt":"2026-11-21T02:00:00Z","changes":'
            b'[{"op":"block","deviceIdentifier":"09520001000102"}]}'
        )
        info = master.info()
    told: dict[str, Any] = msgspec.json.decode(
        encode(status_message(info, NOW_NS + 15 * DAY_NS, max_age_days=14, unknown=4))
    )
    sources = told.pop("sources")
    assert told == {
        "version": "2026-11-21T03:00:00Z",
        "ageDays": 15,
        "old": True,
        "rows": 4,
        "changes": 1,
        "unknown": 4,
        "problem": None,
    }
    assert [source["name"] for source in sources] == ["jeeves-miv", "consignment", "gudid"]
    assert sources[2] == {
        "name": "gudid",
        "priority": 30,
        "version": "2026-11-21T03:00:00Z",
        "asOf": "2026-11-21T01:00:00Z",
        "rows": 2,
        "deltaNumber": 3,
        "deltaIssuedAt": "2026-11-21T02:00:00+00:00",
        "gap": True,
        "missing": [[1, 2]],
    }


@pytest.mark.parametrize(
    ("days", "limit", "old"), [(14, 14, False), (15, 14, True), (15, None, False), (-1, 1, False)]
)
def test_age(master: ArticleMaster, days: int, limit: int | None, old: bool) -> None:  # noqa: FBT001 - a case
    with master:
        told = status_message(master.info(), NOW_NS + days * DAY_NS, max_age_days=limit)
    assert (told.old, told.age_days) == (old, max(0, days))


def test_no_master_is_told(directory: Path) -> None:
    with ArticleMaster(directory) as master:
        told = status_message(master.info(), NOW_NS, problem="damaged")
    assert (told.version, told.age_days, told.old, told.sources, told.problem) == (None, None, False, (), "damaged")


def test_a_batch_goes_in_as_its_rows_one_by_one_would(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million times the same words take the room of one."""
    article = Article(
        issuer=Issuer.GS1,
        sterile=True,
        status=ArticleStatus.BLOCKED,
        status_reason="utgått",
        status_from="2025-01-01",
    )
    texts = ("Nordan AB", "Stam™", "A description that comes again", None)
    state = traits_of(article), rest_of(article)
    rows: list[BatchRow] = [
        ArticleRow(9520001000102 + n, state[0], *texts, f"C-{n}", None, None, None, state[1]) for n in range(3)
    ]
    other = ArticleRow(*rows[1])._replace(trade_name="Annan")
    packed = traits_of(Article(issuer=Issuer.GS1, package_level="package"))
    package = ArticleRow(19520001000109, packed, None, None, None, None, None, None, 9520001000102, 12, None)
    batches = [RowBatch([2, 3, 4], rows), RowBatch([5, 6, 7], [package, rows[0], other])]
    monkeypatch.setattr(
        "gateway.articles.build.import_job.IMPORTERS", {"csv": lambda _stream, _source: iter(batches)}
    )
    (tmp_path / "rows.csv").write_text("")
    report = import_file(directory, SourceSettings(name="miv"), tmp_path / "rows.csv", now=NOW, max_rejected=0.5)
    assert (report.rows_read, report.accepted, report.duplicates, report.rejected) == (6, 4, 1, 1)
    assert report.rejections[0].line == 7
    assert report.rejections[0].column == "deviceIdentifier"
    with ArticleMaster(directory) as master:
        for n in range(3):
            found = master.look_up(f"C-{n}", None).article
            assert found == msgspec.structs.replace(
                article,
                device_identifier=f"{9520001000102 + n:014d}",
                manufacturer_name="Nordan AB",
                trade_name="Stam™",
                description="A description that comes again",
                catalog_number=f"C-{n}",
            )
        case = master.look_up("x", "19520001000109").article
        assert case is not None
        assert (case.base_quantity, case.trade_name, case.status) == (12, "Stam™", ArticleStatus.BLOCKED)


def test_phrases_of_other_sources_are_carried_over(importing: Importing, directory: Path) -> None:
    rows = "".join(f";A-{n};Det återkommande namnet;AB\n" for n in range(4))
    importing(f"deviceIdentifier;articleNumber;tradeName;manufacturerName\n{rows}", name="a")
    for n in range(3):
        importing(f"articleNumber;tradeName\nB-1;Ett annat namn {n}\nB-2;Ett annat namn {n}\n", name="b")
    importing("articleNumber;tradeName\nC-1;Tredje namnet\nC-2;Tredje namnet\nC-3;Tredje namnet\n", name="c")
    expected = {"A-3": "Det återkommande namnet", "B-2": "Ett annat namn 2", "C-3": "Tredje namnet"}
    with ArticleMaster(directory) as master:
        for number, name in expected.items():
            article = master.look_up(number, None).article
            assert article is not None
            assert article.trade_name == name
