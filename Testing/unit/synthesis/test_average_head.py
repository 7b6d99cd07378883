from __future__ import annotations

import numpy as np
import pytest
from atlas_phantoms import tiny_atlas
from scipy import ndimage

from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue
from ASPECTSLib.geometry import resample
from ASPECTSLib.synthesis import average_head as module
from ASPECTSLib.synthesis.average_head import average_head


@pytest.fixture(scope="module")
def small_atlas():
    return tiny_atlas()


@pytest.fixture(scope="module")
def head(small_atlas):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SKULL_MM", 2.0)
        return average_head(small_atlas, np.random.default_rng(1))


def test_the_grid_is_fine_and_covers_the_atlas(small_atlas, head):
    np.testing.assert_allclose(head.spacing_mm, 1.0)
    np.testing.assert_allclose(head.affine[:3, 3], small_atlas.affine[:3, 3])
    assert head.array.shape == tuple(2 * (n - 1) + 1 for n in small_atlas.tissues.shape[1:])


def test_the_brain_lies_where_the_atlas_has_it(small_atlas, head):
    inside = resample(small_atlas.brain_probability(), head).array > 0.5
    np.testing.assert_array_equal(np.isin(head.array, [int(t) for t in INTRACRANIAL]), inside)


def test_the_skull_is_closed(head):
    bodies, _ = ndimage.label(head.array != Tissue.BONE)
    brain = np.isin(head.array, [int(t) for t in INTRACRANIAL])
    assert bodies[0, 0, 0] not in np.unique(bodies[brain])
    assert (head.array == Tissue.SOFT_TISSUE).any()


def test_what_is_certain_stays_as_it_is(small_atlas, head):
    certain = resample(small_atlas.probability(Tissue.THALAMUS), head).array > 0.9
    assert certain.sum() > 5
    assert (head.array[certain] == Tissue.THALAMUS).all()


def test_gyri_differ_from_seed_to_seed_and_not_within_one(small_atlas, head, monkeypatch):
    monkeypatch.setattr(module, "_SKULL_MM", 2.0)
    again = average_head(small_atlas, np.random.default_rng(1))
    np.testing.assert_array_equal(again.array, head.array)
    other = average_head(small_atlas, np.random.default_rng(2))
    changed = other.array != head.array
    assert changed.any()
    assert np.isin(head.array[changed], [int(t) for t in INTRACRANIAL]).all()
