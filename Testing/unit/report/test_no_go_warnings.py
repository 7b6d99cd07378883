from __future__ import annotations

import pytest

from ASPECTSLib.report.advice import ADVICE
from ASPECTSLib.report.no_go_warnings import (
    HAEMORRHAGE,
    HAEMORRHAGE_SUSPECTED,
    OLD_INFARCT,
    no_go_warnings,
)
from ASPECTSLib.scoring.haemorrhage import NO_HAEMORRHAGE, Finding, Haemorrhage


def test_a_brain_without_blood_and_old_infarct_is_not_warned_of():
    assert no_go_warnings(NO_HAEMORRHAGE, 0.0) == ()


@pytest.mark.parametrize(
    ("finding", "code"),
    [(Finding.CERTAIN, HAEMORRHAGE), (Finding.SUSPECTED, HAEMORRHAGE_SUSPECTED)],
)
def test_blood_is_told_with_its_volume(finding, code):
    (warning,) = no_go_warnings(Haemorrhage(finding, 3.0, 4.25), 0.0)
    assert warning.code == code
    assert warning.message.startswith("4.2 mL")
    assert "blood" in warning.message


def test_an_old_infarct_is_told_with_its_volume_after_blood():
    codes = [w.code for w in no_go_warnings(Haemorrhage(Finding.SUSPECTED, 1.0, 1.0), 7.0)]
    assert codes == [HAEMORRHAGE_SUSPECTED, OLD_INFARCT]
    (warning,) = no_go_warnings(NO_HAEMORRHAGE, 7.0)
    assert warning.message.startswith("7.0 mL look like an old infarct")


@pytest.mark.parametrize("code", [HAEMORRHAGE, HAEMORRHAGE_SUSPECTED, OLD_INFARCT])
def test_each_comes_with_advice(code):
    assert code in ADVICE
