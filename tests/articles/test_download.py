"""Fetching over HTTP from a real server: validators, resuming, and servers that misbehave."""

import ssl
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.articles.settings import SourceSettings
from gateway.articles.sync import download
from gateway.articles.sync.download import fetch, fetch_small
from gateway.articles.sync.transfer import DownloadError, Pace, UnreachableError
from gateway.articles.sync.validators import Validators
from tests.articles.servers import (
    Answer,
    Server,
    content,
    cut_short,
    raw,
    redirect,
    server_context,
    serving,
    status,
)
from tests.certificates import make_authority, make_certificate

BODY = b"articleNumber;tradeName\n" + b"".join(b"VGR-%d;Cup\n" % number for number in range(2000))
STEADY = Pace(attempts=3)
HURRIED = Pace(attempts=2, window=1, least_rate=10_000)
"""For servers that are slow: of another one, a busy machine would make a slow one."""
MODIFIED = "Sat, 21 Nov 2026 03:00:00 GMT"
OK = b"HTTP/1.1 200 OK\r\n"


def settings(url: str | None, **more: object) -> SourceSettings:
    return msgspec.convert({"name": "miv", "url": url, "allow_http": True, **more}, SourceSettings)


def fetching(
    server: Server,
    directory: Path,
    known: Validators | None = None,
    waits: list[float] | None = None,
    pace: Pace = STEADY,
    **more: object,
) -> Validators | None:
    url = server.url()
    noted: list[float] = [] if waits is None else waits
    return fetch(settings(url, **more), url, directory / "part", known, pace=pace, wait=noted.append)


def names(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir())


def test_a_file_comes_whole_with_its_validators(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with serving(content(BODY, modified=MODIFIED)) as server:
        url = server.url()
        found = fetch(settings(url), url, tmp_path / "part", None, progress=lambda *now: seen.append(now))
    assert found == Validators(url=url, etag='"1"', last_modified=MODIFIED)
    assert (tmp_path / "part").read_bytes() == BODY
    assert names(tmp_path) == ["part"]
    assert seen[-1] == (len(BODY), len(BODY))
    assert server.asked[0].headers["accept-encoding"] == "identity"


def test_a_known_file_is_not_sent_again(tmp_path: Path) -> None:
    with serving(content(BODY)) as server:
        known = fetching(server, tmp_path)
        assert fetching(server, tmp_path, known) is None
        assert fetching(server, tmp_path, Validators(url="x", etag='"0"')) == known
    assert [one.headers.get("if-none-match") for one in server.asked] == [None, '"1"', '"0"']


def test_by_date_where_there_is_no_tag(tmp_path: Path) -> None:
    with serving(content(BODY, etag=None, modified=MODIFIED), status(304)) as server:
        known = fetching(server, tmp_path)
        assert known is not None
        assert known.etag is None
        assert fetching(server, tmp_path, known) is None
    assert server.asked[1].headers["if-modified-since"] == MODIFIED


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(tmp_path: Path, code: int) -> None:
    waits: list[float] = []
    with serving(status(code), status(code), content(BODY)) as server:
        assert fetching(server, tmp_path, waits=waits) is not None
    first, second = waits
    assert STEADY.first_wait * 0.5 <= first <= STEADY.first_wait * 1.5
    assert STEADY.first_wait <= second <= STEADY.first_wait * 3


def test_retry_after_is_kept_to(tmp_path: Path) -> None:
    waits: list[float] = []
    with serving(status(503, Retry_After="7"), content(BODY)) as server:
        fetching(server, tmp_path, waits=waits)
    assert waits == [7.0]
    with serving(status(503, Retry_After="86400"), content(BODY)) as server, pytest.raises(UnreachableError):
        fetching(server, tmp_path)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("code", "tries"), [(500, 3), (401, 1), (403, 1), (404, 1), (410, 1), (418, 1)])
def test_an_answer_without_the_file(tmp_path: Path, code: int, tries: int) -> None:
    with serving(status(code)) as server, pytest.raises(UnreachableError, match=f"answers {code}"):
        fetching(server, tmp_path)
    assert len(server.asked) == tries


@pytest.mark.parametrize("got", [1, 1000, len(BODY) - 1])
def test_what_was_cut_short_is_gone_on_with(tmp_path: Path, got: int) -> None:
    with serving(cut_short(BODY, got), content(BODY)) as server:
        assert fetching(server, tmp_path) is not None
    assert (tmp_path / "part").read_bytes() == BODY
    assert server.asked[1].headers["range"] == f"bytes={got}-"
    assert server.asked[1].headers["if-range"] == '"1"'


def test_in_the_next_run_too(tmp_path: Path) -> None:
    with serving(cut_short(BODY, 1000)) as server:
        with pytest.raises(UnreachableError, match=f"{len(BODY) - 1000} bytes missing"):
            fetching(server, tmp_path)
        assert names(tmp_path) == ["part", "part.json"]
        server.answers = [content(BODY)]
        assert fetching(server, tmp_path) is not None
    assert (tmp_path / "part").read_bytes() == BODY
    assert names(tmp_path) == ["part"]


NEWER = b"another;file\n" * 500


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        (cut_short(BODY, 1000), content(NEWER, '"2"'), NEWER),  # If-Range does not match: the whole comes
        (cut_short(BODY, 1000, 'W/"1"'), content(BODY), BODY),  # a weak tag promises nothing: from the beginning
        (cut_short(BODY, 1000, None), content(BODY), BODY),
        (
            cut_short(BODY, 1000),
            raw(b"HTTP/1.1 206 X\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n01234"),
            BODY,
        ),
        (cut_short(BODY, 1000), status(416), None),
    ],
    ids=["changed", "weak", "no validator", "another range", "416 for ever"],
)
def test_another_file_in_the_meantime(tmp_path: Path, first: Answer, then: Answer, expected: bytes | None) -> None:
    with serving(first, then, content(BODY)) as server:
        if expected is None:
            server.answers.pop()
            with pytest.raises(UnreachableError):
                fetching(server, tmp_path)
            return
        fetching(server, tmp_path)
    assert (tmp_path / "part").read_bytes() == expected


def chunked(*chunks: bytes) -> bytes:
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (raw(chunked(b"abc", b"def")), "outstanding read data"),
        (raw(OK + b"\r\nno length at all"), "does not say how long"),
        (raw(OK + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"), "packs the answer"),
        (raw(b"SSH-2.0-OpenSSH\r\n"), "HTTP/0.9"),
        (raw(b""), "Empty reply"),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500_000), "grew larger than allowed"),
        (raw(OK, *[b"X: y\r\n"] * 50, pause=0.1), ""),
        (raw(OK + b"Content-Length: 100000\r\n\r\n", *[b"x"] * 50, pause=0.1), "too slow"),
        (raw(OK + b"Content-Length: 9\r\n\r\n", b"x", pause=5.0), "too slow"),
        (redirect("/again"), "more than 5 redirects"),
        (redirect("http://user:word@127.0.0.1/"), "redirects to no host"),
        (redirect("ftp://127.0.0.1/x"), "not https"),
        (redirect("file:///etc/passwd"), "not https"),
        (raw(b"HTTP/1.1 404 no\x1b]0;x\x07 here\r\nContent-Length: 0\r\n\r\n"), "404 no?]0;x? here"),
    ],
    ids=[
        *(
            "chunks cut",
            "no length",
            "packed",
            "other protocol",
            "nothing",
            "long header",
            "slow header",
            "slow body",
        ),
        *("silence", "circle", "credentials", "ftp", "file", "drives the terminal"),
    ],
)
def test_a_server_that_misbehaves(tmp_path: Path, answer: Answer, words: str) -> None:
    pace = HURRIED if words in {"", "too slow"} else STEADY
    with serving(answer) as server, pytest.raises(DownloadError) as raised:
        fetching(server, tmp_path, pace=pace)
    assert words in str(raised.value)
    assert "; " in str(raised.value)
    assert str(raised.value).isprintable()


def test_chunks_come_whole(tmp_path: Path) -> None:
    with serving(raw(chunked(b"abc", b"def", b""))) as server:
        fetching(server, tmp_path)
    assert (tmp_path / "part").read_bytes() == b"abcdef"


def test_caps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    with serving(content(BODY)) as server, pytest.raises(DownloadError, match="longer than 1000 bytes"):
        fetching(server, tmp_path)
    with serving(content(b"x" * 70_000)) as server, pytest.raises(DownloadError, match="longer than"):
        fetch_small(settings(server.url()), server.url())
    with serving(content(b"a sum")) as server:
        assert fetch_small(settings(server.url()), server.url()) == b"a sum"
    monkeypatch.setattr(download, "SPARE_BYTES", 1 << 60)
    with serving(content(BODY)) as server, pytest.raises(DownloadError, match="make room"):
        fetching(server, tmp_path)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with serving(content(BODY)) as server, pytest.raises(DownloadError, match="cannot store"):
        fetching(server, tmp_path / "gone")


def test_nobody_there(tmp_path: Path) -> None:
    with serving(content(BODY)) as server:
        pass
    with pytest.raises(UnreachableError, match="Could not connect"):
        fetching(server, tmp_path)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two authorities, a server's certificate, one for another host, and a client's."""
    directory = tmp_path_factory.mktemp("keys")
    for authority in ("right", "other"):
        make_authority(directory, authority)
    make_certificate(directory, "right", "server", "IP:127.0.0.1")
    make_certificate(directory, "right", "elsewhere", "DNS:articles.example")
    make_certificate(directory, "right", "client", "DNS:gw01")
    return directory


def test_tls(tmp_path: Path, keys: Path) -> None:
    with serving(content(BODY), context=server_context(keys, "server")) as server:
        assert fetching(server, tmp_path, ca_file=f"{keys}/right.crt", allow_http=False) is not None


@pytest.mark.parametrize(
    ("certificate", "authority", "why"),
    [
        ("server", "other", "unable to get local issuer"),
        ("server", None, "unable to get local issuer"),
        ("elsewhere", "right", "no alternative certificate subject name"),
        ("server", "missing", "error adding trust anchors"),
    ],
)
def test_what_cannot_be_verified_is_not_fetched(
    tmp_path: Path, keys: Path, certificate: str, authority: str | None, why: str
) -> None:
    trust: dict[str, Any] = {} if authority is None else {"ca_file": f"{keys}/{authority}.crt"}
    with (
        serving(content(BODY), context=server_context(keys, certificate)) as server,
        pytest.raises(UnreachableError, match=why) as raised,
    ):
        fetching(server, tmp_path, **trust)
    assert not raised.value.recoverable
    assert server.asked == []


def test_a_client_certificate(tmp_path: Path, keys: Path) -> None:
    trust: dict[str, Any] = {"ca_file": f"{keys}/right.crt"}
    own: dict[str, Any] = {"cert_file": f"{keys}/client.crt", "key_file": f"{keys}/client.key"}
    with serving(content(BODY), context=server_context(keys, "server", "right")) as server:
        assert fetching(server, tmp_path, **trust, **own) is not None
        with pytest.raises(UnreachableError):
            fetching(server, tmp_path, **trust)
        with serving(redirect(server.url()), context=server_context(keys, "server", "right")) as first:
            # another host (here: another port) is not shown who we are
            with pytest.raises(UnreachableError):
                fetching(first, tmp_path, **trust, **own)
            assert len(first.asked) == STEADY.attempts


@pytest.mark.parametrize("allow_http", [True, False])
def test_https_never_leads_to_http(tmp_path: Path, keys: Path, allow_http: bool) -> None:  # noqa: FBT001 - a case
    with (
        serving(content(BODY)) as plain,
        serving(redirect(plain.url()), context=server_context(keys, "server")) as server,
        pytest.raises(DownloadError, match="which is not https"),
    ):
        fetching(server, tmp_path, ca_file=f"{keys}/right.crt", allow_http=allow_http)
    assert plain.asked == []


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_among_equals(tmp_path: Path, code: int) -> None:
    with serving(content(BODY)) as target, serving(redirect(target.url("/x?a=1"), code)) as server:
        assert fetching(server, tmp_path) is not None
    assert target.asked[0].path == "/x?a=1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "http://127.0.0.1/x", "allow_http": False}, "plain http"),
        ({"sha256_url": "http://127.0.0.1/x", "allow_http": False}, "plain http"),
        ({"url": "https://user:word@127.0.0.1/x"}, "must not carry credentials"),
        ({"url": "ftp://127.0.0.1/x"}, "https://host/path"),
        ({"url": "smb://127.0.0.1/x"}, "https://host/path"),
        ({"username": "gw"}, "go together"),
        ({"token_file": "t", "username": "gw", "password_file": "p"}, "excludes"),
        ({"url": "http://127.0.0.1/x", "token_file": "t"}, "is for https"),
        ({"url": "http://127.0.0.1/x", "username": "gw", "password_file": "p"}, "everybody on the way"),
        ({"url": "sftp://127.0.0.1/x", "username": "gw", "key_file": "k"}, "known_hosts_file"),
        ({"url": "sftp://127.0.0.1/x", "known_hosts_file": "h", "key_file": "k"}, "needs `username`"),
        ({"url": "sftp://127.0.0.1/x", "known_hosts_file": "h", "username": "gw"}, "needs `username`"),
        ({"url": "https:///x"}, "https://host/path"),
        ({"path": "/srv/x"}, "exclude each other"),
        ({"url": None, "path": "x.csv"}, "must begin with /"),
        ({"url": None, "path": ""}, "must begin with /"),
        ({"cert_file": "x"}, "go together"),
        ({"sha256": "ABC"}, "regex"),
        ({"interval": 1}, "300"),
    ],
)
def test_settings_that_cannot_work(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words) as raised:
        settings(**{"url": "https://127.0.0.1/x", **changes})
    assert "word@" not in str(raised.value)


def test_the_least_of_tls(keys: Path, tmp_path: Path) -> None:
    context = server_context(keys, "server")
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(content(BODY), context=context) as server, pytest.raises(UnreachableError):
        fetching(server, tmp_path, ca_file=f"{keys}/right.crt")
