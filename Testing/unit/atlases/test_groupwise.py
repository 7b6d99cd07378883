from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import ellipsoid, grid_points

from ASPECTSLib.atlases.entropy import image_entropy
from ASPECTSLib.atlases.groupwise import (
    Template,
    denoised,
    displacement_on,
    inverse_of,
    sharpened,
    to_mean_shape,
)
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.registration.mapping import Mapping

SHAPE, SPACING_MM = (31, 41, 33), 2.0
GRID = Volume(np.zeros(SHAPE, np.float32), centred_affine(SHAPE, np.full(3, SPACING_MM)))
POINTS = grid_points(GRID.affine, SHAPE)


def wave(amplitude_mm):
    """Return a smooth displacement along all axes."""
    phase = POINTS / 20.0
    return amplitude_mm * np.stack([np.sin(phase[..., (c + 1) % 3]) for c in range(3)], axis=-1)


def ball(centre=(0.0, 0.0, 0.0), radius_mm=18.0):
    inside = ellipsoid(POINTS, (radius_mm,) * 3, centre).astype(np.float32)
    return Template(GRID.with_array(30 * inside), GRID.with_array(inside))


def middle(template):
    return POINTS[template.image.array > 0].mean(axis=0)


def test_the_inverse_of_a_displacement_undoes_it():
    shift = wave(3.0)
    back = inverse_of(shift, GRID)
    there = POINTS + back.displacement_mm
    voxels = np.moveaxis((there - POINTS[0, 0, 0]) / SPACING_MM, -1, 0)[::-1]
    from scipy import ndimage

    forth = np.stack(
        [ndimage.map_coordinates(shift[..., c], voxels, order=1, mode="nearest") for c in range(3)],
        axis=-1,
    )
    error = np.linalg.norm(there + forth - POINTS, axis=-1)[4:-4, 4:-4, 4:-4]
    assert error.max() < 0.05


def test_a_template_moves_to_where_the_mean_case_has_it():
    shift = np.zeros((*SHAPE, 3))
    shift[...] = (4.0, -2.0, 0.0)
    moved = to_mean_shape(ball(), shift)
    np.testing.assert_allclose(middle(moved), (4.0, -2.0, 0.0), atol=0.3)
    # The rim is as sharp as it was.
    assert set(np.unique(moved.image.array)) <= {0.0, 30.0}


def test_sharpening_raises_edges_inside_and_leaves_the_rim_alone():
    template = ball()
    edge = 10.0 + 20.0 / (1.0 + np.exp(-POINTS[..., 0] / 2.0))
    template.image.array[:] = np.where(template.image.array > 0, edge, 0)
    sharp = sharpened(template)
    assert np.array_equal(sharp.image.array > 0, template.image.array > 0)
    before, after = (t.image.array[15, 20, 12:21] for t in (template, sharp))
    assert np.diff(after).max() > 1.1 * np.diff(before).max()
    far_left = (POINTS[..., 0] < -12) & (template.image.array > 0)
    assert np.abs(sharp.image.array - template.image.array)[far_left].max() < 1.0


def test_noise_goes_and_edges_stay():
    clean, noisy = ball(), ball()
    clean.image.array[:] = np.where(clean.image.array > 0, np.where(POINTS[..., 0] > 0, 35, 15), 0)
    noise = np.random.default_rng(1).normal(0, 1.0, SHAPE)
    noisy.image.array[:] = np.where(clean.image.array > 0, clean.image.array + noise, 0)
    found = denoised(noisy).image.array
    inside, edge = clean.image.array > 0, np.abs(POINTS[..., 0]) < 3
    assert np.array_equal(found > 0, inside)
    left = np.abs(found - clean.image.array)[inside & ~edge].mean()
    assert left < 0.6 * np.abs(noise)[inside & ~edge].mean()
    across = found[15, 20]
    assert np.abs(np.diff(across[10:23])).max() > 15


def test_a_displacement_on_its_own_grid_is_itself_and_an_affine_map_has_none():
    mapping = Mapping(np.eye(4), wave(2.0), GRID)
    np.testing.assert_allclose(displacement_on(mapping, GRID), wave(2.0), atol=1e-6)
    assert not displacement_on(Mapping(np.eye(4)), GRID).any()


def test_entropy_is_that_of_the_levels():
    assert image_entropy(np.zeros((4, 4))) == 0.0
    assert image_entropy(np.array([0.0, 1.0])) == pytest.approx(1.0)
    assert image_entropy(np.arange(256.0)) == pytest.approx(8.0)


def test_a_blurred_image_has_more_entropy_than_a_sharp_one():
    from scipy import ndimage

    sharp = ball().image.array
    assert image_entropy(ndimage.gaussian_filter(sharp, 2.0)) > image_entropy(sharp)
