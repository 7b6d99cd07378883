from __future__ import annotations

import pytest

from ASPECTSLib.report.key_slice_warnings import (
    KEY_SLICES_DISAGREE,
    MOST_APART_MM,
    key_slice_warnings,
)


@pytest.mark.parametrize("apart_mm", [0.0, 5.0, MOST_APART_MM])
def test_levels_that_are_near_are_no_warning(apart_mm):
    assert key_slice_warnings(apart_mm) == ()


def test_levels_that_are_far_apart_are_told_with_their_distance():
    (warning,) = key_slice_warnings(35.0)
    assert warning.code == KEY_SLICES_DISAGREE
    assert "35 mm" in warning.message
