from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.scoring.perfusion_maps import late_tissue, relative_volume

SHAPE = (20, 40, 40)
AFFINE = centred_affine(SHAPE, np.full(3, 2.0))
TISSUE = np.zeros(SHAPE, bool)
TISSUE[2:18, 4:36, 4:36] = True
LATE = np.zeros(SHAPE, bool)
LATE[5:15, 10:30, 6:16] = True
CORE = np.zeros(SHAPE, bool)
CORE[7:13, 14:26, 8:14] = True
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


def test_late_tissue_is_what_blood_reaches_after_six_seconds_and_the_core():
    seconds = np.where(LATE, 8.0, 2.0) * TISSUE
    seconds[CORE] = 0.0  # nothing arrives there, and the map knows nothing
    found = late_tissue(Volume(seconds, AFFINE), TISSUE, CORE)
    assert (found & LATE).sum() > 0.95 * LATE.sum()
    assert (found & ~LATE).sum() < 0.05 * LATE.sum()
    assert found[CORE].all()


def test_specks_are_not_late():
    seconds = 2.0 * TISSUE
    seconds[10, 20:22, 20:22] = 12.0
    assert not late_tissue(Volume(seconds, AFFINE), TISSUE, np.zeros(SHAPE, bool)).any()


def test_blood_volume_is_compared_with_that_opposite_in_whatever_unit():
    volume = np.where(CORE, 1.0, 4.0) * TISSUE
    for factor in (1.0, 37.0):
        share = relative_volume(Volume(factor * volume, AFFINE), CORE, TISSUE, MIRROR)
        assert share == pytest.approx(0.25)


def test_without_a_core_there_is_no_share():
    nothing = np.zeros(SHAPE, bool)
    assert relative_volume(Volume(4.0 * TISSUE, AFFINE), nothing, TISSUE, MIRROR) is None
