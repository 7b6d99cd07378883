from __future__ import annotations

import numpy as np
import pytest
from affine_phantoms import KNOWN, SHAPE, errors_mm, scan_of, stretched
from head_phantoms import pose_matrix

torch = pytest.importorskip("torch")

from ASPECTSLib.errors import CancelledError, ContentRefusedError  # noqa: E402
from ASPECTSLib.geometry import Volume  # noqa: E402
from ASPECTSLib.progress import Progress  # noqa: E402
from ASPECTSLib.registration.torch_affine import register_affine  # noqa: E402

MEAN_ERROR_MM = 1.0


@pytest.mark.parametrize(("to_atlas", "pose"), KNOWN.values(), ids=KNOWN)
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
