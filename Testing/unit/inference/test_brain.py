from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import head_scan, mirrored, pose_matrix
from known_networks import SoftTissue

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.inference.brain import predict_brain
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.scoring.overlap import dice

SPACING_MM = (4.0, 4.0, 5.0)


@pytest.fixture(scope="module")
def scan():
    return head_scan(pose_matrix(yaw_deg=8.0, shift_mm=(5.0, -4.0, 0.0)), spacing_mm=SPACING_MM)


@pytest.fixture(scope="module")
def mask(scan):
    return predict_brain(SoftTissue(), scan.ct, Modality.NCCT)


def test_the_mask_is_that_of_the_brain_on_the_scans_grid(scan, mask):
    assert mask.array.dtype == bool
    assert mask.array.shape == scan.ct.array.shape
    np.testing.assert_array_equal(mask.affine, scan.ct.affine)
    assert dice(mask.array, scan.brain.array) > 0.9


def test_what_lies_apart_from_the_brain_is_left_out(scan, mask):
    skin = (scan.ct.array > 10) & (scan.ct.array < 60) & ~scan.brain.array
    assert skin.sum() > 100
    assert (mask.array & skin).sum() < 0.3 * skin.sum()


def test_the_mirrored_scan_has_the_mirrored_mask(scan, mask):
    other = predict_brain(SoftTissue(), mirrored(scan.ct), Modality.NCCT)
    assert dice(other.array[..., ::-1], mask.array) > 0.99


def test_a_head_in_which_no_brain_is_seen_is_refused(scan):
    blind = SoftTissue(low=2.0, high=3.0)
    with pytest.raises(ContentRefusedError, match=r"expected a brain .* found none") as refused:
        predict_brain(blind, scan.ct, Modality.NCCT)
    assert refused.value.code is ErrorCode.NO_BRAIN
