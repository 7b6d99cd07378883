from __future__ import annotations

import pytest
import torch
from synthetic_head_phantoms import (
    LARGE_SHAPE,
    SHAPE,
    ball,
    no_distractors,
    phantom_anatomy,
    phantom_head,
    phantom_infarct,
)

from ASPECTSLib.atlas.regions import Side
from ASPECTSLib.atlas.tissues import NCCT_CONTRAST_HU, Tissue
from ASPECTSLib.synthesis.contrasts import (
    ARTERY_HU,
    GREY_ENHANCEMENT_HU,
    VEIN_HU,
    WHITE_ENHANCEMENT_HU,
    value_at,
)
from ASPECTSLib.synthesis.cta import render_cta
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.tissue_maps import by_tissue
from ASPECTSLib.synthesis.vessels import Vessels, draw_vessels

LATE = 0.7
LOBE = (22, 24, 11)


@pytest.fixture(scope="module")
def healthy():
    return phantom_head()


@pytest.fixture(scope="module")
def avascular():
    empty = torch.zeros(SHAPE)
    return Vessels(empty, empty)


def plain_ct(head):
    return by_tissue(head.tissue, NCCT_CONTRAST_HU)


def gain(head, vessels, seed=1, phase=LATE):
    """Return the density that contrast agent adds."""
    base = plain_ct(head)
    return render_cta(head, base, vessels, Draw((seed,)), phase) - base


def test_same_seed_renders_the_same_scan(healthy):
    vessels = draw_vessels(healthy, Draw((1,)))
    base = plain_ct(healthy)
    first, again = (render_cta(healthy, base, vessels, Draw((2,))) for _ in range(2))
    assert torch.equal(first, again)


def test_rendering_leaves_plain_ct_as_it_was(healthy, avascular):
    base = plain_ct(healthy)
    render_cta(healthy, base, avascular, Draw((1,)))
    assert torch.equal(base, plain_ct(healthy))


@pytest.mark.parametrize("seed", range(4))
def test_grey_matter_gains_more_than_white(healthy, avascular, seed):
    added = gain(healthy, avascular, seed)
    grey = float(added[healthy.is_any(Tissue.CORTEX)].median())
    white = float(added[healthy.is_any(Tissue.WHITE_MATTER)].median())
    assert 0.5 * GREY_ENHANCEMENT_HU[0] < grey < 1.6 * GREY_ENHANCEMENT_HU[1]
    assert 0.5 * WHITE_ENHANCEMENT_HU[0] < white < 1.6 * WHITE_ENHANCEMENT_HU[1]
    assert grey > 1.3 * white


def test_fluid_bone_and_air_gain_nothing(healthy, avascular):
    inert = healthy.is_any(Tissue.CSF, Tissue.VENTRICLE, Tissue.BONE, Tissue.AIR)
    assert float(gain(healthy, avascular)[inert].abs().max()) == 0.0


def test_core_gains_least_and_penumbra_less_than_normal_tissue(avascular):
    head = phantom_head(infarct=phantom_infarct())
    added = gain(head, avascular, phase=0.2)
    cortex = head.is_any(Tissue.CORTEX)
    core = (head.infarct.core > 0.5) & cortex
    rim = (head.infarct.penumbra > 0.5) & (head.infarct.core == 0) & cortex
    normal = added.flip(2)
    assert float(added[core].median()) < 0.3 * float(normal[core].median())
    assert 0.3 < float(added[rim].median() / normal[rim].median()) < 0.8


def test_late_phase_shows_less_of_the_penumbra(avascular):
    head = phantom_head(infarct=phantom_infarct())
    rim = (head.infarct.penumbra > 0.5) & (head.infarct.core == 0)

    def deficit(phase):
        added = gain(head, avascular, phase=phase)
        return 1.0 - float(added[rim].sum() / added.flip(2)[rim].sum())

    assert deficit(0.1) > deficit(0.5) > deficit(0.9)


@pytest.mark.parametrize("phase", [0.1, 0.4, 0.9])
def test_blood_has_the_density_of_the_phase(healthy, phase):
    arteries, veins = ball(SHAPE, LOBE, 2.0), ball(SHAPE, (10, 10, 16), 2.0)
    base = plain_ct(healthy)
    scan = render_cta(healthy, base, Vessels(arteries, veins), Draw((1,)), phase)
    # The dose differs between patients.
    ratio = float(scan[LOBE]) / value_at(ARTERY_HU, phase)
    assert 0.6 < ratio < 1.4
    assert float(scan[10, 10, 16]) == pytest.approx(value_at(VEIN_HU, phase) * ratio, rel=1e-3)


def test_veins_fill_after_arteries():
    early, late = (value_at(ARTERY_HU, p) - value_at(VEIN_HU, p) for p in (0.1, 0.95))
    assert early > 150.0
    assert late < 0.0


@pytest.mark.parametrize("name", ["old_infarct", "haemorrhage"])
def test_dead_tissue_gains_nothing(avascular, name):
    head = phantom_head(distractors=no_distractors(**{name: ball(SHAPE, LOBE, 3.0)}))
    assert float(gain(head, avascular)[LOBE]) == pytest.approx(0.0, abs=1e-3)


def test_occlusion_shows_in_the_scan():
    anatomy = phantom_anatomy(LARGE_SHAPE)
    cortical = phantom_infarct(anatomy, Side.LEFT)
    head = phantom_head(anatomy, infarct=cortical)
    vessels = draw_vessels(head, Draw((1,)), recanalised=0.0)
    added = gain(head, vessels, phase=0.3)
    third = LARGE_SHAPE[2] // 3
    left, right = added[..., :third].clamp_min(0), added[..., -third:].clamp_min(0)
    assert float((left > 100).sum()) < 0.7 * float((right > 100).sum())
