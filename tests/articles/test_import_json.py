"""JSON in its wrappers, and what is wrong with it: the same for every format that comes as JSON."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.articles.errors import SourceFileError
from gateway.articles.importers import json_entries
from gateway.articles.importers.json_entries import JsonEntriesError, entries
from gateway.model import Article, ArticleStatus
from tests.articles.reading import judged, rows

LISTS = frozenset({"content", "value"})
CUP, BOX = "09520001001000", "19520001001007"


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time, as a pipe may."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._size = size

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._size if size is None or size < 0 else min(size, self._size))


def values(content: str, size: int = 7) -> list[object]:
    stream = Trickle(content.encode(), size)
    found = list(entries(stream, LISTS))
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    return [one.value for one in found]


@pytest.mark.parametrize(
    "content",
    [
        '[{"a":1},{"a":2}]',
        ' [ {"a" : 1} ,\n{"a":2} ] ',
        '{"content":[{"a":1},{"a":2}]}',
        '{"total":2,"page":{"x":[1]},"value":[{"a":1},{"a":2}],"last":true}',
        '{"a":1}\n{"a":2}\n',
        '{"a":1} {"a":2}',
        '{"content":[{"a":1}]}{"content":[{"a":2}]}',
        '[{"content":[{"a":1}]},{"content":[{"a":2}]}]',
        '\ufeff[{"a":1},{"a":2}]',
        '{"content":[]}[{"a":1},{"a":2}]',
    ],
)
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_the_same_entries_in_many_wrappers(content: str, size: int) -> None:
    assert values(content, size) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(("content", "expected"), [("[]", []), ('{"content":[]}', []), ("[12345]", [12345])])
def test_few_entries(content: str, expected: list[object]) -> None:
    assert values(content, 1) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("PK", "expected an object or a list"),
        ("12", "expected an object or a list"),
        ('[{"a":1},{"a":', "after entry 1"),
        ('[{"a":1},', "after entry 1"),
        ('[{"a":1}', "cut short"),
        ('{"content":[{"a":1}', "cut short"),
        ('{"content":[{"a":1}]', "cut short"),
        ('[{"a":1} {"a":2}]', "expected ','"),
        ('[{"a":1},{a:2}]', "after entry 1"),
        ("{1:2}", "expected a key"),
        ("[" * 100_000, "nested too deep"),
        ('[{"a":' + "9" * 5000 + "}]", "after entry 0"),
        ('[{"a":"\x01"}]', "control character"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(content: str, words: str) -> None:
    with pytest.raises(JsonEntriesError) as raised:
        values(content, 4096)
    assert words in str(raised.value)


def test_bytes_that_are_no_utf8() -> None:
    with pytest.raises(JsonEntriesError, match="after entry 1: it is not UTF-8"):
        list(entries(io.BytesIO(b'{"a":1}' + b" " * json_entries.READ_BYTES + b'{"a":"\xff"}'), LISTS))


@pytest.mark.parametrize(
    "content",
    [
        b'[{"a":"' + b"x" * 3_000_000 + b'"}]',
        b'{"a":"' + b"x" * 3_000_000 + b'"}',
        b'{"a":[' + b'"x",' * 1_000_000 + b'"x"]}',
        b"{" + b'"a":1,' * 400_000 + b'"a":1}',
    ],
)
def test_an_entry_without_end_is_refused(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_entries, "MAX_ENTRY_CHARACTERS", 1_000_000)
    with pytest.raises(JsonEntriesError):
        list(entries(io.BytesIO(content), LISTS))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), JSON, max_size=3), max_size=5), st.integers(1, 40))
def test_any_entries_however_they_are_cut(wanted: list[object], size: int) -> None:
    text = json.dumps(wanted, ensure_ascii=False)
    for content in (
        text,
        '{"x":{"y":[1]},"content":' + text + ',"z":0}',
        "\n".join(map(json.dumps, wanted)) or "[]",
    ):
        assert values(content, size) == wanted


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=60), st.sampled_from(["accessgudid", "eudamed", "fhir"]))
def test_any_bytes(content: bytes, file_format: str) -> None:
    for text in (content, b"[" + content + b"]", b'{"content":[' + content):
        try:
            rows(file_format, text)
        except SourceFileError as error:
            assert "miv" in str(error)  # noqa: PT017 - some of these bytes are JSON


def fhir(**more: object) -> bytes:
    udi = [{"deviceIdentifier": CUP, "issuer": "http://hl7.org/fhir/NamingSystem/gs1-di"}]
    return json.dumps([{"resourceType": "DeviceDefinition", "udiDeviceIdentifier": udi, **more}]).encode()


def gudid(**more: object) -> bytes:
    own = {"deviceId": CUP, "deviceIdType": "Primary", "deviceIdIssuingAgency": "GS1"}
    return json.dumps([{"identifiers": {"identifier": [own]}, **more}]).encode()


def packed(*packages: dict[str, object]) -> bytes:
    own = {"deviceId": CUP, "deviceIdType": "Primary", "deviceIdIssuingAgency": "GS1"}
    return gudid(identifiers={"identifier": [own, *packages]})


def box(inside: str, quantity: object) -> dict[str, object]:
    return {
        "deviceId": BOX,
        "deviceIdType": "Package",
        "deviceIdIssuingAgency": "GS1",
        "containsDINumber": inside,
        "pkgQuantity": quantity,
    }


def nested(depth: int) -> list[object]:
    return [{"count": 1, "packaging": nested(depth - 1)}] if depth else []


BOX_UDI = [{"deviceIdentifier": BOX, "issuer": "urn:gs1"}]


@pytest.mark.parametrize(
    ("file_format", "content", "words"),
    [
        ("eudamed", b'[{"primaryDi":1}]', "$.primaryDi"),
        ("eudamed", b"[{}]", "primaryDi"),
        ("eudamed", b"[[]]", "no device of EUDAMED"),
        ("eudamed", b'[{"primaryDi":""}]', "nothing could find"),
        ("eudamed", b'[{"primaryDi":"09520001001001"}]', "check digit"),
        (
            "eudamed",
            b'[{"primaryDi":"09520001001000","deviceStatusType":{"code":"refdata.device-model-status.new"}}]',
            "'new' is unknown",
        ),
        ("accessgudid", b"[{}]", "identifiers"),
        ("accessgudid", b'[{"gudid":{"device":{"identifiers":7}}}]', "$.identifiers"),
        ("accessgudid", b'[{"identifiers":{"identifier":[]}}]', "no primary identifier"),
        ("accessgudid", gudid(deviceCommDistributionStatus="Gone"), "'gone' is unknown"),
        ("accessgudid", packed(box(CUP, None)), "needs its quantity"),
        ("accessgudid", packed(box("19520001001014", 5)), "not listed with it"),
        ("accessgudid", packed(box(BOX, 5)), "not listed with it"),
        ("fhir", b'[{"a":1}]', "no resourceType"),
        ("fhir", b"[7]", "no resourceType"),
        ("fhir", fhir(udiDeviceIdentifier="x"), "udiDeviceIdentifier"),
        ("fhir", fhir(correctiveAction={}), "recall"),
        ("fhir", fhir(packaging=[{"udiDeviceIdentifier": BOX_UDI}]), "needs its quantity"),
        (
            "fhir",
            fhir(
                packaging=[{"udiDeviceIdentifier": BOX_UDI, "count": 2, "packaging": [{"count": 1}, {"count": 2}]}]
            ),
            "needs its quantity",
        ),
        ("fhir", fhir(packaging=nested(40)), "inside each other"),
    ],
)
def test_a_bad_entry_costs_itself_only(file_format: str, content: bytes, words: str) -> None:
    good = {"eudamed": b'{"primaryDi":"09520001001017"}', "accessgudid": gudid()[1:-1], "fhir": fhir()[1:-1]}
    articles, rejected = judged(rows(file_format, content + good[file_format]))
    assert [(one.line, words in one.reason) for one in rejected] == [(1, True)], rejected
    assert articles


@pytest.mark.parametrize(
    ("action", "status", "since"),
    [
        ({"recall": True}, ArticleStatus.RECALLED, None),
        ({"recall": True, "scope": "model", "period": {"start": "2025-06-02T08:00:00Z"}}, "recalled", "2025-06-02"),
        ({"recall": True, "period": {"start": "2025-06"}}, ArticleStatus.RECALLED, None),
        ({"recall": False, "period": {"start": "2025-06-02"}}, ArticleStatus.ACTIVE, None),
    ],
)
def test_corrective_actions(action: object, status: str, since: str | None) -> None:
    """R5 DeviceDefinition.correctiveAction: `recall` says whether it is one; any other leaves the device in use."""
    articles, _ = judged(rows("fhir", fhir(correctiveAction=action)))
    assert (articles[CUP].status, articles[CUP].status_from) == (status, since)


def test_other_resources_are_passed_over() -> None:
    content = b'{"resourceType":"OperationOutcome"}\n{"resourceType":"Organization","name":7}\n' + fhir()[1:-1]
    articles, rejected = judged(rows("fhir", content))
    assert (set(articles), rejected) == ({CUP}, [])


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("refdata.issuing-agency.gs1", "GS1"),
        ("refdata.issuing-agency.ifa", "IFA"),
        (None, "GS1"),
    ],
)
def test_the_issuer_of_eudamed(issuer: str | None, expected: str) -> None:
    identifier = "111234567842" if expected == "IFA" else CUP  # IFA UDI specification 2.5: PZN 12345678
    content = json.dumps([{"primaryDi": identifier, "issuingAgency": issuer and {"code": issuer}}]).encode()
    articles, _ = judged(rows("eudamed", content))
    assert articles.get(identifier, Article()).issuer == expected
