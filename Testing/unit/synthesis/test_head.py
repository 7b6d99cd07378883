from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic_head_phantoms import phantom_anatomy, phantom_head

from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue
from ASPECTSLib.synthesis.ageing import MAX_SULCAL_WIDENING_MM
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.head import aged_tissue


@pytest.fixture(scope="module")
def anatomy():
    return phantom_anatomy()


def lost(anatomy, age_years, seed=1):
    return (aged_tissue(anatomy, age_years, Draw((seed,))).numpy() != anatomy.tissue).sum()


def test_tissues_are_found_by_name(anatomy):
    head = phantom_head(anatomy)
    found = head.is_any(Tissue.PUTAMEN, Tissue.BONE).numpy()
    np.testing.assert_array_equal(found, np.isin(anatomy.tissue, (Tissue.PUTAMEN, Tissue.BONE)))


def test_values_are_those_of_the_tissue(anatomy):
    values = phantom_head(anatomy).table({t: 10.0 * t for t in Tissue})
    assert values.dtype == torch.float32
    np.testing.assert_array_equal(values.numpy(), 10.0 * anatomy.tissue)


def test_the_brain_is_what_lies_inside_the_skull(anatomy):
    brain = phantom_head(anatomy).brain.numpy()
    np.testing.assert_array_equal(brain, np.isin(anatomy.tissue, [int(t) for t in INTRACRANIAL]))


@pytest.mark.parametrize("age_years", [20.0, 40.0])
def test_the_young_keep_the_sulci_of_their_anatomy(anatomy, age_years):
    assert lost(anatomy, age_years) == 0


def test_sulci_widen_with_age_up_to_ninety_years(anatomy):
    counts = [lost(anatomy, age) for age in (60.0, 75.0, 90.0, 100.0)]
    assert counts == sorted(counts)
    assert counts[0] < counts[2] == counts[3]


def test_only_cortex_beside_fluid_turns_to_fluid(anatomy):
    aged = aged_tissue(anatomy, 90.0, Draw((1,))).numpy()
    changed = aged != anatomy.tissue
    assert (anatomy.tissue[changed] == Tissue.CORTEX).all()
    assert (aged[changed] == Tissue.CSF).all()
    assert anatomy.cortex_depth_mm[changed].max() < 3 * MAX_SULCAL_WIDENING_MM


def test_the_same_draw_ages_the_same_and_leaves_the_anatomy_as_it_is(anatomy):
    before = anatomy.tissue.copy()
    first, second = (aged_tissue(anatomy, 80.0, Draw((3,))) for _ in range(2))
    assert torch.equal(first, second)
    np.testing.assert_array_equal(anatomy.tissue, before)
