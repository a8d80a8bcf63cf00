"""Fetching from the servers that regions run: OpenSSH's SFTP, FTPS, nginx with a password; and who is believed."""

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.articles.settings import SourceSettings
from gateway.articles.sync import download
from gateway.articles.sync.download import fetch
from gateway.articles.sync.job import Watch, sync
from gateway.articles.sync.state import SyncResult
from gateway.articles.sync.transfer import DownloadError, Pace, UnreachableError
from gateway.articles.sync.validators import Validators
from tests.articles.file_servers import Sshd, ftps, nginx, sshd
from tests.articles.servers import content, redirect, server_context, serving
from tests.certificates import make_authority, make_certificate

BODY = b"articleNumber;tradeName\n" + b"".join(b"VGR-%d;Cup\n" % number for number in range(20_000))
PACE = Pace(attempts=2)
SPRING = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
SPRING_TEXT = "Sun, 01 Mar 2026 12:00:00 GMT"


def settings(url: str, **more: object) -> SourceSettings:
    return msgspec.convert({"name": "miv", "url": url, **more}, SourceSettings)


def fetching(source: SourceSettings, directory: Path, known: Validators | None = None) -> Validators | None:
    return fetch(source, source.url or "", directory / "part", known, pace=PACE, wait=lambda _: None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as one:
        yield one


def put(server: Sshd, body: bytes = BODY, moment: float = SPRING) -> None:
    file = server.folder / "articles.csv"
    file.write_bytes(body)
    os.utime(file, (moment, moment))


def by_sftp(server: Sshd, **more: object) -> SourceSettings:
    hosts = server.directory / "known_hosts"
    hosts.write_text(server.known_hosts)
    given: dict[str, object] = {"username": server.user, "key_file": str(server.directory / "client")}
    return settings(server.url(), **(given | {"known_hosts_file": str(hosts)} | more))


def test_sftp_brings_a_file_that_changed(server: Sshd, tmp_path: Path) -> None:
    put(server)
    source = by_sftp(server)
    known = fetching(source, tmp_path)
    assert known == Validators(url=server.url(), last_modified=SPRING_TEXT)
    assert (tmp_path / "part").read_bytes() == BODY
    assert [file.name for file in tmp_path.iterdir()] == ["part"]
    assert fetching(source, tmp_path, known) is None
    put(server, b"another", SPRING + 1)
    assert fetching(source, tmp_path, known) is not None
    assert (tmp_path / "part").read_bytes() == b"another"


def test_sftp_goes_on_where_it_broke_off(server: Sshd, tmp_path: Path) -> None:
    put(server)
    source = by_sftp(server)
    (tmp_path / "part").write_bytes(b"x" * 1000)  # that these are not fetched again shows where it began
    beside = msgspec.json.encode(Validators(url=server.url(), last_modified=SPRING_TEXT))
    (tmp_path / "part.json").write_bytes(beside)
    fetching(source, tmp_path)
    assert (tmp_path / "part").read_bytes() == b"x" * 1000 + BODY[1000:]
    # of another version, or longer than the file: from the beginning
    for text, size in ((beside.replace(b"12:00", b"11:00"), 1000), (beside, len(BODY) + 1)):
        (tmp_path / "part").write_bytes(b"x" * size)
        (tmp_path / "part.json").write_bytes(text)
        fetching(source, tmp_path)
        assert (tmp_path / "part").read_bytes() == BODY


def test_a_file_that_is_written_to_while_it_comes_is_fetched_again(server: Sshd, tmp_path: Path) -> None:
    put(server)
    source = by_sftp(server)
    seen: list[int] = []

    def grow(got: int, total: int | None) -> None:
        if not seen:
            put(server, BODY * 2, SPRING + 60)
        seen.append(total or got)

    fetch(source, server.url(), tmp_path / "part", None, pace=PACE, wait=lambda _: None, progress=grow)
    assert (tmp_path / "part").read_bytes() == BODY * 2


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("another host key", "known_hosts_file"),
        ("no host key", "known_hosts_file"),
        ("a stranger's key", "[Aa]uthentication"),
        ("no file", "not exist|No such|not open"),
        ("no known_hosts", "known_hosts_file"),
    ],
)
def test_sftp_believes_only_the_known_key_and_is_not_tried_again(
    server: Sshd, tmp_path: Path, what: str, words: str
) -> None:
    put(server)
    hosts = tmp_path / "hosts"
    other = (server.directory / "stranger.pub").read_text()
    more: dict[str, Any] = {}
    match what:
        case "another host key":
            hosts.write_text(f"[127.0.0.1]:{server.port} {other}")
            more = {"known_hosts_file": str(hosts)}
        case "no host key":
            hosts.write_text("")
            more = {"known_hosts_file": str(hosts)}
        case "no known_hosts":
            more = {"known_hosts_file": str(tmp_path / "missing")}
        case "a stranger's key":
            more = {"key_file": str(server.directory / "stranger")}
        case _:
            more = {"url": server.url("missing.csv")}
    source = msgspec.structs.replace(by_sftp(server), **more)
    with pytest.raises(UnreachableError, match=words) as raised:
        fetching(source, tmp_path)
    assert not raised.value.recoverable


def test_a_sync_over_sftp(server: Sshd, tmp_path: Path) -> None:
    put(server)
    source = by_sftp(server)
    now = datetime(2026, 11, 28, tzinfo=UTC)

    def results() -> list[SyncResult]:
        watch = Watch(pace=PACE, wait=lambda _: None)
        done = sync(tmp_path / "articles", [source], now=lambda: now, names=["miv"], watch=watch)
        return [one.state.result for one in done]

    assert results() == [SyncResult.IMPORTED]
    assert results() == [SyncResult.UNCHANGED]
    put(server, BODY, SPRING + 5)
    assert results() == [SyncResult.UNCHANGED]  # another time, the same bytes


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    make_authority(directory, "right")
    make_authority(directory, "other")
    make_certificate(directory, "right", "server", "IP:127.0.0.1")
    (directory / "server.pem").write_text(
        (directory / "server.key").read_text() + (directory / "server.crt").read_text()
    )
    (directory / "password").write_text("s3cret\n")
    (directory / "wrong").write_text("guess\n")
    return directory


def by_password(url: str, keys: Path, **more: object) -> SourceSettings:
    given = {"username": "gw01", "password_file": str(keys / "password"), "ca_file": str(keys / "right.crt")}
    return settings(url, **(given | more))


def test_ftps_by_password(keys: Path, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    with ftps(folder, keys / "server.pem", "s3cret") as port:
        (folder / "articles.csv").write_bytes(BODY)
        os.utime(folder / "articles.csv", (SPRING, SPRING))
        source = by_password(f"ftpes://127.0.0.1:{port}/articles.csv", keys)
        known = fetching(source, tmp_path)
        assert known is not None
        assert known.last_modified == SPRING_TEXT
        assert (tmp_path / "part").read_bytes() == BODY
        assert fetching(source, tmp_path, known) is None
        for wrong, words in (
            ({"password_file": str(keys / "wrong")}, "denied"),
            ({"ca_file": str(keys / "other.crt")}, "certificate"),
            ({"url": f"ftpes://127.0.0.1:{port}/missing.csv"}, "not|exist|find"),
            ({"password_file": str(keys / "missing")}, "missing"),
        ):
            with pytest.raises(UnreachableError, match=words) as raised:
                fetching(msgspec.structs.replace(source, **wrong), tmp_path)
            assert not raised.value.recoverable
            assert "s3cret" not in str(raised.value)


def test_a_server_without_tls_is_shown_no_password(keys: Path, tmp_path: Path) -> None:
    """FTP over TLS, RFC 4217: AUTH TLS before USER, or nothing."""
    script = (
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\nprint(s.getsockname()[1], flush=True)\n"
        "while True:\n c, _ = s.accept()\n c.sendall(b'220 plain\\r\\n')\n for line in c.makefile('rb'):\n"
        "  print(line, flush=True)\n  c.sendall(b'502 no\\r\\n')\n"
    )
    with subprocess.Popen(["python3", "-c", script], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with pytest.raises(UnreachableError) as raised:
                fetching(by_password(f"ftpes://127.0.0.1:{port}/x", keys), tmp_path)
            assert not raised.value.recoverable
        finally:
            process.kill()
        said = process.stdout.read()
    assert b"AUTH" in said
    assert b"USER" not in said
    assert b"PASS" not in said


def test_nginx_with_a_password(keys: Path, tmp_path: Path) -> None:
    with nginx(tmp_path / "nginx", keys / "server.crt", keys / "server.key", "gw01:{PLAIN}s3cret\n") as port:
        (tmp_path / "nginx" / "served" / "articles.csv").write_bytes(BODY)
        source = by_password(f"https://127.0.0.1:{port}/articles.csv", keys)
        known = fetching(source, tmp_path)
        assert known is not None
        assert known.etag is not None
        assert (tmp_path / "part").read_bytes() == BODY
        assert fetching(source, tmp_path, known) is None
        (tmp_path / "part").write_bytes(BODY[:1000])
        (tmp_path / "part.json").write_bytes(msgspec.json.encode(known))
        assert fetching(source, tmp_path) == known
        assert (tmp_path / "part").read_bytes() == BODY
        with pytest.raises(UnreachableError, match="answers 401"):
            fetching(msgspec.structs.replace(source, password_file=str(keys / "wrong")), tmp_path)


@pytest.mark.parametrize("how", ["basic", "bearer"])
def test_credentials_are_for_the_configured_host_alone(keys: Path, tmp_path: Path, how: str) -> None:
    """RFC 6750, 5.3, and RFC 7617, 4: not shown to whom a server redirects to; read anew each time."""
    token = tmp_path / "token"
    token.write_text("first\n")
    context = server_context(keys, "server")
    with (
        serving(content(BODY), context=context) as target,
        serving(redirect(target.url()), context=context) as first,
    ):
        source = by_password(first.url(), keys)
        if how == "bearer":
            source = settings(first.url(), token_file=str(token), ca_file=str(keys / "right.crt"))
        assert fetching(source, tmp_path) is not None
        token.write_text("second\n")
        assert fetching(source, tmp_path) is not None
    shown = [one.headers.get("authorization") for one in first.asked]
    basic = "Basic Z3cwMTpzM2NyZXQ="
    assert shown == ([basic, basic] if how == "basic" else ["Bearer first", "Bearer second"])
    assert [one.headers.get("authorization") for one in target.asked] == [None, None]


def test_caps_hold_for_file_servers_too(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(server)
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    with pytest.raises(DownloadError, match="longer than 1000 bytes"):
        fetching(by_sftp(server), tmp_path)
    monkeypatch.setattr(download, "SPARE_BYTES", 1 << 60)
    with pytest.raises(DownloadError, match="make room"):
        fetching(by_sftp(server), tmp_path)
