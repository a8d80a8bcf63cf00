"""A configuration that cannot be used: the error names file, key, value and what is allowed."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from msgspec import Meta, Struct

from gateway.config.document import MAX_CONFIG_BYTES
from gateway.config.loader import Config, ConfigError, check, effective, load, read, schema
from gateway.config.words import PATTERNS

SMALLEST = """
[gateway]
tenant = "vgr"
site = "su"
id = "gw01"
[[scanner]]
name = "front"
device = "/dev/serial/by-id/usb-scanner"
"""
BROKER = f'{SMALLEST}[broker]\nurls = ["mqtts://a.example"]\n'


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "scangate.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_the_smallest_file(tmp_path: Path) -> None:
    config = load(written(tmp_path, SMALLEST))
    assert (config.gateway.tenant, config.scanner[0].name) == ("vgr", "front")
    assert config.broker is None
    assert config.state_directory == Path("/var/lib/scangate")
    assert config.articles_directory == Path("/var/lib/scangate/articles")


def test_a_file_with_everything(tmp_path: Path) -> None:
    text = (
        BROKER
        + """
username = "gw01"
password_file = "broker"
ca_file = "/etc/ssl/ca.pem"
window = 20
protocol = "3.1.1"
no_subscribers = "delivered"
replay_per_second = 2.5
[station]
id = "op3"
profile = "operating-room"
item_patterns = ["VGR[0-9]{6}"]
default_action = "receive"
near_expiry_days = 30
severity = { ARTICLE_UNKNOWN = "error" }
[state]
directory = "/tmp/state"
[outbox]
max_bytes = 1048576
min_free_bytes = 0
keep_delivered_days = 0
[health]
interval = 5
[[articles.source]]
name = "jeeves"
columns = { articleNumber = "Artikelnr" }
delimiter = "\\t"
"""
    )
    config = load(written(tmp_path, text))
    assert config.broker is not None
    assert config.broker.urls == ("mqtts://a.example",)
    assert config.station.severity == {"ARTICLE_UNKNOWN": "error"}


CASES = [
    # unknown keys
    (SMALLEST + "[brokr]\n", "brokr: unknown key; did you mean 'broker'? (allowed here: gateway, station,"),
    (BROKER + "url = 1\n", "broker.url: unknown key; did you mean 'urls'?"),
    (SMALLEST + "bauds = 9600\n", "scanner[0].bauds: unknown key; did you mean 'baud'?"),
    (SMALLEST + "[station]\nzzz = 1\n", "station.zzz: unknown key (allowed here: id, profile,"),
    (SMALLEST + "[[articles.source]]\nnmae = 'x'\n", "articles.source[0].nmae: unknown key; did you mean 'name'?"),
    # missing
    ("", "gateway: missing, and it has no default"),
    (SMALLEST.replace('site = "su"\n', ""), "gateway.site: missing, and it has no default"),
    (SMALLEST.replace('name = "front"\n', ""), "scanner[0].name: missing, and it has no default"),
    # of the wrong kind, or out of bounds
    (SMALLEST.replace('"vgr"', "7"), "gateway.tenant = 7: must be a text in quotes, not a whole number"),
    (SMALLEST.replace('"vgr"', '"v/gr"'), "gateway.tenant = 'v/gr': must be 1 to 64 letters"),
    (SMALLEST.replace('"vgr"', '"vgr\\n"'), "gateway.tenant = 'vgr\\n': must be 1 to 64 letters"),
    (SMALLEST.replace('"vgr"', '""'), "gateway.tenant = ''"),
    (SMALLEST.replace('"vgr"', '"é"'), "gateway.tenant = 'é'"),
    (SMALLEST + "[station]\nid = 'a b'\n", "station.id = 'a b'"),
    (SMALLEST + "idle_ms = 5\n", "scanner[0].idle_ms = 5: must be at least 10"),
    (SMALLEST + 'terminator = "CRCR"\n', "scanner[0].terminator = 'CRCR'"),
    (SMALLEST + 'terminator = "CRCR"\n', "must be one of CR, LF, CRLF, TAB, ETX, STX-ETX, none"),
    (SMALLEST + '[station]\nprofile = "or"\n', "must be one of operating-room, supply-room, clinic"),
    (SMALLEST + '[station]\nseverity = { EXPIRED = "fatal" }\n', "station.severity"),
    (BROKER + "keepalive = 60\n", "broker.keepalive = 60: must be at most 15"),
    (BROKER + 'client_id = "a\\n"\n', "broker.client_id = 'a\\n'"),
    (SMALLEST + "[outbox]\nmax_bytes = 1\n", "outbox.max_bytes = 1: must be at least 1048576"),
    (SMALLEST + "[health]\ninterval = 1\n", "health.interval = 1: must be at least 5"),
    (SMALLEST.replace('"front"', '"a b"'), "scanner[0].name = 'a b': must be 1 to 64 letters, digits, _, - and ."),
    # what belongs together
    (SMALLEST + SMALLEST[SMALLEST.index("[[scanner") :], "scanner[1].name = 'front': two scanners of one name"),
    (SMALLEST + "[station]\nitem_patterns = ['(']\n", "station.item_patterns[0]: '(' is no regular expression"),
    (BROKER.replace("mqtts://a.example", "http://a"), "broker.urls[0]: 'http://a': must be mqtts://host[:port]"),
    (BROKER.replace("mqtts://a.example", "mqtts://"), "broker.urls[0]: 'mqtts://': must be"),
    (BROKER.replace("mqtts://a.example", "mqtt://a:99999"), "broker.urls[0]: 'mqtt://a:99999': must be"),
    (BROKER.replace("mqtts://a.example", "mqtt://[::1"), "broker.urls[0]: 'mqtt://[::1': must be"),
    (BROKER.replace("mqtts://a.example", "mqtt://u:p@a"), "broker.urls[0]: no credentials in a URL"),
    (BROKER.replace("mqtts://a.example", "mqtt://a/topic"), "nothing may follow the port"),
    (BROKER.replace('["mqtts://a.example"]', "[]"), "broker.urls"),
    (BROKER + "cert_file = 'c'\n", "broker.cert_file and broker.key_file go together"),
    (BROKER + "password_file = 'p'\n", "broker.password_file needs broker.username"),
    (BROKER + "username = 'u'\n", "broker.username needs broker.password_file"),
    (
        BROKER + "ca_file = 'certs/ca.pem'\n",
        "broker.ca_file = 'certs/ca.pem': must be a full path that begins with /",
    ),
    # typed wrong
    (SMALLEST + "baud = 12345\n", "scanner[0].baud = 12345: must be one of 300, 600, 1200"),
    (
        SMALLEST.replace("/dev/serial", "dev/serial"),
        "scanner[0].device = 'dev/serial/by-id/usb-scanner': must be a full",
    ),
    (
        SMALLEST + "[state]\ndirectory = 'state'\n",
        "state.directory = 'state': must be a full path that begins with /",
    ),
    (SMALLEST + "[health]\nprometheus_file = 'x.prom'\n", "health.prometheus_file = 'x.prom': must be a full path"),
    (
        SMALLEST + "[[articles.source]]\nname = 'a'\ncolumns = { deviceIdentifer = 'GTIN' }\n",
        "articles.source[0].columns.deviceIdentifer: unknown key; did you mean 'deviceIdentifier'? (allowed here:",
    ),
    (
        SMALLEST + "[station]\nseverity = { EXPIRDE = 'error' }\n",
        "station.severity.EXPIRDE: there is no such finding",
    ),
    (SMALLEST + "[broker]\nurls = 'mqtts://a'\n", "broker.urls = 'mqtts://a': must be a list in brackets"),
    (SMALLEST + "match = 'x'\n", "scanner[0].match = 'x': must be a table"),
]


@pytest.mark.parametrize(("text", "words"), CASES)
def test_an_error_says_where_and_what_is_allowed(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    for line in str(caught.value).splitlines():
        assert line.startswith((f"{path}:", f"{path}: "))
        assert "Expected" not in line, "the words are a technician's"
        assert "regex" not in line
    assert words in str(caught.value)
    assert "u:p" not in str(caught.value), "no password in an error"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[gateway", "not valid TOML"),
        (b"[gateway]\nid = 7x\n", r"scangate.toml:2: not valid TOML: .*: id = 7x"),
        (b"\xff\xfe[\0", "the file is UTF-16, not UTF-8: save it as UTF-8"),
        (
            '# first\n[gateway]\nsite = "Sahlgrenska sjukhuset M\xf6lndal"\n'.encode("cp1252"),
            r"toml:3: not valid TOML: .*M.lndal.*ANSI.*iconv -f cp1252",
        ),
        (b"#" * (MAX_CONFIG_BYTES + 1), "this is no scangate configuration"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(written(tmp_path, content))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file or directory; make one with `scangate init`"):
        read(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"Is a directory; give the path of a file"):
        read(tmp_path)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """Each with its line: whoever mends a file reads it once."""
    path = written(
        tmp_path,
        """\
[gateway]
tenant = "v gr"
site = 7
[broker]
urls = [
  "mqtts://a.example",  # ] no end
]
keepalive = 60
keppalive = 1
[[scanner]]
name = "front"
device = \'\'\'/dev/x\'\'\'
baud = "9600"
[[scanner]]
driver = "serail"
[[articles.source]]
name = "a"
columns = { "deviceIdentifer" = "GTIN" }
""",
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    found = [line.removeprefix(f"{path}:").partition(":") for line in str(caught.value).splitlines()]
    assert [(int(line), text.split()[0].rstrip(":")) for line, _, text in found] == [
        (2, "gateway.tenant"),
        (3, "gateway.site"),
        (1, "gateway.id"),
        (8, "broker.keepalive"),
        (9, "broker.keppalive"),
        (13, "scanner[0].baud"),
        (15, "scanner[1].driver"),
        (14, "scanner[1].name"),
        (18, "articles.source[0].columns.deviceIdentifer"),
    ]


def test_what_does_not_fit_together_is_said_at_once_too(tmp_path: Path) -> None:
    path = written(tmp_path, BROKER + "username = 'u'\ncert_file = '/c'\n[state]\ndirectory = 'x'\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    lines = str(caught.value).splitlines()
    assert [line.removeprefix(f"{path}:").partition(":")[0] for line in lines] == ["12", "14"]


def test_a_byte_order_mark_is_passed_over_and_named(tmp_path: Path) -> None:
    """Windows editors write one; TOML 1.0 is silent about it."""
    document = read(written(tmp_path, b"\xef\xbb\xbf" + SMALLEST.encode()))
    assert check(document).gateway.tenant == "vgr"
    assert "byte order mark" in document.notes[0]


def test_a_box_without_scanner(tmp_path: Path) -> None:
    """It is prepared on a bench; its scanners come later."""
    assert load(written(tmp_path, SMALLEST[: SMALLEST.index("[[scanner")])).scanner == ()


def test_what_a_site_shares_and_what_is_the_boxs_own(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(
        """\
[gateway]
tenant = "region"
site = "su"
[broker]
urls = ["mqtts://a.example"]
window = 7
[[scanner]]
name = "of-the-site"
device = "/dev/ttyACM9"
"""
    )
    own = written(tmp_path, SMALLEST.replace('site = "su"\n', "") + "[broker]\nwindow = 9\n")
    document = read(own)
    config = check(document)
    assert (config.gateway.tenant, config.gateway.site, config.gateway.id) == ("vgr", "su", "gw01")
    assert config.broker is not None
    assert (config.broker.urls, config.broker.window) == (("mqtts://a.example",), 9)
    assert [one.name for one in config.scanner] == ["front"], "a list is one thing: it comes from one file"
    origins = {key: origin for key, _, origin in effective(document, config)}
    assert origins["gateway.site"] == f"{site}:3"
    assert origins["broker.window"] == f"{own}:9"
    assert origins["broker.keepalive"] == "default"


def test_an_error_in_the_sites_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("[broker]\nurls = ['mqtts://a']\nwindow = 0\n")
    with pytest.raises(ConfigError, match=r"site\.toml:3: broker\.window = 0: must be at least 1"):
        load(written(tmp_path, SMALLEST))


def test_what_is_in_force_and_where_it_comes_from(tmp_path: Path) -> None:
    path = written(tmp_path, BROKER + "window = 7\n")
    document = read(path)
    rows = {key: (value, origin) for key, value, origin in effective(document, check(document))}
    assert rows["gateway.tenant"] == ("vgr", f"{path}:3")
    assert rows["scanner[0].name"] == ("front", f"{path}:7")
    assert rows["scanner[0].baud"] == (9600, "default")
    assert rows["broker.window"] == (7, f"{path}:11")
    assert rows["broker.keepalive"] == (15, "default")
    assert rows["outbox.keep_delivered_days"] == (None, "default")


def patterns(hint: Any) -> Iterator[str]:  # noqa: ANN401 - a type expression
    """Yield every expression that a text of the configuration must match."""
    for inner in (getattr(hint, "__metadata__", ()), get_args(hint)):
        for one in inner:
            if isinstance(one, Meta) and one.pattern:
                yield one.pattern
            yield from patterns(one)
    if isinstance(hint, type) and issubclass(hint, Struct):
        for inner_hint in get_type_hints(hint, include_extras=True).values():
            yield from patterns(inner_hint)


def test_every_expression_has_words() -> None:
    assert {one for one in patterns(Config) if one not in PATTERNS} == set()


def structs(hint: Any) -> list[type[Struct]]:  # noqa: ANN401 - a type expression
    """List the Structs that a type is made of."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        return [hint, *(one for inner in get_type_hints(hint).values() for one in structs(inner))]
    return [one for inner in get_args(hint) for one in structs(inner)]


@pytest.mark.parametrize("struct", sorted(set(structs(Config)) - {Config}, key=str), ids=lambda one: one.__name__)
def test_every_key_says_what_it_is(struct: type[Struct]) -> None:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    assert isinstance(definition, ast.ClassDef)
    silent = []
    for statement, following in zip(definition.body, [*definition.body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if not (isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)):
            silent.append(statement.target.id)
    assert silent == []


def test_the_schema_knows_every_section() -> None:
    described = schema()
    assert set(described["$defs"]["Config"]["properties"]) == set(Config.__struct_fields__)
