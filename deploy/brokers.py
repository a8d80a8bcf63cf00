#!/usr/bin/env python3
"""Makes a broker's settings from the templates beside this file: a NATS cluster of three nodes, or one mosquitto.

    python3 deploy/brokers.py nats --tenant vgr --node n1.example --node n2.example --node n3.example \
        --box su/su-op3-gw01 --box su/su-op4-gw01 --directory /etc/nats
    python3 deploy/brokers.py mosquitto --tenant vgr --directory /etc/mosquitto/conf.d

NATS: a box's certificate carries its user name as DNS name (default: the gateway's id; SITE/GATEWAY=NAME gives
another). mosquitto: the common name of its certificate is SITE/GATEWAY, so that the access list needs no list of
boxes. Why each setting is what it is stands beside it in the files.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).parent
NAME = re.compile(r"[A-Za-z0-9_-]+")
HOST = re.compile(r"[A-Za-z0-9.-]+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files; return the exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        made = _nats(chosen) if chosen.broker == "nats" else _mosquitto(chosen)
        chosen.directory.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            (chosen.directory / name).write_text(content, encoding="utf-8")
    except (OSError, ValueError) as error:
        sys.stderr.write(f"brokers.py: {error}\n")
        return 2
    sys.stdout.write("".join(f"{chosen.directory / name}\n" for name in made))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("broker", choices=("nats", "mosquitto"))
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--directory", required=True, type=Path, help="where the files go")
    parser.add_argument("--store", help="folder of what the broker keeps (default: beside the files)")
    parser.add_argument(
        "--cert-file", default="server.crt", help="the broker's certificate (default: %(default)s there)"
    )
    parser.add_argument("--key-file", default="server.key", help="its key (default: %(default)s there)")
    parser.add_argument(
        "--ca-file", default="ca.crt", help="authority of all certificates (default: %(default)s there)"
    )
    parser.add_argument("--intake", default="intake", help="user name of the intake (default: %(default)s)")
    parser.add_argument("--node", action="append", default=[], metavar="HOST[:ROUTES]", help="NATS: each node")
    parser.add_argument("--box", action="append", default=[], metavar="SITE/GATEWAY[=USER]", help="NATS: each box")
    parser.add_argument("--port", type=int, help="of MQTT (default 8883)")
    parser.add_argument("--client-port", type=int, default=4222, help="NATS: of the intakes (default %(default)s)")
    parser.add_argument("--monitor-port", type=int, default=8222, help="NATS: on 127.0.0.1 (default %(default)s)")
    return parser


def _nats(chosen: argparse.Namespace) -> dict[str, str]:
    if len(chosen.node) not in {1, 3, 5}:
        raise ValueError(f"{len(chosen.node)} nodes: a cluster that may lose one has three (--node, three times)")
    nodes = [_node(text) for text in chosen.node]
    users = [_filled("nats/intake.template", tenant=_name(chosen.tenant), user=_name(chosen.intake))]
    users += [_filled("nats/box.template", tenant=chosen.tenant, **_box(text)) for text in chosen.box]
    routes = ", ".join(f"nats-route://{host}:{port}" for host, port in nodes)
    return {
        f"{host.split('.')[0]}.conf" if len({h for h, _ in nodes}) > 1 else f"node{number}.conf": _filled(
            "nats/nats.conf.template",
            node=f"{chosen.tenant}-{number}",
            cluster=f"scangate-{chosen.tenant}",
            tenant=chosen.tenant,
            routes=routes,
            route_port=port,
            replicas=min(3, len(nodes)),
            client_port=chosen.client_port,
            mqtt_port=chosen.port or 8883,
            monitor_port=chosen.monitor_port,
            users="".join(users).rstrip("\n"),
            **_files(chosen, f"jetstream-{number}"),
        )
        for number, (host, port) in enumerate(nodes, 1)
    }


def _mosquitto(chosen: argparse.Namespace) -> dict[str, str]:
    acl = chosen.directory.absolute() / "scangate.acl"
    settings = _filled(
        "mosquitto/mosquitto.conf.template", port=chosen.port or 8883, acl_file=acl, **_files(chosen, "store")
    )
    return {
        "scangate.conf": settings,
        acl.name: _filled("mosquitto/acl.template", tenant=_name(chosen.tenant), intake=_name(chosen.intake)),
    }


def _files(chosen: argparse.Namespace, store: str) -> dict[str, object]:
    there = chosen.directory.absolute()
    names = ("cert_file", "key_file", "ca_file")
    return {name: there / getattr(chosen, name) for name in names} | {"store": chosen.store or there / store}


def _filled(template: str, **values: object) -> str:
    return Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(values)


def _node(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    if not HOST.fullmatch(host) or not (port or "6222").isdigit():
        raise ValueError(f"--node {text}: expected HOST or HOST:PORT of its routes")
    return host, int(port or 6222)


def _box(text: str) -> dict[str, str]:
    place, _, user = text.partition("=")
    site, _, gateway = place.partition("/")
    return {"site": _name(site), "gateway": _name(gateway), "user": user or gateway}


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"{text!r}: a name in a topic is of A-Z, a-z, 0-9, _ and -")
    return text


if __name__ == "__main__":
    sys.exit(main())
