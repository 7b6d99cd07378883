from __future__ import annotations

import pytest
import torch
from synthetic_head_phantoms import (
    LARGE_SHAPE,
    ball,
    no_distractors,
    phantom_anatomy,
    phantom_head,
    phantom_infarct,
)

from ASPECTSLib.atlas.tissues import FLUID, INTRACRANIAL, Tissue
from ASPECTSLib.synthesis import ncct
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.ncct import (
    CALCIFICATION_HU,
    FRESH_BLOOD_HU,
    OLD_INFARCT_HU,
    infarct_drop_hu,
    render_ncct,
)

SEEDS = range(8)
LOBE_KJI = (36, 40, 14)  # white matter of a side, on the large phantom


@pytest.fixture(scope="module")
def anatomy():
    return phantom_anatomy(LARGE_SHAPE)


@pytest.fixture(scope="module")
def healthy(anatomy):
    return phantom_head(anatomy)


def with_distractor(anatomy, **given):
    return phantom_head(anatomy, distractors=no_distractors(LARGE_SHAPE, **given))


def mean_of(density, head, *tissues):
    return float(density[head.is_any(*tissues)].mean())


def test_same_seed_renders_the_same_head(healthy):
    assert torch.equal(render_ncct(healthy, Draw((1,))), render_ncct(healthy, Draw((1,))))


def test_patients_differ(healthy):
    first, second = (render_ncct(healthy, Draw((seed,))) for seed in (1, 2))
    assert float((first - second).abs().mean()) > 1.0


def test_rendering_leaves_the_head_alone(healthy):
    before = healthy.tissue.clone()
    render_ncct(healthy, Draw((1,)))
    assert torch.equal(healthy.tissue, before)


@pytest.mark.parametrize("seed", SEEDS)
def test_tissues_have_the_densities_of_ct(healthy, seed):
    density = render_ncct(healthy, Draw((seed,)))
    white = mean_of(density, healthy, Tissue.WHITE_MATTER)
    assert 20.0 < white < 50.0
    for grey in (Tissue.PUTAMEN, Tissue.CAUDATE, Tissue.THALAMUS):
        assert 1.0 < mean_of(density, healthy, grey) - white < 14.0
    assert -5.0 < mean_of(density, healthy, Tissue.VENTRICLE) < white - 10.0
    assert mean_of(density, healthy, Tissue.BONE) > 300.0
    assert mean_of(density, healthy, Tissue.AIR) == pytest.approx(-1000.0, abs=1.0)
    assert -120.0 < mean_of(density, healthy, Tissue.SOFT_TISSUE) < 80.0


def test_density_is_finite_everywhere(healthy):
    assert torch.isfinite(render_ncct(healthy, Draw((3,)))).all()


@pytest.mark.parametrize("age_hours", [1.0, 6.0, 24.0, 72.0])
def test_infarct_loses_density_that_belongs_to_its_age(anatomy, age_hours):
    infarct = phantom_infarct(anatomy, age_hours=age_hours)
    ill, well = phantom_head(anatomy, infarct=infarct), phantom_head(anatomy)
    changes = []
    for seed in SEEDS:
        drop = render_ncct(well, Draw((seed,))) - render_ncct(ill, Draw((seed,)))
        changes.append(float(drop[infarct.core > 0.5].median()))
        away = (infarct.penumbra == 0) & well.is_any(*(INTRACRANIAL - FLUID))
        assert float(drop[away].median()) == 0.0
    expected = sum(infarct_drop_hu(age_hours, Draw((seed,))) for seed in range(100)) / 100
    assert sum(changes) / len(changes) == pytest.approx(expected, rel=0.15)


def test_infarcts_darken_with_time():
    drops = [
        sum(infarct_drop_hu(hours, Draw((seed,))) for seed in range(50)) / 50
        for hours in (0.5, 3.0, 6.0, 12.0, 24.0)
    ]
    assert drops == sorted(drops)
    assert 1.5 < drops[0] < 3.0
    assert 8.0 < drops[-1] < 12.0


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("old_infarct", OLD_INFARCT_HU, OLD_INFARCT_HU),
        ("haemorrhage", FRESH_BLOOD_HU, FRESH_BLOOD_HU),
        ("calcification", 0.6 * CALCIFICATION_HU, 1.6 * CALCIFICATION_HU),
    ],
)
def test_distractors_have_their_density(anatomy, name, low, high):
    lesion = ball(LARGE_SHAPE, LOBE_KJI, 4.0)
    density = render_ncct(with_distractor(anatomy, **{name: lesion}), Draw((2,)))
    inside = density[ball(LARGE_SHAPE, LOBE_KJI, 2.0) > 0]
    assert low - 0.1 <= float(inside.median()) <= high + 0.1


def test_leukoaraiosis_darkens_white_matter(anatomy, healthy):
    lesion = ball(LARGE_SHAPE, LOBE_KJI, 4.0)
    ill = render_ncct(with_distractor(anatomy, leukoaraiosis=lesion), Draw((2,)))
    change = ill - render_ncct(healthy, Draw((2,)))
    assert float(change[lesion > 0].median()) == pytest.approx(-ncct.LEUKOARAIOSIS_DROP_HU, abs=0.1)


def test_brain_near_bone_is_brighter_where_the_rim_is_strong(healthy, monkeypatch):
    excess = []
    for strength in (0.0, 80.0):
        monkeypatch.setattr(ncct, "_RIM_HU", (strength, strength))
        density = render_ncct(healthy, Draw((1,)))
        cortex = healthy.is_any(Tissue.CORTEX)
        deep = healthy.is_any(Tissue.THALAMUS)
        excess.append(float(density[cortex].median() - density[deep].median()))
    assert excess[1] > excess[0] + 2.0
