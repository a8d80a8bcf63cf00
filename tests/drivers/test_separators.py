"""GS1 texts that may lack their separators."""

import pytest

from drivers.separators import lacks_separators


@pytest.mark.parametrize(
    ("symbology", "text", "lacks"),
    [
        pytest.param("]d2", "010871764820027410A1", True, id="a lot may go on with a serial number"),
        pytest.param("]C1", "10A1", True, id="so may a lot alone"),
        pytest.param("]d2", "0108717648200274\x1d10A1", False, id="it has one"),
        pytest.param("]d2", "010871764820027417280630", False, id="lengths are predefined"),
        pytest.param("]e0", "0108717648200274310300012541099952000000", True, id="a location cut short"),
        pytest.param("]Q3", "00123456789012345675" + "3103000125", False, id="SSCC and weight"),
        pytest.param("]d2", "", False, id="nothing"),
        pytest.param("]d2", "01087176", True, id="an element cut short"),
        pytest.param("]d1", "010871764820027410A1", False, id="not GS1"),
        pytest.param("]E0", "4006381333931", False, id="EAN-13"),
        pytest.param(None, "010871764820027410A1", True, id="no identifier: GTIN with its check digit, and a lot"),
        pytest.param(None, "010871764820027510A1", False, id="the check digit is wrong: any text"),
        pytest.param(None, "172806301012AB", True, id="a date and a lot"),
        pytest.param(None, "171399301012AB", False, id="no date"),
        pytest.param(None, "0108717648200274", False, id="one element"),
        pytest.param(None, "010871764820027417280630", False, id="predefined lengths"),
        pytest.param(None, "4006381333931", False, id="digits of an article"),
        pytest.param(None, "10A1", False, id="may be anything"),
        pytest.param(None, "+A99912345/$$52001510X3", False, id="HIBC"),
    ],
)
def test_gs1_texts_without_separators(symbology: str | None, text: str, lacks: bool) -> None:  # noqa: FBT001  (a table's column)
    assert lacks_separators(symbology, text) is lacks
