from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import pose_matrix
from region_phantoms import box_regions
from slice_atlas_phantoms import SPACING_MM, levelled_regions, rough_head

from ASPECTSLib.atlas.regions import Level
from ASPECTSLib.atlases.level_planes import level_head
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume


@pytest.mark.parametrize(
    ("yaw_deg", "roll_deg", "pitch_deg"), [(0, 0, 0), (12, 0, 0), (0, -8, 0), (5, 4, 20)]
)
def test_the_pose_of_a_turned_head_is_found(yaw_deg, roll_deg, pitch_deg):
    to_head = pose_matrix(yaw_deg, roll_deg, (6.0, -4.0, 3.0), pitch_deg)
    labels = box_regions(spacing_mm=SPACING_MM)
    turned = Volume(labels.array, np.linalg.inv(to_head) @ labels.affine)
    found = level_head(turned, levelled_regions())
    np.testing.assert_allclose(found.matrix[:3, :3], to_head[:3, :3], atol=1e-6)
    np.testing.assert_allclose(
        found.matrix @ turned.affine @ (37, 37, 7, 1),
        to_head @ turned.affine @ (37, 37, 7, 1),
        atol=1e-6,
    )


def test_the_planes_lie_where_the_regions_of_their_level_are():
    head = rough_head()
    found = level_head(head.labels, levelled_regions())
    lower, upper = (found.cut(head.ct, level).array for level in Level)
    at = {level: round(float(found.heights_mm[level])) for level in Level}
    assert -13 <= at[Level.GANGLIONIC] <= -1
    assert 10 <= at[Level.SUPRAGANGLIONIC] <= 26
    assert lower.shape[0] == upper.shape[0] == 1


def test_a_smaller_head_has_its_planes_nearer_to_each_other():
    labels = rough_head().labels
    smaller = Volume(labels.array, np.diag([0.8, 0.8, 0.8, 1.0]) @ labels.affine)
    gaps = []
    for one in (labels, smaller):
        heights = level_head(one, levelled_regions()).heights_mm
        gaps.append(heights[Level.SUPRAGANGLIONIC] - heights[Level.GANGLIONIC])
    assert gaps[1] == pytest.approx(0.8 * gaps[0])


def test_a_head_with_too_few_regions_is_refused():
    labels = rough_head().labels
    few = labels.with_array(np.where(labels.array < 3, labels.array, 0))
    with pytest.raises(ContentRefusedError, match="at least 4 regions, got 2") as caught:
        level_head(few, levelled_regions())
    assert caught.value.code is ErrorCode.LABELS_INVALID
