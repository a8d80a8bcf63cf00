"""What `scangate scanners watch` prints of what the daemon tells."""

from typing import Any

import pytest

from gateway.scanning.watch_stream import line


def scan(*symbols: tuple[str | None, str, list[str]], **rest: Any) -> dict[str, Any]:  # noqa: ANN401 - an event's
    data = {
        "action": "consume",
        "symbols": [{"symbology": one, "text": text, "quality": quality} for one, text, quality in symbols],
        "verdict": {"findings": [{"code": "EXPIRED", "severity": "warning"}, {"code": "X", "severity": "info"}]},
    }
    return {"scanner": "front", "signal": "warning", "data": data, "withheld": None, **rest}


UNDO = {"action": "undo", "undoes": "e1", "symbols": [], "verdict": {"findings": []}}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (scan(("]d2", "0109\x1d10A", [])), "front  warning  ]d2 0109<GS>10A  EXPIRED"),
        (
            scan((None, "+A99\x02", ["no-aim-id"]), ("]C0", "$$5", [])),
            "front  warning  (no AIM id) +A99<02> (no-aim-id)  ]C0 $$5  EXPIRED",
        ),
        (
            {"scanner": "front", "signal": "refused", "data": None, "withheld": {"kind": "text", "length": 12}},
            "front  refused  not shown: text, 12 characters",
        ),
        ({"scanner": "front", "signal": "accepted", "control": "undo"}, "front  accepted  control code: undo"),
        (
            {
                "scanner": "front",
                "signal": "accepted",
                "control": "undo",
                "data": UNDO,
            },
            "front  accepted  takes back e1",
        ),
        (
            {"scanner": "front", "signal": "accepted", "context": "patient"},
            "front  accepted  context code: patient",
        ),
        (
            {"scanner": "front", "signal": "refused", "contextRefused": "patient", "why": "no-seal-key"},
            "front  refused  context code, refused: patient, no-seal-key",
        ),
        (
            {"scanner": "front", "signal": "refused", "foreign": "signature"},
            "front  refused  control code that is not ours: signature",
        ),
        (
            {"scanner": "front", "signal": "refused", "data": None, "withheld": None, "discarded": "broken-off"},
            "front  refused  thrown away unread: broken-off",
        ),
        ({"scanner": "front", "signal": "more", "data": None, "withheld": None}, "front  more"),
        ({"link": {"scanner": "front", "link": "missing", "detail": "plug it in"}}, "front  missing: plug it in"),
        ({"link": {"scanner": "front", "link": "connected", "detail": ""}}, "front  connected"),
        ({"station": {}}, None),
    ],
)
def test_lines(event: dict[str, Any], expected: str | None) -> None:
    assert line(event) == expected
