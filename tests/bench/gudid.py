"""A made-up release in the shape of FDA's GUDID (AccessGUDID "delimited full release"), of any size.

device.txt and identifiers.txt have the documented headers, `|` between the cells and UTF-8 text. Labelers, brands
and devices are invented; D-U-N-S numbers are left empty and no GMDN file is made. What the size of a store depends
on is shaped as there: some ten thousand labelers of very different size, devices that come as families of variants,
and a description that belongs to the family half of the time and names the variant otherwise. Devices of a labeler
stand apart from each other, so the identifiers come in no order.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final, TextIO

from tests.bench.samples import gtin

DEVICE_HEADER: Final = (
    "PrimaryDI|publicDeviceRecordKey|publicVersionStatus|deviceRecordStatus|publicVersionNumber|publicVersionDate|"
    "devicePublishDate|deviceCommDistributionEndDate|deviceCommDistributionStatus|brandName|versionModelNumber|"
    "catalogNumber|dunsNumber|companyName|deviceCount|deviceDescription|DMExempt|premarketExempt|deviceHCTP|deviceKit|"
    "deviceCombinationProduct|singleUse|lotBatch|serialNumber|manufacturingDate|expirationDate|donationIdNumber|"
    "labeledContainsNRL|labeledNoNRL|MRISafetyStatus|rx|otc|deviceSterile|sterilizationPriorToUse"
)
IDENTIFIERS_HEADER: Final = (
    "PrimaryDI|deviceId|deviceIdType|deviceIdIssuingAgency|containsDINumber|pkgQuantity|pkgDiscontinueDate|pkgStatus|"
    "pkgType"
)
DEVICES: Final = 5_000_000
"""About as many as GUDID holds."""
LABELERS: Final = 10_000
PACKAGED: Final = 4
"""One device in so many has a package with an identifier of its own."""
SEED: Final = 20_261_121

_THINGS: Final = (
    "Bone screw, cannulated",
    "Cortical screw, self-tapping",
    "Locking plate, distal radius",
    "Femoral stem, cementless",
    "Acetabular cup with three holes",
    "Guide wire, hydrophilic",
    "Balloon catheter, over the wire",
    "Surgical glove, powder-free",
    "Suture, absorbable, braided",
    "Infusion set with luer lock",
    "Needle, hypodermic, single use",
    "Dressing, foam, with border",
    "Spinal rod, pre-bent",
    "Dental implant, tapered",
    "Contact lens, daily disposable",
    "Intraocular lens, foldable",
)
_MATERIALS: Final = ("titanium alloy", "stainless steel", "PEEK", "cobalt-chrome", "silicone", "nitrile", "nylon")
_NAMES: Final = ("Aldervik", "Borgholt", "Cedrana", "Dalmark", "Eskilda", "Fjordan", "Granholm", "Holmia", "Isvik")
_KINDS: Final = ("Medical", "Orthopaedics", "Surgical", "Cardio", "Dental", "Vision", "Care", "Instruments")
_FORMS: Final = ("Inc.", "AB", "GmbH", "Ltd", "LLC", "S.p.A.", "Corporation")
_LARGEST_FAMILY: Final = 60


def write_release(folder: Path, devices: int = DEVICES) -> None:
    """Write device.txt and identifiers.txt into an existing folder; the same rows each time."""
    with (
        (folder / "device.txt").open("w", encoding="utf-8", newline="") as device,
        (folder / "identifiers.txt").open("w", encoding="utf-8", newline="") as identifiers,
    ):
        _write(device, DEVICE_HEADER)
        _write(identifiers, IDENTIFIERS_HEADER)
        for number, cells in enumerate(_devices(devices)):
            _write(device, "|".join(cells))
            di = cells[0]
            _write(identifiers, f"{di}|{di}|Primary|GS1|||||")
            if number % PACKAGED == 0:
                _write(identifiers, f"{di}|{_package(di)}|Package|GS1|{di}|10||In Commercial Distribution|BOX")


def identifier(number: int) -> str:
    """Return the device identifier of the n-th device of every release, counted from 0."""
    return gtin(number * 7_368_787 % 1_000_000_000)


def _devices(devices: int) -> Iterator[tuple[str, ...]]:
    random = Random(SEED)  # noqa: S311 - the same rows each time
    made = 0
    while made < devices:
        labeler = int(LABELERS * random.random() ** 3)
        company = f"{_NAMES[labeler % 9]} {_KINDS[labeler // 9 % 8]} {labeler} {_FORMS[labeler % 7]}"
        brand = (
            f"{_NAMES[random.randrange(9)]}{random.choice(('Fix', 'Flow', 'Line', 'Pro', ' Select', ' System'))}™"
        )
        thing = f"{random.choice(_THINGS)}, {random.choice(_MATERIALS)}"
        own_description = random.random() < 0.5
        model = f"{random.randrange(1000):03d}"
        flags = ("true" if random.random() < share else "false" for share in (0.7, 0.9, 0.2, 0.3, 0.6))
        single, lot, serial, manufactured, expires = flags
        sterile = random.choice(("true", "false"))
        for variant in range(min(devices - made, 1 + int(_LARGEST_FAMILY * random.random() ** 2))):
            size = f"{variant % 12 + 1}.5 x {variant * 5 + 10} mm"
            number = f"{model}.{variant:03d}"
            yield (
                *(identifier(made), f"{made:08x}-7d21-4c6e-9b1d-{made:012x}", "Update", "Published", "3"),
                *(
                    "2026-06-02",
                    "2016-09-24",
                    "",
                    "In Commercial Distribution",
                    brand,
                    number,
                    number,
                    "",
                    company,
                    "1",
                ),
                *(f"{thing}, {size}" if own_description else thing, "false", "false", "false", "false", "false"),
                *(single, lot, serial, manufactured, expires, "false", "false", "true"),
                *("Labeling does not contain MRI Safety Information", "true", "false", sterile, "false"),
            )
            made += 1


def _package(di: str) -> str:
    """Return the GTIN-14 with indicator 1 of the same article (GS1 General Specifications, 2.1.8)."""
    return f"1{di[1:13]}{(int(di[13]) - 3) % 10}"


def _write(file: TextIO, line: str) -> None:
    file.write(line + "\n")
