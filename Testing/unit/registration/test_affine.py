from __future__ import annotations

import numpy as np
import pytest
from affine_phantoms import KNOWN, SHAPE, errors_mm, scan_of, stretched
from head_phantoms import pose_matrix

from ASPECTSLib.errors import CancelledError
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.affine import register_affine

MEAN_ERROR_MM = 2.0


@pytest.mark.parametrize(("to_atlas", "pose"), KNOWN.values(), ids=KNOWN)
def test_a_known_affine_is_recovered_from_the_symmetric_pose(template, to_atlas, pose):
    true = to_atlas @ pose
    scan = scan_of(template, true)
    assert errors_mm(scan, register_affine(scan, template, pose), true).mean() < MEAN_ERROR_MM


def test_a_pose_that_is_a_little_off_is_corrected(template):
    pose = pose_matrix(yaw_deg=8.0, roll_deg=3.0, shift_mm=(4.0, 0.0, 0.0))
    found_pose = pose_matrix(yaw_deg=6.0, roll_deg=1.5, shift_mm=(2.5, 0.0, 0.0))
    true = stretched() @ pose
    scan = scan_of(template, true)
    assert errors_mm(scan, register_affine(scan, template, found_pose), true).mean() < MEAN_ERROR_MM


def test_noise_and_an_infarct_do_not_move_the_atlas_away(template):
    true = stretched() @ pose_matrix()
    scan = scan_of(template, true)
    brain = scan.array > 10.0
    array = scan.array + np.random.default_rng(0).normal(scale=4.0, size=SHAPE) * brain
    array[15:25, 20:36, 28:36] -= 12.0 * brain[15:25, 20:36, 28:36]
    noisy = scan.with_array(np.clip(array, 0.0, 60.0).astype(np.float32))
    assert errors_mm(scan, register_affine(noisy, template, np.eye(4)), true).mean() < MEAN_ERROR_MM


def test_a_mirrored_scan_gives_the_mirrored_matrix(template):
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    pose = pose_matrix(yaw_deg=6.0, shift_mm=(5.0, 0.0, 0.0))
    scan = scan_of(template, stretched() @ pose)
    mirrored_scan = scan.with_array(np.ascontiguousarray(scan.array[..., ::-1]))
    found = register_affine(scan, template, pose)
    mirrored = register_affine(mirrored_scan, template, mirror @ pose @ mirror)
    assert errors_mm(scan, mirror @ mirrored @ mirror, found).max() < 0.5


def test_the_same_scan_gives_the_same_matrix_bit_for_bit(template):
    scan = scan_of(template, stretched())
    first, second = (register_affine(scan, template, np.eye(4)) for _ in range(2))
    assert np.array_equal(first, second)


def test_registration_leaves_its_images_as_they_are(template):
    scan = scan_of(template, stretched())
    fixed, moving = scan.array.copy(), template.array.copy()
    register_affine(scan, template, np.eye(4))
    assert np.array_equal(scan.array, fixed)
    assert np.array_equal(template.array, moving)


def test_a_cancelled_registration_stops(template):
    scan = scan_of(template, stretched())
    with pytest.raises(CancelledError):
        register_affine(scan, template, np.eye(4), Progress(is_cancelled=lambda: True))
