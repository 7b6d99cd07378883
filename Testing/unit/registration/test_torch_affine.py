from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import grid_points, pose_matrix

torch = pytest.importorskip("torch")

from ASPECTSLib.errors import CancelledError, ContentRefusedError  # noqa: E402
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine, resample  # noqa: E402
from ASPECTSLib.progress import Progress  # noqa: E402
from ASPECTSLib.registration.torch_affine import register_affine  # noqa: E402

SHAPE, SPACING_MM = (38, 56, 46), np.array([4.0, 4.0, 5.0])
MEAN_ERROR_MM = 1.0


def stretched(pitch_deg=12.0, scale=(1.05, 1.08, 1.04), shift_mm=(0.0, -18.0, 15.0), shear=0.0):
    """Return a 4x4 matrix from a head in its symmetric pose to the atlas."""
    stretch = np.diag([*scale, 1.0])
    stretch[1, 2] = shear
    return stretch @ np.linalg.inv(pose_matrix(pitch_deg=pitch_deg, shift_mm=shift_mm))


def scan_of(template, matrix):
    """Return what a scanner sees of the template, 0 outside the brain."""
    like = Volume(np.zeros(SHAPE, np.float32), centred_affine(SHAPE, SPACING_MM))
    return resample(template, like, matrix)


def errors_mm(scan, found, true):
    """Return how far apart two matrices carry the voxels of the brain."""
    points = grid_points(scan.affine, SHAPE)[scan.array > 10.0]
    return np.linalg.norm(apply_affine(found, points) - apply_affine(true, points), axis=1)


@pytest.mark.parametrize(
    ("to_atlas", "pose"),
    [
        (stretched(), pose_matrix()),
        (
            stretched(pitch_deg=-10.0, scale=(1.1, 1.0, 1.08)),
            pose_matrix(12.0, -8.0, (6.0, 3.0, 0.0)),
        ),
        (stretched(pitch_deg=25.0, scale=(1.0, 1.05, 1.1)), pose_matrix(-15.0, 5.0)),
        (stretched(pitch_deg=5.0, shift_mm=(0.0, -10.0, 25.0), shear=0.06), pose_matrix()),
    ],
    ids=["upright", "chin_down", "chin_up", "sheared"],
)
def test_a_known_affine_is_recovered_from_the_symmetric_pose(template, to_atlas, pose):
    true = to_atlas @ pose
    scan = scan_of(template, true)
    assert errors_mm(scan, register_affine(scan, template, pose), true).mean() < MEAN_ERROR_MM


def test_a_scan_that_fits_already_is_left_where_it_is(template):
    scan = scan_of(template, stretched())
    found = register_affine(scan, scan, np.eye(4))
    assert errors_mm(scan, found, np.eye(4)).max() < 0.1


def test_noise_and_an_infarct_do_not_move_the_atlas_away(template):
    true = stretched()
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


def test_a_scan_whose_axes_are_flipped_and_swapped_gives_the_same_matrix(template):
    scan = scan_of(template, stretched())
    affine = scan.affine @ np.array(
        [[0, -1, 0, SHAPE[2] - 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]
    )
    turned = Volume(np.ascontiguousarray(scan.array.transpose(0, 2, 1)[:, ::-1]), affine)
    found, again = (register_affine(image, template, np.eye(4)) for image in (scan, turned))
    assert errors_mm(scan, again, found).max() < 0.2


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


def test_a_constant_image_is_refused(template):
    scan = scan_of(template, stretched())
    with pytest.raises(ContentRefusedError, match="same value everywhere"):
        register_affine(scan.with_array(np.zeros(SHAPE)), template, np.eye(4))
