from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import grid_points, mirrored
from scipy import ndimage

torch = pytest.importorskip("torch")

from ASPECTSLib.errors import (  # noqa: E402
    CancelledError,
    ContentRefusedError,
    GeometryRefusedError,
)
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine  # noqa: E402
from ASPECTSLib.progress import Progress  # noqa: E402
from ASPECTSLib.registration.deformable import folding_fraction  # noqa: E402
from ASPECTSLib.registration.mapping import Mapping, invert_mapping, warp  # noqa: E402
from ASPECTSLib.registration.settings import (  # noqa: E402
    DeformableSettings,
    Level,
    SimilarityName,
)
from ASPECTSLib.registration.torch_deformable import register_deformable  # noqa: E402

SHAPE, SPACING_MM = (38, 96, 80), np.array([2.2, 2.2, 5.0])
GRID = Volume(np.zeros(SHAPE, np.float32), centred_affine(SHAPE, SPACING_MM))
POINTS = grid_points(GRID.affine, SHAPE)
TO_ATLAS = np.eye(4)
TO_ATLAS[:3, 3] = [0.0, -18.0, 15.0]
BY_INFORMATION = DeformableSettings(
    similarity=SimilarityName.MUTUAL_INFORMATION,
    spacing_mm=(4.0, 4.0, 2.5),
    levels=(Level(20, 8.0, 6.0), Level(8, 8.0, 4.0)),
)


def wave_mm(amplitude_mm, wavelength_mm=150.0):
    """Return a smooth displacement that differs from place to place, in every direction."""
    phase = POINTS[..., [1, 2, 0]] * (2.0 * np.pi / wavelength_mm)
    return amplitude_mm * np.stack(
        [np.sin(phase[..., 0]), np.cos(phase[..., 1]), np.sin(phase[..., 2])], -1
    )


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
    scan = warp(template, true, GRID)
    return true, scan, register_deformable(scan, template, TO_ATLAS)


def error_mm(deformed, found):
    true, scan, _ = deformed
    points = brain_points(scan)
    return distance_mm(carried(found, points), carried(true, points))


def test_a_known_deformation_is_recovered_to_less_than_a_millimetre(deformed):
    true, scan, found = deformed
    points = brain_points(scan)
    assert distance_mm(apply_affine(TO_ATLAS, points), carried(true, points)) > 4.0
    assert error_mm(deformed, found) < 1.0


def test_noise_does_not_lead_astray(template, deformed):
    scan = deformed[1]
    brain = scan.array > 0
    noise = np.random.default_rng(0).normal(scale=3.0, size=SHAPE) * brain
    noisy = scan.with_array(np.clip(scan.array + noise, 0, 60).astype(np.float32))
    assert error_mm(deformed, register_deformable(noisy, template, TO_ATLAS)) < 1.6


def test_both_images_may_be_brought_halfway(template, deformed):
    settings = DeformableSettings(symmetric=True)
    found = register_deformable(deformed[1], template, TO_ATLAS, settings)
    assert error_mm(deformed, found) < 1.2
    assert folding_fraction(found) == 0.0


def test_mean_squares_find_much_of_it_too(template, deformed):
    settings = DeformableSettings(similarity=SimilarityName.MEAN_SQUARES)
    found = register_deformable(deformed[1], template, TO_ATLAS, settings)
    assert error_mm(deformed, found) < 2.4
    assert folding_fraction(found) == 0.0


def test_mutual_information_registers_another_contrast(template, deformed):
    scan = deformed[1]
    inverted = scan.with_array(np.where(scan.array > 0, 60.0 - scan.array, 0).astype(np.float32))
    found = register_deformable(inverted, template, TO_ATLAS, BY_INFORMATION)
    assert error_mm(deformed, found) < 2.4
    assert folding_fraction(found) == 0.0


def test_no_voxel_folds(deformed):
    assert folding_fraction(deformed[2]) == 0.0


def test_a_scan_that_fits_already_is_hardly_deformed(template):
    scan = warp(template, Mapping(TO_ATLAS), GRID)
    found = register_deformable(scan, template, TO_ATLAS)
    points = brain_points(scan)
    assert distance_mm(carried(found, points), apply_affine(TO_ATLAS, points)) < 0.5


def test_an_image_registered_to_itself_stays_where_it_is(deformed):
    scan = deformed[1]
    found = register_deformable(scan, scan, np.eye(4))
    points = brain_points(scan)
    assert distance_mm(carried(found, points), points) < 0.5


def test_the_same_scan_gives_the_same_field_bit_for_bit(template, deformed):
    again = register_deformable(deformed[1], template, TO_ATLAS)
    assert np.array_equal(again.displacement_mm, deformed[2].displacement_mm)


def test_a_mirrored_scan_gives_the_mirrored_field(template, deformed):
    _, scan, found = deformed
    mirror = np.array([-1.0, 1.0, 1.0])
    flipped = register_deformable(mirrored(scan), template, TO_ATLAS)
    points = brain_points(scan)
    assert distance_mm(carried(flipped, points * mirror) * mirror, carried(found, points)) < 0.5


def test_a_scan_whose_axes_are_flipped_and_swapped_gives_the_same_mapping(template, deformed):
    _, scan, found = deformed
    turn = np.array([[0, -1, 0, SHAPE[2] - 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    turned = np.ascontiguousarray(scan.array.transpose(0, 2, 1)[:, ::-1])
    again = register_deformable(Volume(turned, scan.affine @ turn), template, TO_ATLAS)
    points = brain_points(scan)
    assert distance_mm(carried(again, points), carried(found, points)) < 0.5


def test_a_mapping_and_its_inverse_cancel(template, deformed):
    _, scan, found = deformed
    inverse = invert_mapping(found, template)
    points = brain_points(scan)
    assert distance_mm(carried(inverse, carried(found, points)), points) < 0.1


def test_halfway_registration_treats_both_images_alike(deformed, template):
    scan = deformed[1]
    other = warp(template, Mapping(TO_ATLAS), GRID)
    settings = DeformableSettings(symmetric=True)
    forth = register_deformable(scan, other, np.eye(4), settings)
    back = register_deformable(other, scan, np.eye(4), settings)
    points = brain_points(scan)
    assert distance_mm(carried(back, carried(forth, points)), points) < 0.7


def test_what_lies_outside_the_mask_is_not_compared(template, deformed):
    scan = deformed[1]
    lesion = np.zeros(SHAPE, bool)
    lesion[12:22, 40:62, 48:62] = True
    damaged = scan.with_array(np.where(lesion, 2.0, scan.array).astype(np.float32))
    mask = scan.with_array(~lesion)
    masked = register_deformable(damaged, template, TO_ATLAS, mask=mask)
    unmasked = register_deformable(damaged, template, TO_ATLAS)
    assert error_mm(deformed, masked) < error_mm(deformed, unmasked)


def test_a_cancelled_registration_stops(template, deformed):
    with pytest.raises(CancelledError):
        register_deformable(
            deformed[1], template, TO_ATLAS, progress=Progress(is_cancelled=lambda: True)
        )


def test_a_constant_image_is_refused(template):
    with pytest.raises(ContentRefusedError, match="same value everywhere"):
        register_deformable(GRID, template, TO_ATLAS)


def test_voxels_that_are_no_numbers_are_refused(template, deformed):
    array = deformed[1].array.copy()
    array[0, 0, 0] = np.nan
    with pytest.raises(ContentRefusedError, match="finite voxels"):
        register_deformable(GRID.with_array(array), template, TO_ATLAS)


def test_an_empty_mask_and_one_on_another_grid_are_refused(template, deformed):
    scan = deformed[1]
    with pytest.raises(ContentRefusedError, match="empty one"):
        register_deformable(scan, template, TO_ATLAS, mask=scan.with_array(scan.array > 1e6))
    with pytest.raises(GeometryRefusedError, match="on the scan's grid"):
        register_deformable(scan, template, TO_ATLAS, mask=template)


@pytest.mark.parametrize("similarity", list(SimilarityName))
def test_a_scan_without_structure_inside_gives_numbers(template, deformed, similarity):
    flat = deformed[1].with_array((deformed[1].array > 10.0) * np.float32(30.0))
    settings = DeformableSettings(similarity=similarity, levels=(Level(3, 8.0, 6.0),))
    found = register_deformable(flat, template, TO_ATLAS, settings)
    assert np.isfinite(found.displacement_mm).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_agrees_with_the_cpu(template, deformed):
    settings = DeformableSettings(device="cuda")
    first, again = (
        register_deformable(deformed[1], template, TO_ATLAS, settings) for _ in range(2)
    )
    points = brain_points(deformed[1])
    assert distance_mm(carried(first, points), carried(deformed[2], points)) < 0.1
    assert np.array_equal(first.displacement_mm, again.displacement_mm)
