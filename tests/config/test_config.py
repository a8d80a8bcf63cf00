"""A configuration that cannot be used: the error names file, key, value and what is allowed."""

import ast
import inspect
import textwrap
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from msgspec import Struct

from gateway.config.loader import MAX_CONFIG_BYTES, Config, ConfigError, effective, load, parse, read, schema

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
    ('[gateway]\ntenant="a"\nsite="b"\nid="c"\n', "scanner: missing, and it has no default"),
    # of the wrong kind, or out of bounds
    (SMALLEST.replace('"vgr"', "7"), "gateway.tenant = 7: Expected `str`, got `int`"),
    (SMALLEST.replace('"vgr"', '"v/gr"'), "gateway.tenant = 'v/gr': Expected `str` matching regex"),
    (SMALLEST.replace('"vgr"', '"vgr\\n"'), "gateway.tenant = 'vgr\\n': Expected `str` matching regex"),
    (SMALLEST.replace('"vgr"', '""'), "gateway.tenant = ''"),
    (SMALLEST.replace('"vgr"', '"é"'), "gateway.tenant = 'é'"),
    (SMALLEST + "[station]\nid = 'a b'\n", "station.id = 'a b'"),
    (SMALLEST + "idle_ms = 5\n", "scanner[0].idle_ms = 5: Expected `int` >= 10"),
    (SMALLEST + 'terminator = "CRCR"\n', "scanner[0].terminator = 'CRCR'"),
    (SMALLEST + 'terminator = "CRCR"\n', "(allowed: CR, LF, CRLF, TAB, ETX, STX-ETX, none)"),
    (SMALLEST + '[station]\nprofile = "or"\n', "(allowed: operating-room, supply-room, clinic)"),
    (SMALLEST + '[station]\nseverity = { EXPIRED = "fatal" }\n', "station.severity"),
    (BROKER + "keepalive = 60\n", "broker.keepalive = 60: Expected `int` <= 15"),
    (BROKER + 'client_id = "a\\n"\n', "broker.client_id = 'a\\n'"),
    (SMALLEST + "[outbox]\nmax_bytes = 1\n", "outbox.max_bytes = 1: Expected `int` >= 1048576"),
    (SMALLEST + "[health]\ninterval = 1\n", "health.interval = 1: Expected `int` >= 5"),
    (SMALLEST.replace('"front"', '"a b"'), "scanner.name = 'a b': allowed: 1 to 64 letters, digits, _, - and ."),
    # what belongs together
    (SMALLEST + SMALLEST[SMALLEST.index("[[scanner") :], "scanner.name = 'front': two scanners of one name"),
    (SMALLEST + "[station]\nitem_patterns = ['(']\n", "station.item_patterns: '(' is no regular expression"),
    (BROKER.replace("mqtts://a.example", "http://a"), "broker.urls: 'http://a': allowed: mqtts://host[:port]"),
    (BROKER.replace("mqtts://a.example", "mqtts://"), "broker.urls: 'mqtts://': allowed"),
    (BROKER.replace("mqtts://a.example", "mqtt://a:99999"), "broker.urls: 'mqtt://a:99999': allowed"),
    (BROKER.replace("mqtts://a.example", "mqtt://[::1"), "broker.urls: 'mqtt://[::1': allowed"),
    (BROKER.replace("mqtts://a.example", "mqtt://u:p@a"), "broker.urls: no credentials in a URL"),
    (BROKER.replace("mqtts://a.example", "mqtt://a/topic"), "nothing may follow the port"),
    (BROKER.replace('["mqtts://a.example"]', "[]"), "broker.urls"),
    (BROKER + "cert_file = 'c'\n", "broker.cert_file and broker.key_file go together"),
    (BROKER + "password_file = 'p'\n", "broker.password_file needs broker.username"),
]


@pytest.mark.parametrize(("text", "words"), CASES)
def test_an_error_says_where_and_what_is_allowed(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "u:p" not in str(caught.value), "no password in an error"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[gateway", "not valid TOML"),
        (b"\xff\xfe", "not valid TOML"),
        (b"#" * (MAX_CONFIG_BYTES + 1), "this is no scangate configuration"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(written(tmp_path, content))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file or directory; make one with `scangate init`"):
        read(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"Is a directory; check its permissions"):
        read(tmp_path)


def test_what_is_in_force_and_where_it_comes_from(tmp_path: Path) -> None:
    document = read(written(tmp_path, BROKER + "window = 7\n"))
    rows = {key: (value, origin) for key, value, origin in effective(document, parse(document, "f"))}
    assert rows["gateway.tenant"] == ("vgr", "file")
    assert rows["scanner[0].name"] == ("front", "file")
    assert rows["scanner[0].baud"] == (9600, "default")
    assert rows["broker.window"] == (7, "file")
    assert rows["broker.keepalive"] == (15, "default")
    assert rows["outbox.keep_delivered_days"] == (30, "default")


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
