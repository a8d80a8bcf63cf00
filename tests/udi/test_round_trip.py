"""What an encoder writes by the agency's rules, the decoder reads back, in one symbol or in several."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Decoded, Issuer, Precision
from gateway.udi import decode, decode_symbols
from tests.udi.encoders import (
    ALPHANUMERIC,
    CSET_82,
    DATE_FORMS,
    DAYS,
    donations,
    gtins,
    hibc_primaries,
    hpcs,
    month_end,
    processor_products,
    pzns,
    texts,
    with_flags,
    with_hibc_check,
)

TODAY = date(2026, 11, 21)
GS, RS, EOT = "\x1d", "\x1e", "\x04"
FIXED = {"01", "11", "17"}
SHARED = ("device_identifier", "lot_number", "serial_number", "expiration_date", "expiration_precision")
FACTS = (
    *SHARED,
    "manufacture_date",
    "manufacture_precision",
    "donation_identification_number",
    "software_version",
    "quantity",
    "package_level",
)


def facts(decoded: Decoded) -> dict[str, Any]:
    return {name: getattr(decoded, name) for name in ("issuer", *FACTS) if getattr(decoded, name) is not None}


def found(decoded: Decoded) -> list[tuple[str, str | None]]:
    return sorted((finding.code, finding.element) for finding in decoded.findings)


class Gs1Label:
    """Elements in the order of the label, and what they say."""

    def __init__(self, elements: dict[str, str], days: dict[str, tuple[date, Precision]]) -> None:
        self.elements = elements
        gtin = elements["01"]
        self.says: dict[str, Any] = {
            "issuer": Issuer.GS1,
            "device_identifier": gtin,
            "lot_number": elements.get("10"),
            "serial_number": elements.get("21"),
            "software_version": elements.get("8012"),
            "quantity": int(elements["30"]) if "30" in elements else None,
            "package_level": int(gtin[0]) or None,
        }
        for ai, name in (("17", "expiration"), ("11", "manufacture")):
            if ai in days:
                day, precision = days[ai]
                self.says |= {f"{name}_date": day.isoformat(), f"{name}_precision": precision}
        self.says = {name: value for name, value in self.says.items() if value is not None}

    def string(self, ais: Sequence[str]) -> str:
        """The element string of some of the elements, a separator where it must be and nowhere else."""
        text = ""
        for ai in ais:
            text += ai + self.elements[ai] + ("" if ai in FIXED else GS)
        return text.removesuffix(GS)


@st.composite
def gs1_labels(draw: st.DrawFn) -> Gs1Label:
    lots = texts(CSET_82.replace("(", ""), 20)
    values = {
        "01": gtins(),
        "10": lots,
        "21": lots,
        "8012": lots,
        "240": texts(CSET_82.replace("(", ""), 30),
        "30": st.integers(0, 99_999_999).map(str),
    }
    chosen = {"01", *draw(st.sets(st.sampled_from(["10", "11", "17", "21", "240", "30", "8012"])))}
    order = draw(st.permutations(sorted(chosen)))
    elements, days = {}, {}
    for ai in order:
        if ai in values:
            elements[ai] = draw(values[ai])
            continue
        day, whole_month = draw(DAYS), draw(st.booleans())
        elements[ai] = f"{day:%y%m}00" if whole_month else f"{day:%y%m%d}"
        days[ai] = (month_end(day), Precision.MONTH) if whole_month else (day, Precision.DAY)
    return Gs1Label(elements, days)


@given(gs1_labels())
def test_gs1_element_string(label: Gs1Label) -> None:
    decoded = decode(label.string(list(label.elements)), "]d2", today=TODAY)
    assert decoded.ok
    assert facts(decoded) == label.says
    assert dict(decoded.elements) == label.elements


@given(gs1_labels())
def test_gs1_typed(label: Gs1Label) -> None:
    text = "".join(f"({ai}){value}" for ai, value in label.elements.items())
    decoded = decode(text, today=TODAY)
    assert decoded.ok
    assert facts(decoded) == label.says
    assert decoded.hri == text


@given(gs1_labels())
def test_gs1_digital_link(label: Gs1Label) -> None:
    path = [(ai, label.elements[ai]) for ai in ("01", "10", "21") if ai in label.elements]
    query = [(ai, value) for ai, value in label.elements.items() if ai not in ("01", "10", "21")]
    address = "https://example.com/stem/" + "/".join(f"{ai}/{quote(value, safe='')}" for ai, value in path)
    address += "?" + "&".join(f"{ai}={quote(value, safe='')}" for ai, value in query)
    decoded = decode(address, "]Q1", today=TODAY)
    assert decoded.ok
    assert facts(decoded) == label.says
    assert decoded.elements == (*path, *query)


@given(gs1_labels(), st.data())
def test_gs1_divided_into_symbols_in_any_order(label: Gs1Label, data: st.DataObject) -> None:
    symbols: dict[int, list[str]] = {}
    for ai in label.elements:
        symbols.setdefault(data.draw(st.integers(0, 3)), []).append(ai)
    scanned = [(label.string(ais), "]C1") for ais in data.draw(st.permutations(list(symbols.values())))]
    decoded = decode_symbols(scanned, today=TODAY)
    assert decoded.ok
    assert facts(decoded) == label.says
    assert dict(decoded.elements) == label.elements


def hibc_date(form: str, day: date) -> dict[str, Any]:
    shown = month_end(day).isoformat() if form == "%m%y" else day.isoformat()
    hour = {"4": "T23:00", "6": "T07:00"}.get(next(flag for flag, known in DATE_FORMS.items() if known == form), "")
    precision = Precision.MONTH if form == "%m%y" else Precision.HOUR if hour else Precision.DAY
    return {"expiration_date": shown + hour, "expiration_precision": precision}


@st.composite
def hibc_messages(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A secondary message without flag, link and check character, and what it says."""
    value = draw(texts(ALPHANUMERIC + "-.", 18))
    field, sign = draw(st.sampled_from([("lot_number", ""), ("serial_number", "+")]))
    day = draw(DAYS)
    match draw(st.sampled_from(["undated", "none", "quantity", "date", "julian"])):
        case "undated":
            return f"${sign}{value}", {field: value}
        case "none":
            return f"$${sign}7{value}", {field: value}
        case "julian":
            return f"{day:%y%j}{value}", {"lot_number": value, **hibc_date("%y%j", day)}
        case kind:
            flag = draw(st.sampled_from(list(DATE_FORMS)))
            form = DATE_FORMS[flag]
            says = {field: value, **hibc_date(form, day)}
            count = ""
            if kind == "quantity":
                says["quantity"] = draw(st.integers(0, 99_999))
                count = f"8{says['quantity']:02d}" if says["quantity"] < 100 else f"9{says['quantity']:05d}"
            return f"$${sign}{count}{flag}{day.strftime(form)}{value}", says


@given(hibc_primaries(), hibc_messages(), DAYS, st.integers(0, 99_999))
def test_hibc_concatenated(primary: str, message: tuple[str, dict[str, Any]], made: date, count: int) -> None:
    text, says = message
    expected = {"issuer": Issuer.HIBCC, "device_identifier": primary, "package_level": int(primary[-1]), **says}
    decoded = decode(with_hibc_check(f"+{primary}/{text}"), today=TODAY)
    assert decoded.findings == ()
    assert facts(decoded) == expected
    expected |= {"manufacture_date": made.isoformat(), "manufacture_precision": Precision.DAY}
    text += f"/16D{made:%Y%m%d}"
    if "quantity" not in says:
        expected["quantity"] = count
        text += f"/Q{count}"
    decoded = decode(with_hibc_check(f"+{primary}/{text}"), today=TODAY)
    assert decoded.findings == ()
    assert facts(decoded) == expected


@given(hibc_primaries(), hibc_messages(), st.booleans())
def test_hibc_in_two_symbols(primary: str, message: tuple[str, dict[str, Any]], reverse: bool) -> None:  # noqa: FBT001 - drawn
    text, says = message
    first = with_hibc_check(f"+{primary}")
    symbols = [(first, None), (with_hibc_check(f"+{text}{first[-1]}"), None)]
    decoded = decode_symbols(symbols[::-1] if reverse else symbols, today=TODAY)
    assert decoded.findings == ()
    assert facts(decoded) == {
        "issuer": Issuer.HIBCC,
        "device_identifier": primary,
        "package_level": int(primary[-1]),
        **says,
    }


@st.composite
def isbt_structures(draw: st.DrawFn) -> tuple[list[str], dict[str, Any]]:
    product, donation = draw(processor_products()), draw(donations())
    serial = draw(st.text(ALPHANUMERIC, min_size=6, max_size=6).filter(lambda text: text != "000000"))
    lot = draw(st.text(ALPHANUMERIC, min_size=18, max_size=18))
    expiry, made = draw(DAYS), draw(DAYS)
    structures = [
        f"=/{product}",
        f"=,{serial}",
        f"={with_flags(donation)}",
        f"=>0{expiry:%y%j}",
        f"=}}0{made:%y%j}",
    ]
    says = {
        "issuer": Issuer.ICCBBA,
        "device_identifier": product,
        "serial_number": serial,
        "lot_number": lot,
        "donation_identification_number": donation,
        "expiration_date": expiry.isoformat(),
        "expiration_precision": Precision.DAY,
        "manufacture_date": made.isoformat(),
        "manufacture_precision": Precision.DAY,
    }
    return draw(st.permutations([*structures, f"&,1{lot}"])), says


@given(isbt_structures(), st.booleans())
def test_isbt_128_concatenated(label: tuple[list[str], dict[str, Any]], header: bool) -> None:  # noqa: FBT001 - drawn
    structures, says = label
    text = (f"=+{len(structures):02d}000" if header else "") + "".join(structures)
    decoded = decode(text, today=TODAY)
    assert decoded.findings == ()
    assert facts(decoded) == says
    assert decoded.hri == text


@given(isbt_structures(), st.data())
def test_isbt_128_divided_into_symbols_in_any_order(
    label: tuple[list[str], dict[str, Any]], data: st.DataObject
) -> None:
    structures, says = label
    symbols: dict[int, str] = {}
    for structure in structures:
        place = data.draw(st.integers(0, 5))
        symbols[place] = symbols.get(place, "") + structure
    decoded = decode_symbols([(text, "]C0") for text in symbols.values()], today=TODAY)
    assert decoded.findings == ()
    assert facts(decoded) == says


@given(pzns() | hpcs(), texts(ALPHANUMERIC, 20), texts(ALPHANUMERIC, 20), DAYS, DAYS, st.booleans())
def test_ifa(code: str, lot: str, serial: str, expiry: date, made: date, whole_month: bool) -> None:  # noqa: FBT001 - drawn
    shown = f"{expiry:%y%m}00" if whole_month else f"{expiry:%y%m%d}"
    fields = [f"9N{code}", f"1T{lot}", f"D{shown}", f"S{serial}", f"16D{made:%Y%m%d}"]
    results = [
        decode(text, today=TODAY)
        for text in (f"[)>{RS}06{GS}{GS.join(fields)}{RS}{EOT}", GS.join(fields), "." + "^".join(fields))
    ]
    assert {result.findings for result in results} == {()}
    for result in results:
        assert facts(result) == {
            "issuer": Issuer.IFA,
            "device_identifier": code,
            "lot_number": lot,
            "serial_number": serial,
            "expiration_date": (month_end(expiry) if whole_month else expiry).isoformat(),
            "expiration_precision": Precision.MONTH if whole_month else Precision.DAY,
            "manufacture_date": made.isoformat(),
            "manufacture_precision": Precision.DAY,
            **({"package_level": int(code[-3])} if code.startswith("13") else {}),
        }


@pytest.mark.parametrize(
    "symbols",
    [
        ["0108717648200274", "1728063010L1", "21S1"],
        ["(01)08717648200274", "10L1", "(17)280630"],
        ["+A123BJC5D6E71G", "+$$52001510X3GD"],
        ["=/A9999XYZ100T0476", "=>019032", "=,000025"],
        # one of them is faulty
        ["0108717648200275", "17280230", "10L1"],
        ["=/A9999XYZ100T0476", "=>019366", "=,000025"],
    ],
)
@given(data=st.data())
def test_order_of_the_symbols_does_not_matter(symbols: list[str], data: st.DataObject) -> None:
    in_order = decode_symbols([(text, None) for text in symbols], today=TODAY)
    mixed = decode_symbols([(text, None) for text in data.draw(st.permutations(symbols))], today=TODAY)
    assert facts(mixed) == facts(in_order)
    assert found(mixed) == found(in_order)
    assert sorted(mixed.elements) == sorted(in_order.elements)
