"""Messages of changes: what is read, and what is refused with which words."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from gateway.articles.overlay.delta_message import MAX_CHANGES, MAX_DELTA_BYTES, MAX_LISTED, read_delta
from gateway.articles.overlay.signing import KeyFileError, read_public_key, verifier
from gateway.articles.overlay.statements import Block, Change, Deletion, Delta, RefusedDelta, Release, Upsert
from gateway.model import Article, Issuer, NumberRange, Recall

GTIN = "09520001000102"
"""GS1 prefix 952 is set aside for demonstrations."""


def message(*changes: dict[str, Any], **more: object) -> bytes:
    whole = {"source": "miv", "number": 7, "issuedAt": "2026-11-21T10:00:00Z", "changes": changes, **more}
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("change", "identity", "said"),
    [
        (
            {
                "op": "upsert",
                "article": {"deviceIdentifier": "9520001000102", "tradeName": "S", "implant": True},
            },
            GTIN,
            Upsert(
                article=Article(device_identifier=GTIN, issuer=Issuer.GS1, trade_name="S", implant=True),
                states_status=False,
            ),
        ),
        (
            {"op": "upsert", "article": {"articleNumber": "VGR-1", "baseQuantity": 10, "description": None}},
            "#VGR-1",
            Upsert(article=Article(article_number="VGR-1", base_quantity=10), states_status=False),
        ),
        (
            {"op": "block", "deviceIdentifier": "9520001000102", "reason": "avtal", "from": "2026-12-01"},
            GTIN,
            Block(reason="avtal", since="2026-12-01"),
        ),
        ({"op": "block", "articleNumber": "VGR-1"}, "#VGR-1", Block()),
        (
            {"op": "recall", "deviceIdentifier": "A99912345", "reason": "FSN 17", "from": "2026-11-01"},
            "A99912345",
            Recall(source="miv", reason="FSN 17", starts="2026-11-01"),
        ),
        (
            {"op": "recall", "deviceIdentifier": GTIN, "lots": ["L1", "L2"], "serials": ["S1"]},
            GTIN,
            Recall(source="miv", lots=("L1", "L2"), serials=("S1",)),
        ),
        (
            {"op": "recall", "deviceIdentifier": GTIN, "from": "2026-11-01", "to": "2026-12-31"},
            GTIN,
            Recall(source="miv", starts="2026-11-01", ends="2026-12-31"),
        ),
        (
            {"op": "recall", "deviceIdentifier": GTIN, "manufacturedFrom": "2025-01-01", "expiresTo": "2027-06-30"},
            GTIN,
            Recall(source="miv", manufactured_from="2025-01-01", expires_to="2027-06-30"),
        ),
        (
            {
                "op": "recall",
                "deviceIdentifier": GTIN,
                "id": "FSN-1",
                "serialRanges": [{"from": "S08", "to": "S11"}],
            },
            GTIN,
            Recall(source="miv", id="FSN-1", serial_ranges=(NumberRange(first="S08", last="S11"),)),
        ),
        ({"op": "release", "deviceIdentifier": GTIN, "id": "FSN-1"}, GTIN, Release(id="FSN-1")),
        ({"op": "release", "id": "FSN-1"}, None, Release(id="FSN-1")),
        ({"op": "release", "deviceIdentifier": GTIN}, GTIN, Release()),
        ({"op": "delete", "deviceIdentifier": GTIN}, GTIN, Deletion()),
        (
            {"op": "delete", "deviceIdentifier": "A9999XYZ100T0479", "issuer": "ICCBBA"},
            "A9999XYZ100T0479",
            Deletion(),
        ),
    ],
)
def test_read(change: dict[str, Any], identity: str | None, said: object) -> None:
    read = read_delta(message(change), None)
    assert isinstance(read, Delta)
    assert (read.source, read.number, read.issued_at) == ("miv", 7, "2026-11-21T10:00:00+00:00")
    assert read.changes == (Change(identity=identity, statement=said),)  # type: ignore[arg-type]  # a column


BLOCK = {"op": "block", "deviceIdentifier": GTIN}


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "truncated"),
        (b"\xff", "malformed"),
        (b"[]", "Expected `object`"),
        (b"{}", "missing required field `source`"),
        (b'{"changes":[{"op":"upsert","article":{"implant":' + b"[" * 100_000, "Expected"),
        (b" " * (MAX_DELTA_BYTES + 1), "at most"),
        (message(BLOCK, source="../x"), "$.source"),
        (message(BLOCK, number=0), "$.number"),
        (message(BLOCK, number="7"), "$.number"),
        (message(BLOCK, number=2**63), "$.number"),
        (message(BLOCK, issuedAt="2026-11-21T10:00:00"), "no time zone"),
        (message(BLOCK, issuedAt="yesterday"), "issuedAt"),
        (message(BLOCK, urgent=True), "unknown field `urgent`"),
        (message(), "length >= 1"),
        (message(*[BLOCK] * (MAX_CHANGES + 1)), f"length <= {MAX_CHANGES}"),
        (message({"op": "forget", "deviceIdentifier": GTIN}), "Invalid value 'forget'"),
        (message({"deviceIdentifier": GTIN}), "missing required field `op`"),
        (message({"op": "block"}), "changes[0]: either deviceIdentifier or articleNumber"),
        (message(BLOCK, {"op": "block", "deviceIdentifier": GTIN, "articleNumber": "1"}), "changes[1]: either"),
        (message({"op": "block", "deviceIdentifier": "09520001000103"}), "check digit 2 expected"),
        (message({"op": "block", "deviceIdentifier": GTIN, "from": "2026-02-30"}), "no date"),
        (message({"op": "block", "deviceIdentifier": GTIN, "reason": "a\x1bb"}), "control characters"),
        (message({"op": "block", "articleNumber": " "}), "is empty"),
        # a restriction that is not understood would recall too much
        (message({"op": "recall", "deviceIdentifier": GTIN, "lot": "L1"}), "unknown field `lot`"),
        (message({"op": "recall", "deviceIdentifier": GTIN, "lots": "L1"}), "lots"),
        (message({"op": "release"}), "either deviceIdentifier or articleNumber"),
        *(
            (message({"op": "recall", "deviceIdentifier": GTIN, "lotRanges": [{"from": first, "to": last}]}), words)
            for first, last, words in (("A1", "B2", "no range"), ("9", "8", "no range"), ("A", "B", "no range"))
        ),
        (
            message({"op": "recall", "deviceIdentifier": GTIN, "lotRanges": [{"from": "1", "to": "9", "step": 2}]}),
            "unknown field `step`",
        ),
        (message({"op": "recall", "deviceIdentifier": GTIN, "lots": ["x"] * (MAX_LISTED + 1)}), "length <="),
        (
            message({"op": "recall", "deviceIdentifier": GTIN, "from": "2026-02-02", "to": "2026-02-01"}),
            "behind the last",
        ),
        (message({"op": "upsert", "article": {"tradeName": "x"}}), "nothing could find this article"),
        (
            message({"op": "upsert", "article": {"articleNumber": "1", "colour": "red"}}),
            "Invalid enum value 'colour'",
        ),
        (message({"op": "upsert", "article": {"articleNumber": "1", "status": "gone"}}), "status: 'gone'"),
        (message({"op": "upsert", "article": {"articleNumber": ["1"]}}), "Expected"),
    ],
)
def test_refused(payload: bytes, words: str) -> None:
    refused = read_delta(payload, None)
    assert isinstance(refused, RefusedDelta)
    assert words.casefold() in refused.reason.casefold()
    assert len(refused.reason) <= 300


KEY = SigningKey(b"k" * 32)
OTHER = SigningKey(b"o" * 32)


def signed(body: bytes, by: SigningKey = KEY, **changed: str) -> bytes:
    whole = {"payload": b64encode(body).decode(), "signature": b64encode(by.sign(body).signature).decode()}
    return json.dumps({**whole, **changed}).encode()


def test_a_signed_message_is_read_with_and_without_a_key() -> None:
    verify = verifier(KEY.verify_key.encode())
    assert isinstance(read_delta(signed(message(BLOCK)), verify), Delta)
    assert isinstance(read_delta(signed(message(BLOCK)), None), Delta)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (message(BLOCK), "it is not signed"),
        (signed(message(BLOCK), OTHER), "signature is wrong"),
        (signed(message(BLOCK), payload=b64encode(message(BLOCK, number=8)).decode()), "signature is wrong"),
        (signed(message(BLOCK), signature=""), "signature is wrong"),
        (signed(message(BLOCK), signature="AAAA"), "signature is wrong"),
        (signed(message(BLOCK), signature=b64encode(bytes(64)).decode()), "signature is wrong"),
        (signed(message(BLOCK), signature="*"), "no base64"),
        (signed(message(BLOCK), extra="1"), "it is not signed"),
        (signed(b"[]"), "Expected `object`"),
    ],
)
def test_with_a_key_only_a_signed_message_counts(payload: bytes, words: str) -> None:
    refused = read_delta(payload, verifier(KEY.verify_key.encode()))
    assert isinstance(refused, RefusedDelta)
    assert words in refused.reason


def test_the_signature_is_ed25519() -> None:
    """RFC 8032, 7.1, test 2: one byte signed."""
    key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert verifier(key)(b"\x72", signature)
    assert not verifier(key)(b"\x73", signature)


@pytest.mark.parametrize(
    "written",
    [
        KEY.verify_key.encode(),
        KEY.verify_key.encode().hex().encode() + b"\n",
        b64encode(KEY.verify_key.encode()) + b"\r\n",
    ],
)
def test_key_file(tmp_path: Path, written: bytes) -> None:
    file = tmp_path / "delta.pub"
    file.write_bytes(written)
    assert read_public_key(str(file)) == KEY.verify_key.encode()


def test_key_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        read_public_key(str(tmp_path / "none"))
    (tmp_path / "wrong").write_bytes(b"-----BEGIN PUBLIC KEY-----")
    with pytest.raises(KeyFileError, match="expected 32 bytes"):
        read_public_key(str(tmp_path / "wrong"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.just(GTIN),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["op", "deviceIdentifier", "article", "lots", "from"]), JSON), st.binary())
def test_any_message_is_read_or_refused(change: dict[str, Any], noise: bytes) -> None:
    for payload in (noise, message(change), message({**change, "op": "recall", "deviceIdentifier": GTIN})):
        assert isinstance(read_delta(payload, None), Delta | RefusedDelta)
