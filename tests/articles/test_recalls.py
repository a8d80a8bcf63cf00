"""Recalls of some of an article's devices: which labels are meant, and when."""

from typing import Any

import pytest

from gateway.model import Decoded, Recall


@pytest.mark.parametrize(
    ("limits", "label", "means"),
    [
        ({}, {}, True),
        ({"lots": ("L1",)}, {"lot_number": "L1"}, True),
        ({"lots": ("L1",)}, {"lot_number": "L2"}, False),
        ({"lots": ("L1",)}, {}, None),
        ({"serials": ("S1",)}, {"lot_number": "L1"}, None),
        ({"lots": ("L1",), "serials": ("S1",)}, {"lot_number": "L2", "serial_number": "S1"}, True),
        ({"lots": ("L1",), "serials": ("S1",)}, {"lot_number": "L1"}, True),
        ({"lots": ("L1",), "serials": ("S1",)}, {"lot_number": "L2"}, None),
        ({"lots": ("L1",), "serials": ("S1",)}, {"lot_number": "L2", "serial_number": "S2"}, False),
        ({"expires_from": "2027-01-01"}, {"expiration_date": "2027-01-01T08:00"}, True),
        ({"expires_from": "2027-01-01"}, {"expiration_date": "2026-12-31"}, False),
        ({"expires_to": "2027-01-01"}, {}, None),
        ({"lots": ("L1",), "manufactured_to": "2025-06-30"}, {"manufacture_date": "2025-07-01"}, False),
        ({"lots": ("L1",), "manufactured_to": "2025-06-30"}, {"lot_number": "L1"}, None),
    ],
)
def test_which_devices_are_meant(
    limits: dict[str, Any],
    label: dict[str, Any],
    means: bool | None,  # noqa: FBT001 - a case
) -> None:
    assert Recall(source="miv", **limits).means(Decoded(ok=True, **label)) is means


@pytest.mark.parametrize(
    ("starts", "ends", "in_force"),
    [
        (None, None, True),
        ("2026-11-21", None, True),
        ("2026-11-22", None, False),
        (None, "2026-11-21", True),
        (None, "2026-11-20", False),
        ("2026-11-01", "2026-11-30", True),
    ],
)
def test_when(starts: str | None, ends: str | None, in_force: bool) -> None:  # noqa: FBT001 - a case
    assert Recall(source="miv", starts=starts, ends=ends).in_force("2026-11-21") is in_force
