from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from synthetic_head_phantoms import phantom_anatomy

from ASPECTSLib.atlas.tissues import FLUID, INTRACRANIAL, Tissue
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.synthesis import dense
from ASPECTSLib.synthesis.chronic import (
    LACUNE_DIAMETER_MM,
    MAX_LACUNES,
    draw_lacunes,
    draw_leukoaraiosis,
    draw_old_infarcts,
)
from ASPECTSLib.synthesis.dense import (
    draw_choroid_plexus,
    draw_falx,
    draw_haemorrhage,
    draw_pallidum,
    draw_pineal,
)
from ASPECTSLib.synthesis.distractors import NO_DISTRACTORS, DistractorRates, draw_distractors
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import AgedBrain
from ASPECTSLib.synthesis.head import Distractors

ALL = DistractorRates(**{field.name: (1.0, 1.0) for field in fields(DistractorRates)})
LAYERS = tuple(field.name for field in fields(Distractors))
SEEDS = range(3)
DEEP_GREY = (Tissue.CAUDATE, Tissue.PUTAMEN, Tissue.PALLIDUM, Tissue.THALAMUS)


@pytest.fixture(scope="module")
def anatomy():
    """Return the phantom at half the size of a head, with its ventricles' push straight away from the middle."""
    found = phantom_anatomy((97, 125, 97))
    push = np.zeros_like(found.ventricle_push)
    push[0] = np.sign(found.atlas_points[0]) * np.exp(-np.abs(found.atlas_points[0]) / 12)
    return replace(found, ventricle_push=push)


@pytest.fixture(scope="module")
def brain(anatomy):
    return AgedBrain(anatomy, torch.from_numpy(anatomy.tissue), 75.0)


def layer_of(drawn_by, brain, seed):
    """Return what one source draws, on the whole grid."""
    layer = torch.zeros(brain.tissue.shape)
    for patch in drawn_by(brain, Draw((seed,))):
        patch.add_to(layer)
    return layer


def share_in(layer, brain, *tissues):
    inside = torch.from_numpy(np.isin(brain.anatomy.tissue, [int(t) for t in tissues]))
    return float(layer[inside].double().sum() / layer.double().sum())


def atlas_middle(layer, anatomy):
    """Return the place in the atlas of a layer's middle, RAS mm; the phantom is evenly spaced."""
    voxel = np.argwhere(layer.numpy() > 0).mean(axis=0) / 4
    start = anatomy.atlas_points[:, 0, 0, 0]
    step = anatomy.atlas_points[:, 1, 1, 1] - start
    return start + step * voxel[::-1]


def draw_all(anatomy, seed, rates=ALL, age_years=75.0):
    return draw_distractors(
        torch.from_numpy(anatomy.tissue), anatomy, age_years, Draw((seed,)), rates
    )


def test_same_seed_draws_the_same(anatomy):
    first, again = draw_all(anatomy, 1), draw_all(anatomy, 1)
    assert all(torch.equal(getattr(first, name), getattr(again, name)) for name in LAYERS)


def test_another_seed_draws_others(anatomy):
    first, other = draw_all(anatomy, 1), draw_all(anatomy, 2)
    assert not any(torch.equal(getattr(first, name), getattr(other, name)) for name in LAYERS)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_layer_is_a_share_of_voxels_inside_the_skull(anatomy, seed):
    drawn = draw_all(anatomy, seed)
    outside = torch.from_numpy(~np.isin(anatomy.tissue, [int(t) for t in INTRACRANIAL]))
    for name in LAYERS:
        layer = getattr(drawn, name)
        assert layer.shape == anatomy.tissue.shape
        assert layer.dtype == torch.float32
        assert float(layer.min()) == 0.0
        assert 0.0 < float(layer.max()) <= 1.0
        assert float(layer[outside].max()) == 0.0


def test_nothing_is_drawn_at_rates_of_zero(anatomy):
    drawn = draw_all(anatomy, 1, NO_DISTRACTORS)
    assert not any(getattr(drawn, name).any() for name in LAYERS)


def test_one_finding_does_not_change_the_others(anatomy):
    alone = draw_all(anatomy, 1, replace(NO_DISTRACTORS, pineal=(1.0, 1.0)))
    without = draw_all(anatomy, 1, replace(ALL, pineal=(0.0, 0.0)))
    together = draw_all(anatomy, 1)
    both = torch.maximum(alone.calcification, without.calcification)
    assert torch.equal(both, together.calcification)
    assert torch.equal(without.leukoaraiosis, together.leukoaraiosis)


def test_chances_rise_evenly_between_two_ages():
    rates = DistractorRates(lacunes=(0.1, 0.6))
    ages = (20.0, 40.0, 65.0, 90.0, 100.0)
    assert [rates.chance("lacunes", age) for age in ages] == pytest.approx(
        [0.1, 0.1, 0.35, 0.6, 0.6]
    )


def test_impossible_chances_are_refused():
    with pytest.raises(
        UsageError, match=r"expected chances of 0 to 1, got \(0.2, 1.2\)"
    ) as refused:
        DistractorRates(falx=(0.2, 1.2))
    assert refused.value.code is ErrorCode.RECIPE_INVALID


@pytest.mark.parametrize("seed", SEEDS)
def test_old_infarcts_lie_in_cerebral_tissue_that_is_left(brain, seed):
    layer = layer_of(draw_old_infarcts, brain, seed)
    cerebral = (Tissue.CORTEX, Tissue.WHITE_MATTER, *DEEP_GREY)
    assert share_in(layer, brain, *cerebral) == pytest.approx(1.0)
    assert share_in(layer, brain, Tissue.CORTEX) > 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_lacunes_are_small_and_deep(brain, seed):
    layer = layer_of(draw_lacunes, brain, seed)
    assert share_in(layer, brain, Tissue.WHITE_MATTER, *DEEP_GREY) == pytest.approx(1.0)
    largest_ml = np.pi / 6 * (1.4 * LACUNE_DIAMETER_MM[1]) ** 3 / 1000
    assert 0.0 < float(layer.sum()) / 1000 < MAX_LACUNES * largest_ml


@pytest.mark.parametrize("seed", SEEDS)
def test_leukoaraiosis_is_in_white_matter_and_much_alike_on_both_sides(brain, seed):
    layer = layer_of(draw_leukoaraiosis, brain, seed)
    assert share_in(layer, brain, Tissue.WHITE_MATTER) == pytest.approx(1.0)
    left, right = (
        layer[..., : layer.shape[2] // 2].sum(),
        layer[..., layer.shape[2] // 2 + 1 :].sum(),
    )
    assert 0.6 < float(left / right) < 1.7
    assert not torch.equal(layer, layer.flip(2))


def test_leukoaraiosis_grows_with_age(brain):
    volume = [
        sum(
            float(layer_of(draw_leukoaraiosis, replace(brain, age_years=age), s).sum())
            for s in range(6)
        )
        for age in (45.0, 65.0, 85.0)
    ]
    assert volume[0] < volume[1] < volume[2]


@pytest.mark.parametrize("seed", SEEDS)
def test_calcium_lies_where_it_belongs(brain, seed):
    assert share_in(layer_of(draw_pallidum, brain, seed), brain, Tissue.PALLIDUM) == 1.0
    choroid = layer_of(draw_choroid_plexus, brain, seed)
    assert not choroid.any() or share_in(choroid, brain, Tissue.VENTRICLE) == 1.0
    pineal = atlas_middle(layer_of(draw_pineal, brain, seed), brain.anatomy)
    assert np.abs(pineal - dense.PINEAL_MM).max() < 4.0
    falx = atlas_middle(layer_of(draw_falx, brain, seed), brain.anatomy)
    assert abs(falx[0]) < 4.0


def test_both_pallida_are_calcified_much_alike(brain):
    layer = layer_of(draw_pallidum, brain, 1)
    middle = layer.shape[2] // 2
    left, right = float(layer[..., :middle].sum()), float(layer[..., middle + 1 :].sum())
    assert 0.5 < left / right < 2.0


def test_choroid_plexus_calcifies_in_the_trigones(brain, monkeypatch):
    at = brain.anatomy.atlas_points[:, brain.anatomy.tissue[::4, ::4, ::4] == Tissue.VENTRICLE]
    back = at[:, at[0] > 0][:, at[:, at[0] > 0][1].argmin()]
    monkeypatch.setattr(dense, "TRIGONE_MM", tuple(back))
    layers = [layer_of(draw_choroid_plexus, brain, seed) for seed in range(4)]
    assert all(share_in(layer, brain, Tissue.VENTRICLE) == 1.0 for layer in layers)


def test_narrow_ventricles_have_no_trigone_to_calcify(brain):
    tissue = brain.anatomy.tissue.copy()
    tissue[tissue == Tissue.VENTRICLE] = Tissue.WHITE_MATTER
    narrow = replace(brain, anatomy=replace(brain.anatomy, tissue=tissue))
    assert not layer_of(draw_choroid_plexus, narrow, 1).any()


def blood(brain, monkeypatch, seed, *, subdural):
    monkeypatch.setattr(dense, "_SUBDURAL_CHANCE", float(subdural))
    return layer_of(draw_haemorrhage, brain, seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("subdural", [True, False])
def test_blood_keeps_to_one_side(brain, monkeypatch, subdural, seed):
    layer = blood(brain, monkeypatch, seed, subdural=subdural)
    right = float(layer[..., layer.shape[2] // 2 + 1 :].sum() / layer.sum())
    assert right == 0.0 or right == pytest.approx(1.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_subdural_blood_lies_along_the_skull_and_deep_blood_does_not(brain, monkeypatch, seed):
    crescent = blood(brain, monkeypatch, seed, subdural=True)
    deep = blood(brain, monkeypatch, seed, subdural=False)
    assert share_in(crescent, brain, *FLUID, Tissue.CORTEX, Tissue.CEREBELLAR_CORTEX) > 0.6
    assert share_in(deep, brain, Tissue.CSF) == 0.0
    assert share_in(deep, brain, *DEEP_GREY) > 0.02
