"""Look-up in the master: how an article is found, which source speaks, and a master that cannot be used."""

import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.articles import schema
from gateway.articles.build.import_job import rollback
from gateway.articles.errors import MasterDamagedError, MasterError, MasterNewerError, MasterUnreadableError
from gateway.articles.lookup.master import ArticleMaster
from gateway.model import Article, ArticleStatus, Issuer, LookUp, Match
from tests.articles.conftest import NOW, Importing

HEADER = (
    "deviceIdentifier;articleNumber;catalogNumber;packageLevel;baseDeviceIdentifier;baseQuantity;"
    "status;tradeName;issuer\n"
)
# GTINs below GS1 prefix 952, set aside for demonstrations
MASTER = (
    HEADER
    + """\
9520001000102;VGR-1;C-1;primary;;;;Stam;
19520001000109;VGR-1;C-1-10;package;9520001000102;10;;Stam, ask;
9520001000119;VGR-2;C-2;unitOfUse;9520001000102;;;Enhet;
95200002;VGR-3;C-3;;;;blocked;Kort GTIN;
614141000036;VGR-4;C-3;;;;;Samma katalognummer;
A99912345;VGR-5;C-5;;;;;HIBC;
A99912346;VGR-5;C-5;package;A99912345;6;;HIBC, ask;
111234567842;VGR-6;C-6;;;;;PZN;
A9999XYZ100T0479;VGR-7;C-7;;;;;ISBT;ICCBBA
;VGR-8;C-8;;;;;Hyllartikel;
;9520003000100;C-9;;;;;Numret ser ut som ett GTIN;
"""
)


@pytest.mark.parametrize(
    ("text", "identifier", "match", "name"),
    [
        # a GTIN in any of its lengths: GS1 General Specifications 3.3.2
        ("0109520001000102", "09520001000102", Match.DI, "Stam"),
        ("9520001000102", None, Match.DI, "Stam"),
        ("09520001000102", None, Match.DI, "Stam"),
        ("x", "9520001000102", Match.DI, "Stam"),
        ("95200002", "00000095200002", Match.DI, "Kort GTIN"),
        ("95200002", None, Match.DI, "Kort GTIN"),
        ("614141000036", None, Match.DI, "Samma katalognummer"),
        ("0614141000036", None, Match.DI, "Samma katalognummer"),
        # levels of packaging
        ("0119520001000109", "19520001000109", Match.PACKAGE, "Stam, ask"),
        ("0109520001000119", "09520001000119", Match.UNIT_OF_USE, "Enhet"),
        ("+A99912346x", "A99912346", Match.PACKAGE, "HIBC, ask"),
        # other issuers
        ("+A99912345x", "A99912345", Match.DI, "HIBC"),
        ("9N111234567842", "111234567842", Match.DI, "PZN"),
        ("111234567842", None, Match.DI, "PZN"),
        ("=/A9999XYZ100T0479", "A9999XYZ100T0479", Match.DI, "ISBT"),
        # numbers: the exact text; a number shared with packages is the article itself
        ("VGR-8", None, Match.ARTICLE_NUMBER, "Hyllartikel"),
        ("VGR-1", None, Match.ARTICLE_NUMBER, "Stam"),
        ("VGR-5", None, Match.ARTICLE_NUMBER, "HIBC"),
        ("9520003000100", "09520003000100", Match.ARTICLE_NUMBER, "Numret ser ut som ett GTIN"),
        ("C-8", None, Match.CATALOG_NUMBER, "Hyllartikel"),
        ("C-1", None, Match.CATALOG_NUMBER, "Stam"),
        ("C-5", None, Match.CATALOG_NUMBER, "HIBC"),
        # a catalogue number of two makers' articles leads nowhere
        ("C-3", None, Match.NONE, None),
        ("vgr-8", None, Match.NONE, None),
        ("VGR-8 ", None, Match.NONE, None),
        ("VGR", None, Match.NONE, None),
        ("a99912345", None, Match.NONE, None),
        ("0109529999999999", "09529999999999", Match.NONE, None),
        ("", None, Match.NONE, None),
        ("", "", Match.NONE, None),
        ("x" * 1_000_000, None, Match.NONE, None),
        ("\ud800", "\udfff", Match.NONE, None),
        ("VGR-8\x00", "\x00", Match.NONE, None),
        ("٩٥٢٠٠٠١٠٠٠١٠٢", None, Match.NONE, None),
    ],
)
def test_look_up(
    importing: Importing, directory: Path, text: str, identifier: str | None, match: Match, name: str | None
) -> None:
    assert importing(MASTER).rejections == ()
    with ArticleMaster(directory) as master:
        found = master.look_up(text, identifier)
    assert (found.match, found.article and found.article.trade_name) == (match, name)
    assert found.master_version == "2026-11-21T03:00:00Z"
    assert found.master_built_ns == 1_795_230_000_000_000_000
    assert found.source == (None if name is None else "miv")


def test_a_pzn_is_not_taken_for_the_gtin_12_with_the_same_digits(importing: Importing, directory: Path) -> None:
    gtin = "110000003731"  # its last digits check as a GTIN-12 (GenSpecs 7.9) and as a PPN of PZN 00000037 (IFA)
    importing(f"deviceIdentifier;issuer;tradeName\n{gtin};GS1;GTIN-12\n")
    with ArticleMaster(directory) as master:
        assert master.look_up("x", gtin).match is Match.NONE
        assert master.look_up("x", f"00{gtin}").match is Match.DI
        assert master.look_up(gtin, None).match is Match.DI


def test_every_field_comes_back(importing: Importing, directory: Path) -> None:
    columns = (
        "deviceIdentifier;issuer;articleNumber;tradeName;description;manufacturerName;catalogNumber;riskClass;implant;"
        "consignment;owner;packageLevel;baseDeviceIdentifier;baseQuantity;sterile;singleUse;lotRequired;serialRequired;"
        "expiryRequired;status;statusReason;statusFrom"
    )
    row = (
        "19520001000109;GS1;VGR-1;Namn;Text;Åkes AB;0042;III;ja;ja;Ägaren;package;9520001000102;12;ja;ja;ja;ja;ja;"
        "recalled;Skäl;2025-06-02"
    )
    importing(f"{columns}\n{row}\n")
    with ArticleMaster(directory) as master:
        assert master.look_up("x", "19520001000109").article == Article(
            device_identifier="19520001000109",
            issuer=Issuer.GS1,
            article_number="VGR-1",
            trade_name="Namn",
            description="Text",
            manufacturer_name="Åkes AB",
            catalog_number="0042",
            risk_class="III",
            implant=True,
            consignment=True,
            owner="Ägaren",
            package_level="package",
            base_device_identifier="09520001000102",
            base_quantity=12,
            sterile=True,
            single_use=True,
            lot_required=True,
            serial_required=True,
            expiry_required=True,
            status=ArticleStatus.RECALLED,
            status_reason="Skäl",
            status_from="2025-06-02",
        )


ACTIVE, BLOCKED, RECALLED = ArticleStatus.ACTIVE, ArticleStatus.BLOCKED, ArticleStatus.RECALLED


@pytest.mark.parametrize(
    ("first", "second", "status", "reason", "since"),
    [
        # (status;reason;from) in the source that speaks, and in the other
        (";;", ";;", ACTIVE, None, None),
        (";;", "blocked;avtal;2025-01-01", BLOCKED, "avtal", "2025-01-01"),
        (";;", "recalled;fsn;", RECALLED, "fsn", None),
        ("blocked;avtal;2025-01-01", ";;", BLOCKED, "avtal", "2025-01-01"),
        ("blocked;avtal;2025-01-01", "recalled;fsn;2025-06-02", RECALLED, "fsn", "2025-01-01"),
        ("recalled;a;2025-06-02", "recalled;b;2025-01-01", RECALLED, "a", "2025-01-01"),
        ("blocked;nu;", "recalled;sen;2030-01-01", RECALLED, "sen", None),
    ],
)
@pytest.mark.parametrize("swapped", [False, True], ids=["in-order", "other-order"])
def test_precedence(
    importing: Importing,
    directory: Path,
    first: str,
    second: str,
    status: ArticleStatus,
    reason: str | None,
    since: str | None,
    swapped: bool,  # noqa: FBT001 - a case of the table
) -> None:
    header = "deviceIdentifier;articleNumber;tradeName;status;statusReason;statusFrom\n"
    imports = [
        (f"{header}9520001000102;VGR-1;Mivs namn;{first}\n", {"name": "miv", "priority": 10}),
        (f"{header}9520001000102;;Annat namn;{second}\n", {"name": "gudid", "priority": 30}),
    ]
    for content, settings_ in reversed(imports) if swapped else imports:
        importing(content, **settings_)
    with ArticleMaster(directory) as master:
        for text, identifier in (("x", "09520001000102"), ("VGR-1", None)):
            found = master.look_up(text, identifier)
            assert found.source == "miv"
            assert found.article is not None
            assert found.article.trade_name == "Mivs namn"
            assert (found.article.status, found.article.status_reason) == (status, reason)
            assert found.article.status_from == since


def test_a_package_is_barred_with_its_base(importing: Importing, directory: Path) -> None:
    importing(MASTER.replace(";;;;Stam;", ";;;recalled;Stam;"))
    with ArticleMaster(directory) as master:
        for identifier in ("09520001000102", "19520001000109", "09520001000119"):
            article = master.look_up("x", identifier).article
            assert article is not None
            assert article.status is RECALLED


def test_an_import_replaces_its_own_source_only(importing: Importing, directory: Path) -> None:
    with ArticleMaster(directory) as master:
        importing("articleNumber;manufacturerName\nA-1;Ett AB\nA-2;Två AB\n", name="a", priority=2)
        importing("articleNumber;manufacturerName\nB-1;Ett AB\n", name="b", priority=1)
        importing(
            "articleNumber;manufacturerName\nA-3;Tre AB\n", name="a", priority=2, now=NOW + timedelta(hours=1)
        )
        found = {number: master.look_up(number, None) for number in ("A-1", "A-2", "A-3", "B-1")}
        assert [number for number, look_up in found.items() if look_up.article] == ["A-3", "B-1"]
        assert [look_up.article.manufacturer_name for look_up in found.values() if look_up.article] == [
            "Tre AB",
            "Ett AB",
        ]
        info = master.info()
    assert info.version == "2026-11-21T04:00:00Z"
    assert [(source.name, source.rows, source.version) for source in info.sources] == [
        ("b", 1, "2026-11-21T03:00:00Z"),
        ("a", 1, "2026-11-21T04:00:00Z"),
    ]


def test_no_master(directory: Path) -> None:
    with ArticleMaster(directory) as master:
        assert master.look_up("VGR-1", None) == LookUp(match=Match.NONE)
        assert master.info().version is None


def test_a_new_generation_is_followed_and_a_removed_one_is_gone(importing: Importing, directory: Path) -> None:
    with ArticleMaster(directory) as master:
        for generation in range(5):
            importing(f"articleNumber;tradeName\nVGR-1;{generation}\n")  # the same version and size each time
            article = master.look_up("VGR-1", None).article
            assert article is not None
            assert article.trade_name == str(generation)
        with closing(schema.open_generation(directory / schema.PREVIOUS)) as previous:
            assert previous.execute("SELECT trade_name FROM article").fetchall() == [("3",)]
        (directory / schema.CURRENT).unlink()
        assert master.look_up("VGR-1", None) == LookUp(match=Match.NONE)


def test_look_ups_use_their_indexes(importing: Importing, directory: Path) -> None:
    importing(MASTER)
    with closing(schema.open_generation(directory / schema.CURRENT)) as connection:
        for query, values in (
            (schema.BY_GTIN, (0, 1)),
            (schema.BY_TEXT, ("x",)),
            (schema.BY_ARTICLE_NUMBER, ("x",)),
            (schema.BY_CATALOG_NUMBER, ("x",)),
        ):
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
            assert plan
            assert not [step for step in plan if "SCAN" in step]


def _edited(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_newer_master_is_refused_and_left_alone(importing: Importing, directory: Path) -> None:
    importing(MASTER)
    current = directory / schema.CURRENT
    _edited(current, f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    before = current.read_bytes()
    with ArticleMaster(directory) as master, pytest.raises(MasterNewerError, match="install the newer scangate"):
        master.look_up("VGR-1", None)
    with pytest.raises(MasterNewerError):
        importing(MASTER)
    assert current.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"", b"no database", b"SQLite format 3\x00" + b"\xff" * 4000, b"\x00" * 8192],
    ids=["empty", "text", "header-only", "zeros"],
)
def test_a_file_that_is_no_master(directory: Path, content: bytes) -> None:
    directory.mkdir()
    (directory / schema.CURRENT).write_bytes(content)
    with ArticleMaster(directory) as master:
        for _ in range(2):
            with pytest.raises(MasterDamagedError, match="import every source"):
                master.look_up("VGR-1", None)


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA application_id = 1",
        "PRAGMA user_version = 0",
        "DELETE FROM generation",
        "UPDATE source SET priority = 'high'",
        "DROP TABLE source",
    ],
)
def test_a_master_that_lacks_what_every_import_writes(
    importing: Importing, directory: Path, statement: str
) -> None:
    importing(MASTER)
    _edited(directory / schema.CURRENT, statement)
    with ArticleMaster(directory) as master, pytest.raises(MasterDamagedError):
        master.look_up("VGR-1", None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE article SET traits = 'implant'",
        "UPDATE article SET traits = 1 << 40",
        "UPDATE article SET traits = -1",
        "UPDATE article SET rest = x'ff'",
        "UPDATE article SET manufacturer = 'none', catalog_number = x'00'",
        "UPDATE article SET trade_name = x'ff'",
        "UPDATE article SET base_quantity = 'many'",
        "DELETE FROM source",
        "DROP TABLE article",
        "DROP TABLE manufacturer",
    ],
)
def test_damage_met_by_a_look_up_is_named_and_mended_by_a_new_import(
    importing: Importing, directory: Path, statement: str
) -> None:
    importing(MASTER)
    _edited(directory / schema.CURRENT, statement)
    with ArticleMaster(directory) as master:
        with pytest.raises(MasterDamagedError):
            master.look_up("VGR-1", None)
        (directory / schema.CURRENT).unlink()
        importing(MASTER)
        assert master.look_up("VGR-1", None).match is Match.ARTICLE_NUMBER


def test_a_master_cut_short(importing: Importing, directory: Path) -> None:
    importing(MASTER)
    current = directory / schema.CURRENT
    for size in range(current.stat().st_size - 512, 0, -4096):
        os.truncate(current, size)
        with ArticleMaster(directory) as master, pytest.raises(MasterDamagedError):
            master.look_up("VGR-1", None)


def test_a_master_that_is_a_directory(directory: Path) -> None:
    (directory / schema.CURRENT).mkdir(parents=True)
    with ArticleMaster(directory) as master, pytest.raises(MasterUnreadableError):
        master.look_up("VGR-1", None)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=40))
def test_a_flipped_byte_is_an_answer_or_a_named_error(
    importing: Importing, directory: Path, flips: list[tuple[int, int]]
) -> None:
    current = directory / schema.CURRENT
    current.unlink(missing_ok=True)
    importing(MASTER)
    content = bytearray(current.read_bytes())
    for place, value in flips:
        content[place % len(content)] = value
    current.write_bytes(content)
    with ArticleMaster(directory) as master:
        for text, identifier in (("x", "09520001000102"), ("x", "A99912345"), ("VGR-8", None), ("C-8", None)):
            try:
                assert isinstance(master.look_up(text, identifier), LookUp)
            except MasterError as error:
                assert error.hint  # noqa: PT017 - either outcome is right


def test_a_swap_is_seen_by_the_open_file_alone(importing: Importing, directory: Path) -> None:
    """As it is a second after an import: nothing looks at the file's name then."""
    with ArticleMaster(directory) as master:
        for generation in range(3):
            importing(f"articleNumber;tradeName\nVGR-1;{generation}\n")
            article = master.look_up("VGR-1", None).article
            assert article is not None
            assert article.trade_name == str(generation)
            assert master._open is not None
            master._open.settled = True
        rollback(directory)
        article = master.look_up("VGR-1", None).article
        assert article is not None
        assert article.trade_name == "1"
        assert master._open is not None
        master._open.settled = True
        (directory / schema.CURRENT).unlink()
        assert master.look_up("VGR-1", None).match is Match.NONE
