from __future__ import annotations

import pytest
import torch
from synthetic_head_phantoms import LARGE_SHAPE, phantom_anatomy, phantom_head

from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.synthesis.head import Head
from ASPECTSLib.synthesis.repair import eroded, grown, repaired
from ASPECTSLib.synthesis.tissue_maps import brain_box

WHITE_KJI = (36, 40, 14)


@pytest.fixture(scope="module")
def healthy():
    return phantom_head(phantom_anatomy(LARGE_SHAPE))


def speckled(head: Head, at, tissue: Tissue) -> Head:
    changed = head.tissue.clone()
    changed[at] = int(tissue)
    return Head(head.anatomy, changed, head.regions, head.age_years, None, head.distractors)


def bone_voxel(head):
    """Return a voxel with bone all around it."""
    inner = eroded(head.tissue == int(Tissue.BONE), 1)
    return tuple(int(n) for n in torch.nonzero(inner)[0])


def test_growing_and_eroding_are_inverse_for_a_cube():
    mask = torch.zeros(11, 11, 11, dtype=torch.bool)
    mask[4:7, 4:7, 4:7] = True
    assert int(grown(mask, 1).sum()) == 27 + 6 * 9
    assert torch.equal(eroded(mask, 1), ball_voxel())
    assert torch.equal(eroded(grown(mask, 2), 2), mask)


def ball_voxel():
    mask = torch.zeros(11, 11, 11, dtype=torch.bool)
    mask[5, 5, 5] = True
    return mask


def test_the_ends_of_the_grid_are_no_border():
    assert bool(eroded(torch.ones(3, 3, 3, dtype=torch.bool), 1).all())


def test_a_bubble_in_the_brain_becomes_fluid(healthy):
    ill = speckled(healthy, WHITE_KJI, Tissue.AIR)
    whole = repaired(ill, brain_box(ill.tissue))
    assert int(whole.head.tissue[WHITE_KJI]) == Tissue.CSF


def test_soft_tissue_in_the_brain_becomes_dura(healthy):
    ill = speckled(healthy, WHITE_KJI, Tissue.SOFT_TISSUE)
    box = brain_box(ill.tissue)
    whole = repaired(ill, box)
    place = tuple(n - span.start for n, span in zip(WHITE_KJI, box, strict=True))
    assert bool(whole.dural[place])
    assert int(whole.head.tissue[WHITE_KJI]) == Tissue.CSF


def test_a_bubble_in_bone_becomes_bone(healthy):
    place = bone_voxel(healthy)
    ill = speckled(healthy, place, Tissue.AIR)
    assert int(repaired(ill, brain_box(ill.tissue)).head.tissue[place]) == Tissue.BONE


def test_brain_scalp_and_sinus_stay(healthy):
    whole = repaired(healthy, brain_box(healthy.tissue)).head.tissue
    for tissue in (Tissue.WHITE_MATTER, Tissue.CORTEX, Tissue.VENTRICLE):
        assert torch.equal(whole == int(tissue), healthy.tissue == int(tissue))
    kept = (whole == int(Tissue.AIR)) & (healthy.tissue == int(Tissue.AIR))
    assert int(kept.sum()) > 0.99 * int((healthy.tissue == int(Tissue.AIR)).sum())


def test_the_given_head_stays_as_it_is(healthy):
    ill = speckled(healthy, WHITE_KJI, Tissue.AIR)
    repaired(ill, brain_box(ill.tissue))
    assert int(ill.tissue[WHITE_KJI]) == Tissue.AIR
