"""The real profiles, each with a scanner that is not set as it wants."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from firmware_config import profiles
from tests.firmware_config.devices import (
    DatalogicDevice,
    Device,
    HoneywellDevice,
    NewlandDevice,
    SlowDatalogicDevice,
    StoppingDatalogicDevice,
    ZebraDevice,
)


class Case(Struct, frozen=True, kw_only=True):
    profile: str
    make: Callable[[dict[str, str]], Device]
    factory: dict[str, str]
    """What the scanner is set to when it comes."""

    @property
    def wanted(self) -> dict[str, str]:
        return {one.name: one.value for one in profiles.load(self.profile).settings if one.by == "port"}

    @property
    def verified(self) -> dict[str, str]:
        settings = profiles.load(self.profile).settings
        return {one.name: one.value for one in settings if one.by == "port" and one.verified}

    def device(self) -> Device:
        return self.make(self.factory)


SYMBOLOGIES_OFF: Final = {"IDMENA": "0", "QRCENA": "1", "128ENA": "1", "GS1ENA": "0", "C39ENA": "1", "E13ENA": "1"}
GRYPHON: Final = {"AIEN": "00", "LFSU": "0D0A" + 36 * "0", "DMEN": "00", "QREN": "01", "3BEN": "01", "R2BB": "00"}
CASES: Final = {
    "honeywell": Case(
        profile="honeywell",
        make=HoneywellDevice,
        factory={"TERMID": "130", "SUFBK2": "990D0A", "PREBK2": "", "BEPBEP": "1", **SYMBOLOGIES_OFF},
    ),
    "honeywell-cordless": Case(
        profile="honeywell-cordless",
        make=HoneywellDevice,
        factory={"TERMID": "130", "SUFBK2": "", "PREBK2": "995C80", "HSTACK": "0"},
    ),
    "zebra": Case(
        profile="zebra",
        make=ZebraDevice,
        factory={
            "238": "0",
            "159": "1",
            "45": "0",
            "292": "0",
            "293": "1",
            "8": "1",
            "14": "0",
            "84": "0",
            "0": "1",
        }
        | {"56": "1"},
    ),
    "datalogic": Case(profile="datalogic", make=DatalogicDevice, factory=GRYPHON),
    "datalogic-slow": Case(profile="datalogic", make=SlowDatalogicDevice, factory=GRYPHON),
    "datalogic-stops": Case(profile="datalogic", make=StoppingDatalogicDevice, factory=GRYPHON),
    "newland": Case(
        profile="newland", make=NewlandDevice, factory={"AIDENA": "0", "TSUSET": "0D0A", "DMXENA": "1"}
    ),
}
