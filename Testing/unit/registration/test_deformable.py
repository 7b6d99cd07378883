from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import grid_points
from scipy import ndimage

from ASPECTSLib.errors import CancelledError
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.deformable import folding_fraction, register_deformable
from ASPECTSLib.registration.mapping import Mapping, warp

SHAPE, SPACING_MM = (38, 77, 64), np.array([3.0, 3.0, 5.0])
GRID = Volume(np.zeros(SHAPE, np.float32), centred_affine(SHAPE, SPACING_MM))
POINTS = grid_points(GRID.affine, SHAPE)
TO_ATLAS = np.eye(4)
TO_ATLAS[:3, 3] = [0.0, -18.0, 15.0]


def wave_mm(amplitude_mm, wavelength_mm=120.0):
    """Return a smooth displacement that differs from place to place, in every direction."""
    phase = POINTS[..., [1, 2, 0]] * (2.0 * np.pi / wavelength_mm)
    return amplitude_mm * np.stack(
        [np.sin(phase[..., 0]), np.cos(phase[..., 1]), np.sin(phase[..., 2])], -1
    )


def scan_of(template, mapping):
    return warp(template, mapping, GRID)


def brain_points(scan):
    return POINTS[scan.array > 10.0]


def carried(mapping, points):
    """Carry points of the scan to the atlas."""
    voxels = apply_affine(np.linalg.inv(mapping.grid.affine), points)[:, ::-1].T
    displacement = [
        ndimage.map_coordinates(mapping.displacement_mm[..., axis], voxels, order=1)
        for axis in range(3)
    ]
    return apply_affine(mapping.matrix, points + np.stack(displacement, -1))


def distance_mm(first, second):
    return float(np.linalg.norm(first - second, axis=1).mean())


@pytest.fixture(scope="module")
def deformed(template):
    """Return the known mapping, the scan that it makes of the template, and what is found."""
    true = Mapping(TO_ATLAS, wave_mm(4.0), GRID)
    scan = scan_of(template, true)
    return true, scan, register_deformable(scan, template, TO_ATLAS)


def test_a_known_deformation_is_found_far_better_than_by_the_affine_alone(deformed):
    true, scan, found = deformed
    points = brain_points(scan)
    expected = carried(true, points)
    before_mm = distance_mm(apply_affine(TO_ATLAS, points), expected)
    assert before_mm > 4.0
    assert distance_mm(carried(found, points), expected) < 0.6 * before_mm


def test_the_deformed_template_looks_like_the_scan(template, deformed):
    _, scan, found = deformed
    brain = scan.array > 10.0
    rest = [
        np.abs(warp(template, mapping, scan).array - scan.array)[brain].mean()
        for mapping in (Mapping(TO_ATLAS), found)
    ]
    assert rest[1] < 0.6 * rest[0]


def test_a_smooth_deformation_does_not_fold(deformed):
    assert folding_fraction(deformed[2]) == 0.0


def test_the_affine_part_is_passed_on(deformed):
    assert np.array_equal(deformed[2].matrix, TO_ATLAS)


def test_a_scan_that_fits_already_is_hardly_deformed(template):
    scan = scan_of(template, Mapping(TO_ATLAS))
    found = register_deformable(scan, template, TO_ATLAS)
    points = brain_points(scan)
    assert distance_mm(carried(found, points), apply_affine(TO_ATLAS, points)) < 0.5
    assert folding_fraction(found) == 0.0


def test_the_same_scan_gives_the_same_field_bit_for_bit(template, deformed):
    again = register_deformable(deformed[1], template, TO_ATLAS)
    assert np.array_equal(again.displacement_mm, deformed[2].displacement_mm)


def test_a_mirrored_scan_gives_the_mirrored_field(template, deformed):
    true, scan, found = deformed
    mirror = np.array([-1.0, 1.0, 1.0])
    flipped = scan.with_array(np.ascontiguousarray(scan.array[..., ::-1]))
    mirrored = register_deformable(flipped, template, TO_ATLAS)
    points = brain_points(scan)
    assert distance_mm(carried(mirrored, points * mirror) * mirror, carried(found, points)) < 0.5
    assert true.matrix[0, 3] == 0.0


def test_a_cancelled_registration_stops(template, deformed):
    with pytest.raises(CancelledError):
        register_deformable(deformed[1], template, TO_ATLAS, Progress(is_cancelled=lambda: True))


def test_an_affine_mapping_does_not_fold():
    assert folding_fraction(Mapping(TO_ATLAS)) == 0.0


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("slope", "folded"), [(-1.5, 1.0), (-0.5, 0.0), (0.8, 0.0)])
def test_a_field_folds_where_points_change_their_order(axis, slope, folded):
    # x + slope * x turns back on itself for slopes below -1.
    displacement = np.zeros((*SHAPE, 3))
    displacement[..., axis] = slope * POINTS[..., axis]
    assert folding_fraction(Mapping(np.eye(4), displacement, GRID)) == folded


def test_shear_does_not_fold():
    displacement = np.zeros((*SHAPE, 3))
    displacement[..., 0] = 3.0 * POINTS[..., 1]
    assert folding_fraction(Mapping(np.eye(4), displacement, GRID)) == 0.0


def test_folding_is_counted_within_the_mask():
    displacement = np.zeros((*SHAPE, 3))
    right = POINTS[..., 0] > 0
    displacement[..., 0] = np.where(right, -2.0 * POINTS[..., 0], 0.0)
    mapping = Mapping(np.eye(4), displacement, GRID)
    assert folding_fraction(mapping, POINTS[..., 0] < -10.0) == 0.0
    assert folding_fraction(mapping, POINTS[..., 0] > 10.0) == 1.0
    assert 0.4 < folding_fraction(mapping) < 0.6
