from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from atlas_phantoms import tiny_atlas  # noqa: E402
from scipy import ndimage  # noqa: E402
from synthetic_head_phantoms import LARGE_SHAPE, phantom_anatomy  # noqa: E402

from ASPECTSLib.atlas.age_groups import AgeGroup  # noqa: E402
from ASPECTSLib.atlas.regions import swap_sides  # noqa: E402
from ASPECTSLib.atlas.rules import grid_points  # noqa: E402
from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue  # noqa: E402
from ASPECTSLib.atlases.age_variants import GROUP_AGE_YEARS, age_variant  # noqa: E402
from ASPECTSLib.errors import CancelledError  # noqa: E402
from ASPECTSLib.progress import Progress  # noqa: E402
from ASPECTSLib.synthesis.anatomy import COARSE_STEP  # noqa: E402

STEP = slice(None, None, COARSE_STEP)


@pytest.fixture(scope="module")
def anatomy():
    """Return the phantom with its ventricles' push, laid on its own atlas."""
    plain = phantom_anatomy(LARGE_SHAPE)
    ventricle = plain.tissue == Tissue.VENTRICLE
    distance, nearest = ndimage.distance_transform_edt(~ventricle, return_indices=True)
    away = np.stack([np.indices(ventricle.shape)[a] - nearest[a] for a in (2, 1, 0)])
    push = away / np.maximum(distance, 1.0) * np.exp(-distance / 12.0)
    points = np.moveaxis(grid_points(LARGE_SHAPE, plain.affine), -1, 0)
    return replace(
        plain,
        atlas_points=points[:, STEP, STEP, STEP].astype(np.float32),
        ventricle_push=push[:, STEP, STEP, STEP].astype(np.float32),
    )


@pytest.fixture(scope="module")
def atlas():
    return tiny_atlas(LARGE_SHAPE)


@pytest.fixture(scope="module")
def variants(atlas, anatomy):
    return {group: age_variant(atlas, [anatomy], group) for group in AgeGroup}


def volume(atlas, tissue):
    return float(atlas.tissues[tissue].sum())


def test_ventricles_are_narrow_in_the_youngest_and_wide_in_the_oldest(variants):
    sizes = [volume(variants[group], Tissue.VENTRICLE) for group in AgeGroup]
    assert sizes[0] < min(sizes[1:])
    assert sizes[-1] == max(sizes)
    assert sizes[-1] > 1.5 * sizes[0]


def test_cortex_turns_to_fluid_in_old_age_only(variants):
    sizes = [volume(variants[group], Tissue.CORTEX) for group in AgeGroup]
    assert sizes[3] < 0.95 * sizes[1]


def test_the_space_inside_the_skull_stays_as_it_is(atlas, variants):
    inside = sorted(INTRACRANIAL)
    before = atlas.tissues[inside].sum(axis=0, dtype=int)
    for variant in variants.values():
        assert np.abs(variant.tissues[inside].sum(axis=0, dtype=int) - before).max() <= len(inside)
        for tissue in set(Tissue) - INTRACRANIAL:
            assert np.array_equal(variant.tissues[tissue], atlas.tissues[tissue])


def test_variants_are_mirror_symmetric(variants):
    for variant in variants.values():
        labels = variant.regions.array
        assert np.array_equal(swap_sides(labels[..., ::-1]), labels)
        difference = variant.tissues.astype(int) - variant.tissues[..., ::-1]
        assert np.abs(difference).max() <= 1


def test_a_mirrored_anatomy_gives_the_same_variant(atlas, anatomy, variants):
    mirrored = age_variant(atlas, [anatomy.mirrored()], AgeGroup.FROM_70)
    difference = mirrored.tissues.astype(int) - variants[AgeGroup.FROM_70].tissues
    assert np.abs(difference).max() <= 1


def test_regions_keep_all_labels_and_move_little(atlas, variants):
    for variant in variants.values():
        assert set(np.unique(variant.regions.array)) == set(np.unique(atlas.regions.array))
        assert variant.name == f"tiny-{variant.name[5:]}"


def test_every_group_has_an_age_within_it():
    assert all(group.holds(age_years) for group, age_years in GROUP_AGE_YEARS.items())


def test_making_a_variant_can_be_cancelled(atlas, anatomy):
    with pytest.raises(CancelledError):
        age_variant(atlas, [anatomy], AgeGroup.FROM_10, Progress(is_cancelled=lambda: True))
