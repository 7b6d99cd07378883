from __future__ import annotations

import dataclasses

import pytest
import torch
from synthetic_head_phantoms import (
    SHAPE,
    ball,
    no_distractors,
    phantom_anatomy,
    phantom_head,
    phantom_infarct,
)

from ASPECTSLib.atlas.regions import Side
from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.synthesis.contrasts import (
    ADC,
    B0_SIGNAL,
    INFARCT_ADC_RATIO,
    INFARCT_DWI_RATIO_RANGE,
    INFARCT_T2_RATIO,
    value_at,
)
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.dwi import (
    MAX_ADC,
    DwiVariation,
    epi_displacement,
    mono_exponential_adc,
    render_dwi,
)
from ASPECTSLib.synthesis.susceptibility import MAX_DISPLACEMENT_MM, shimmed
from ASPECTSLib.synthesis.tissue_maps import by_tissue

CONSTANT = DwiVariation.none()
MIDDLE = tuple(n // 2 for n in SHAPE)
ABOVE = (MIDDLE[0] + 6, MIDDLE[1], MIDDLE[2] - 5)  # in white matter


@pytest.fixture(scope="module")
def healthy():
    return phantom_head()


@pytest.fixture(scope="module")
def ill():
    return phantom_head(infarct=phantom_infarct())


def infarct_ratio(images, head):
    """Return how much brighter the core is than the same tissue on the other side."""
    core = head.infarct.core > 0.5
    core &= head.is_any(Tissue.WHITE_MATTER)
    return float(images.b1000[core].median() / images.b1000[core.flip(2)].median())


def test_same_seed_renders_the_same_images(ill):
    first, again = (render_dwi(ill, Draw((1, 2))) for _ in range(2))
    assert torch.equal(first.b0, again.b0)
    assert torch.equal(first.b1000, again.b1000)
    assert torch.equal(epi_displacement(ill, Draw((1,))), epi_displacement(ill, Draw((1,))))


def test_another_seed_renders_another_contrast(ill):
    first, other = (render_dwi(ill, Draw((seed,))) for seed in (1, 2))
    assert float((first.b0 - other.b0).abs().mean()) > 0.01


def test_rendering_leaves_the_head_as_it_was(ill):
    tissue, core = ill.tissue.clone(), ill.infarct.core.clone()
    render_dwi(ill, Draw((1,)))
    assert torch.equal(tissue, ill.tissue)
    assert torch.equal(core, ill.infarct.core)


def test_without_variation_every_tissue_has_its_constants(healthy):
    images = render_dwi(healthy, Draw((1,)), CONSTANT)
    torch.testing.assert_close(images.b0, by_tissue(healthy.tissue, B0_SIGNAL))
    brain = healthy.brain
    adc = mono_exponential_adc(images.b0, images.b1000)
    expected = by_tissue(healthy.tissue, ADC)
    torch.testing.assert_close(adc[brain], expected[brain], rtol=1e-4, atol=0.1)


@pytest.mark.parametrize("age_hours", [6.0, 12.0, 24.0, 72.0])
def test_infarct_is_brighter_by_the_named_ratio(age_hours):
    head = phantom_head(infarct=phantom_infarct(age_hours=age_hours))
    low, high = INFARCT_DWI_RATIO_RANGE
    assert low < infarct_ratio(render_dwi(head, Draw((1,)), CONSTANT), head) < high


@pytest.mark.parametrize("seed", range(4))
def test_infarct_is_brighter_in_every_patient(ill, seed):
    assert 1.1 < infarct_ratio(render_dwi(ill, Draw((seed,))), ill) < 2.2


def test_constant_infarct_follows_the_curves_of_its_age(ill):
    images = render_dwi(ill, Draw((1,)), CONSTANT)
    core = ill.infarct.core > 0.5
    drop, rise = value_at(INFARCT_ADC_RATIO, 12.0), value_at(INFARCT_T2_RATIO, 12.0)
    adc = mono_exponential_adc(images.b0, images.b1000)[core]
    expected = by_tissue(ill.tissue, ADC)[core] * drop
    torch.testing.assert_close(adc, expected, rtol=1e-3, atol=0.5)
    expected_b0 = by_tissue(ill.tissue, B0_SIGNAL)[core] * rise
    torch.testing.assert_close(images.b0[core], expected_b0)


@pytest.mark.parametrize(
    ("hours", "adc_ratio", "t2_ratio"), [(0, 1.0, 1.0), (3, 0.70, 1.02), (200, 1.0, 1.476)]
)
def test_an_infarct_evolves_as_published(hours, adc_ratio, t2_ratio):
    assert value_at(INFARCT_ADC_RATIO, hours) == pytest.approx(adc_ratio)
    assert value_at(INFARCT_T2_RATIO, hours) == pytest.approx(t2_ratio, abs=0.03)


def test_fresh_infarct_shows_in_diffusion_and_hardly_in_t2():
    head = phantom_head(infarct=phantom_infarct(age_hours=1.5))
    images = render_dwi(head, Draw((1,)), CONSTANT)
    core = (head.infarct.core > 0.5) & head.is_any(Tissue.WHITE_MATTER)
    assert float(images.b0[core].median()) < 1.05 * B0_SIGNAL[Tissue.WHITE_MATTER]
    assert infarct_ratio(images, head) > 1.15


def test_penumbra_and_fluid_do_not_change(ill, healthy):
    images, plain = (render_dwi(head, Draw((1,)), CONSTANT) for head in (ill, healthy))
    outside = ill.infarct.core == 0
    torch.testing.assert_close(images.b1000[outside], plain.b1000[outside])
    flooded = dataclasses.replace(ill.infarct, core=torch.ones(SHAPE))
    images = render_dwi(phantom_head(infarct=flooded), Draw((1,)), CONSTANT)
    fluid = ill.is_any(Tissue.CSF, Tissue.VENTRICLE)
    torch.testing.assert_close(images.b1000[fluid], plain.b1000[fluid])


def test_ischaemia_without_a_core_does_not_show(healthy):
    only_penumbra = dataclasses.replace(phantom_infarct(), core=torch.zeros(SHAPE))
    images = render_dwi(phantom_head(infarct=only_penumbra), Draw((1,)))
    assert torch.equal(images.b1000, render_dwi(healthy, Draw((1,))).b1000)


@pytest.mark.parametrize(
    ("name", "b0_ratio", "adc_range"),
    [
        ("old_infarct", (3.5, 3.7), (2950, 3050)),
        ("leukoaraiosis", (1.4, 1.5), (950, 1100)),
        ("haemorrhage", (0.2, 0.3), (700, 800)),
        ("calcification", (0.35, 0.45), (700, 800)),
    ],
)
def test_distractors_look_like_themselves(name, b0_ratio, adc_range):
    head = phantom_head(distractors=no_distractors(**{name: ball(SHAPE, ABOVE, 3.0)}))
    images = render_dwi(head, Draw((1,)), CONSTANT)
    adc = mono_exponential_adc(images.b0, images.b1000)
    assert b0_ratio[0] < float(images.b0[ABOVE]) < b0_ratio[1]
    assert adc_range[0] < float(adc[ABOVE]) < adc_range[1]


def test_haemorrhage_has_a_bright_rim():
    head = phantom_head(distractors=no_distractors(haemorrhage=ball(SHAPE, ABOVE, 3.0)))
    b0 = render_dwi(head, Draw((1,)), CONSTANT).b0
    beside = (ABOVE[0], ABOVE[1] + 4, ABOVE[2])
    assert float(b0[beside]) > 1.1 * B0_SIGNAL[Tissue.WHITE_MATTER]


def test_mirrored_anatomy_gives_the_mirrored_constant_rendering():
    anatomy = phantom_anatomy()
    head = phantom_head(anatomy, infarct=phantom_infarct(anatomy, Side.LEFT))
    mirrored = phantom_head(anatomy.mirrored(), infarct=phantom_infarct(anatomy, Side.RIGHT))
    distorted = dataclasses.replace(CONSTANT, susceptibility=1.0)
    images, mirror = (render_dwi(h, Draw((3,)), distorted) for h in (head, mirrored))
    torch.testing.assert_close(images.b1000.flip(2), mirror.b1000, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("b0", "b1000", "adc"),
    [
        (1000.0, 367.879, 1000.0),
        (1000.0, 449.329, 800.0),
        (1000.0, 1200.0, 0.0),
        (1000.0, 0.0, MAX_ADC),
        (0.0, 5.0, 0.0),
    ],
)
def test_adc_follows_from_two_signals(b0, b1000, adc):
    found = mono_exponential_adc(torch.tensor([b0]), torch.tensor([b1000]), 1000.0)
    assert float(found) == pytest.approx(adc, abs=0.01)


def test_air_in_the_skull_distorts_what_is_near_it(healthy):
    sinus = ball(SHAPE, (9, 36, 16), 4.0) > 0
    tissue = healthy.tissue.masked_fill(sinus, int(Tissue.AIR))
    pneumatised = dataclasses.replace(healthy, tissue=tissue)
    plain, changed = (epi_displacement(head, Draw((1,))) for head in (healthy, pneumatised))
    change = (changed - plain).abs()
    near = healthy.brain & (ball(SHAPE, (9, 36, 16), 9.0) > 0) & ~sinus
    far = healthy.brain & (ball(SHAPE, (24, 10, 16), 9.0) > 0)
    assert float(change[near].median()) > 5 * float(change[far].median())
    assert float(changed.abs().max()) <= MAX_DISPLACEMENT_MM
    assert changed.shape == SHAPE


def test_no_susceptibility_is_no_displacement(healthy):
    assert float(epi_displacement(healthy, Draw((1,)), CONSTANT).abs().max()) == 0.0


def test_shim_removes_what_is_smooth():
    z, y, x = torch.meshgrid(*[torch.linspace(-1, 1, n) for n in (7, 9, 8)], indexing="ij")
    field = 1.0 + x - 2 * y + 3 * x * z + 0.5 * y * y
    assert float(shimmed(field, torch.ones(7, 9, 8, dtype=torch.bool)).abs().max()) < 1e-5
