from __future__ import annotations

import dataclasses

import pytest
import torch
from synthetic_head_phantoms import LARGE_SHAPE as SHAPE
from synthetic_head_phantoms import (
    ball,
    no_distractors,
    phantom_anatomy,
    phantom_head,
    phantom_infarct,
)

from ASPECTSLib.atlas.regions import RegionCode
from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.perfusion import render_cbf
from ASPECTSLib.synthesis.vessels import Vessels

MIDDLE = tuple(n // 2 for n in SHAPE)
LOBE = (MIDDLE[0] + 13, MIDDLE[1] + 6, MIDDLE[2] - 10)


@pytest.fixture(scope="module")
def anatomy():
    return phantom_anatomy(SHAPE)


@pytest.fixture(scope="module")
def healthy(anatomy):
    return phantom_head(anatomy)


@pytest.fixture(scope="module")
def avascular():
    empty = torch.zeros(SHAPE)
    return Vessels(empty, empty)


def inner(share):
    """Return what lies at least 2 voxels inside of a share."""
    return -torch.nn.functional.max_pool3d(-share[None, None], 5, 1, 2)[0, 0] > 0.5


def test_same_seed_renders_the_same_map(healthy):
    assert torch.equal(render_cbf(healthy, Draw((1,))), render_cbf(healthy, Draw((1,))))


def test_another_seed_renders_another_flow(healthy):
    first, other = (render_cbf(healthy, Draw((seed,))) for seed in (1, 2))
    assert float((first - other).abs().mean()) > 0.5


def test_grey_matter_has_more_flow_than_white(healthy, avascular):
    flow = render_cbf(healthy, Draw((1,)), avascular)
    cortex = float(flow[healthy.is_any(Tissue.CORTEX)].median())
    deep_white = float(flow[inner(healthy.is_any(Tissue.WHITE_MATTER).float())].median())
    assert 15.0 < deep_white < 35.0
    assert 1.5 * deep_white < cortex < 80.0


@pytest.mark.parametrize("seed", range(6))
def test_middle_of_the_core_has_less_than_30_percent_of_the_other_sides_flow(
    anatomy, avascular, seed
):
    core = ball(SHAPE, LOBE, 9.0) * torch.from_numpy(anatomy.tissue != Tissue.CSF)
    infarct = dataclasses.replace(phantom_infarct(anatomy), core=core, penumbra=core)
    flow = render_cbf(phantom_head(anatomy, infarct=infarct), Draw((seed,)), avascular)
    middle = ball(SHAPE, LOBE, 3.0) > 0
    assert float((flow[middle] / flow.flip(2)[middle]).max()) < 0.30


@pytest.mark.parametrize("seed", range(4))
def test_penumbra_has_40_to_70_percent_of_the_other_sides_flow(anatomy, avascular, seed):
    head = phantom_head(anatomy, infarct=phantom_infarct(anatomy, core=(RegionCode.M1,)))
    flow = render_cbf(head, Draw((seed,)), avascular)
    rim = inner(head.infarct.penumbra) & (head.infarct.core == 0)
    rim[:, MIDDLE[1] :] = False  # far from the core
    assert int(rim.sum()) > 10
    assert 0.33 < float((flow[rim] / flow.flip(2)[rim]).median()) < 0.77


def test_outside_of_the_skull_nothing_flows(healthy):
    flow = render_cbf(healthy, Draw((1,)))
    assert float(flow[~healthy.brain].abs().max()) == 0.0
    assert float(flow.min()) >= 0.0


@pytest.mark.parametrize(
    ("name", "share"), [("old_infarct", 0.1), ("haemorrhage", 0.2), ("leukoaraiosis", 0.75)]
)
def test_disease_has_less_flow(anatomy, healthy, avascular, name, share):
    spot = {name: ball(SHAPE, LOBE, 6.0)}
    ill = phantom_head(anatomy, distractors=no_distractors(SHAPE, **spot))
    plain, changed = (render_cbf(head, Draw((1,)), avascular) for head in (healthy, ill))
    assert float(changed[LOBE]) < share * float(plain[LOBE])


def test_flow_falls_with_age(anatomy, avascular):
    young, old = (
        render_cbf(phantom_head(anatomy, age_years=age), Draw((1,)), avascular)
        for age in (45.0, 85.0)
    )
    brain = young > 1
    assert float((old[brain] / young[brain]).median()) == pytest.approx(0.8, abs=0.01)


def test_vessels_are_bright(healthy, avascular):
    arteries = ball(SHAPE, LOBE, 2.0)
    flow = render_cbf(healthy, Draw((1,)), Vessels(arteries, torch.zeros(SHAPE)))
    plain = render_cbf(healthy, Draw((1,)), avascular)
    assert float(flow[LOBE]) > 2 * float(plain[LOBE])
