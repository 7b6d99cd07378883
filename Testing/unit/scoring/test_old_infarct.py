from __future__ import annotations

import numpy as np
import pytest
from mirrored_phantoms import (
    BRAIN_HU,
    SHAPE,
    VOXEL_ML,
    axes_mm,
    ball,
    brain_mask,
    density,
    labels,
    mirrored_brain,
)
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.scoring.asymmetry import compared_tissue, label_volumes_ml, measure_regions
from ASPECTSLib.scoring.old_infarct import MARGIN_MM, find_old_infarct

OLD_HU, NEW_HU = 11.0, 26.0
PLACE, OTHER_SIDE = (45.0, 5.0, 10.0), (-45.0, 5.0, 10.0)


def with_body(*bodies, hu=OLD_HU):
    image = density()
    for body in bodies:
        image[body & brain_mask()] = hu
    return mirrored_brain(image)


@pytest.mark.parametrize("place", [PLACE, OTHER_SIDE])
def test_tissue_that_turned_to_fluid_is_an_old_infarct(place):
    body = ball(place, 14.0)
    found = find_old_infarct(with_body(body))
    assert (found.mask == body).mean() > 0.999
    assert found.volume_ml == pytest.approx(body.sum() * VOXEL_ML, rel=0.05)


def test_a_new_infarct_is_not_dark_enough():
    found = find_old_infarct(with_body(ball(PLACE, 14.0), hu=NEW_HU))
    assert found.volume_ml == 0.0
    assert not found.left_out.any()


def test_a_late_infarct_in_a_dark_brain_is_not_dark_enough():
    image = density() - 6.0
    image[ball(PLACE, 14.0)] = BRAIN_HU - 6.0 - 12.0
    assert find_old_infarct(mirrored_brain(image)).volume_ml == 0.0


def test_fluid_on_both_sides_is_no_infarct():
    assert find_old_infarct(with_body(ball(PLACE, 14.0), ball(OTHER_SIDE, 14.0))).volume_ml == 0.0


def test_a_ventricle_wider_on_one_side_is_no_infarct():
    x, y, z = axes_mm()
    wide = (x > 0) & (x <= 22) & (np.abs(y) <= 35) & (np.abs(z) <= 30)
    assert find_old_infarct(with_body(wide)).volume_ml == 0.0


def test_a_fissure_wider_on_one_side_is_no_infarct():
    x, y, _ = axes_mm()
    fissure = (np.abs(y - 5) <= 4) & (x > 30)
    assert find_old_infarct(with_body(fissure)).volume_ml == 0.0


def test_a_sulcus_beside_an_old_infarct_is_not_added():
    x, y, z = axes_mm()
    sulcus = (np.abs(y - 40) <= 2) & (x > 30) & (np.abs(z) < 20)
    body = ball(PLACE, 14.0)
    found = find_old_infarct(with_body(body, sulcus))
    assert not found.mask[sulcus & ~body].any()


def test_an_old_infarct_outside_of_the_regions_is_not_looked_for():
    assert find_old_infarct(with_body(ball((10.0, 45.0, 10.0), 10.0))).volume_ml == 0.0


def test_its_margin_and_the_mirrored_places_are_left_out():
    body = ball(PLACE, 14.0)
    found = find_old_infarct(with_body(body))
    assert found.left_out[found.mask].all()
    assert (found.left_out == found.left_out[..., ::-1]).all()
    x, y, z = axes_mm()
    at = (np.abs(y - 6) < 1) & (np.abs(z - PLACE[2]) < 3)
    reach = x[at & found.left_out].max() - x[at & found.mask].max()
    assert 0 < reach <= MARGIN_MM
    assert not found.left_out[~brain_mask()].any()


def test_a_mirrored_brain_has_the_mirrored_infarct():
    image = density()
    image[ball(PLACE, 12.0) | ball((50.0, -25.0, 0.0), 9.0)] = OLD_HU
    plain = find_old_infarct(mirrored_brain(image))
    turned = find_old_infarct(mirrored_brain(np.ascontiguousarray(image[..., ::-1])))
    assert np.array_equal(turned.mask, plain.mask[..., ::-1])
    assert np.array_equal(turned.left_out, plain.left_out[..., ::-1])
    assert plain.volume_ml > 0


def test_a_region_beside_an_old_infarct_is_compared_without_it():
    image = density()
    x, y, _ = axes_mm()
    cortex = np.hypot(x, y) > 58  # grey matter, which the infarct takes from one side
    image[cortex & brain_mask()] = BRAIN_HU + 8
    infarct = ndimage.gaussian_filter((cortex & (x > 25)).astype(float), (0.7, 1.5, 1.5))
    image = np.where(brain_mask(), (1 - infarct) * image + infarct * OLD_HU, 0.0)
    brain = mirrored_brain(image.astype(np.float32))
    tissue = compared_tissue(brain.smoothed, brain.mask)
    volumes_ml = label_volumes_ml(brain.smoothed.with_array(brain.labels))
    drops = []
    for compared in (tissue, tissue & ~find_old_infarct(brain).left_out):
        measures = measure_regions(brain.smoothed, brain.labels, compared, volumes_ml)
        drops.append(next(m.drop for m, r in zip(measures, REGIONS, strict=True) if r.label == 7))
    assert drops[0] == pytest.approx(0.5, abs=0.5)
    assert drops[1] == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(
    ("mask", "regions"),
    [(np.zeros(SHAPE, bool), labels()), (brain_mask(), np.zeros(SHAPE, np.uint8))],
)
def test_without_brain_or_regions_nothing_is_found(mask, regions):
    found = find_old_infarct(mirrored_brain(mask=mask, regions=regions))
    assert found.volume_ml == 0.0
    assert not found.mask.any()
