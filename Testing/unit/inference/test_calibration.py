from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.inference.calibration import Calibration


def test_without_a_calibration_logits_are_what_they_say():
    plain = Calibration()
    probability = plain.probability(np.array([-1e5, 0.0, np.log(3.0), 1e5]))
    np.testing.assert_allclose(probability, [0.0, 0.5, 0.75, 1.0])
    assert plain.threshold_of("M2") == 0.5


def test_temperature_comes_before_the_offset():
    probability = Calibration(temperature=2.0, offset=-1.0).probability(np.array([[2.0, 4.0]]))
    np.testing.assert_allclose(probability, [[0.5, 1 / (1 + np.exp(-1.0))]])


def test_each_name_has_its_threshold():
    calibration = Calibration(threshold={"M1": 0.4})
    assert [calibration.threshold_of(name) for name in ("M1", "M2")] == [0.4, 0.5]


def test_what_is_written_is_read_again():
    calibration = Calibration(1.5, -0.25, {"C": 0.3, "M6": 0.6})
    assert Calibration.from_json(calibration.to_json()) == calibration
    assert Calibration.from_json({"later": 1}) == Calibration()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], r"an object as calibration, got \[\]"),
        ({"temperature": 0}, "temperature above 0, got 0"),
        ({"temperature": float("nan")}, "temperature above 0"),
        ({"temperature": True}, "temperature above 0, got True"),
        ({"offset": "1"}, "finite number as offset"),
        ({"threshold": [0.5]}, "thresholds as an object"),
        ({"threshold": {"M1": 0}}, "between 0 and 1 for M1, got 0"),
        ({"threshold": {"M1": 1.0}}, "between 0 and 1 for M1"),
        ({"threshold": {"\x1b": 0.5}}, "printable"),
    ],
)
def test_what_is_no_calibration_is_refused(content, words):
    with pytest.raises(ResourceError, match=words) as refused:
        Calibration.from_json(content)
    assert refused.value.code is ErrorCode.MODEL_DAMAGED
