from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic_head_phantoms import LARGE_SHAPE, phantom_anatomy, phantom_head

from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.head import Head
from ASPECTSLib.synthesis.repair import eroded
from ASPECTSLib.synthesis.skull_and_scalp import (
    EYE,
    MASTOID,
    add_eyes,
    add_skull_and_scalp,
    add_skull_base,
    zone_in,
)

DEPTH = 40  # voxels of the slab


@pytest.fixture(scope="module")
def healthy():
    return phantom_head(phantom_anatomy(LARGE_SHAPE))


def uniform(head: Head, tissue: Tissue) -> Head:
    """Return a head of one tissue."""
    whole = torch.full_like(head.tissue, int(tissue))
    return Head(head.anatomy, whole, head.regions, head.age_years, None, head.distractors)


def slab(head: Head, tissue: Tissue, start: int) -> Head:
    """Return a head of air above a thick layer of one tissue, whose surface is level."""
    flat = torch.full_like(head.tissue, int(Tissue.AIR))
    flat[:start] = int(tissue)
    return Head(head.anatomy, flat, head.regions, head.age_years, None, head.distractors)


def rendered(head, seed=1):
    density = torch.zeros(head.tissue.shape)
    add_skull_and_scalp(density, head, Draw((seed,)))
    return density


def test_same_seed_gives_the_same_skull(healthy):
    assert torch.equal(rendered(healthy), rendered(healthy))


def test_brain_and_air_stay_as_they_are(healthy):
    density = rendered(healthy)
    others = ~healthy.is_any(Tissue.BONE, Tissue.SOFT_TISSUE)
    assert float(density[others].abs().max()) == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_skin_is_dense_and_fat_lies_under_it(healthy, seed):
    density = rendered(slab(healthy, Tissue.SOFT_TISSUE, DEPTH), seed)
    by_depth = [float(density[DEPTH - 1 - depth].median()) for depth in range(12)]
    assert by_depth[0] > 0.0
    assert min(by_depth[2:10]) < -40.0


@pytest.mark.parametrize("seed", range(4))
def test_tables_of_the_skull_are_compact(healthy, seed):
    density = rendered(uniform(healthy, Tissue.BONE), seed)
    assert float(density[density > 0].min()) > 60.0
    assert float(density.max()) < 3200.0


def test_marrow_lies_between_tables(healthy):
    plate = torch.full_like(healthy.tissue, int(Tissue.AIR))
    plate[30:37] = int(Tissue.BONE)
    head = Head(healthy.anatomy, plate, healthy.regions, 60.0, None, healthy.distractors)
    ratios = []
    for seed in range(12):
        density = rendered(head, seed)
        ratios.append(float(density[33].median() / density[31].median()))
    assert np.median(ratios) < 1.0
    assert min(ratios) < 0.85


def test_zone_is_full_in_its_middle_and_empty_at_its_border(healthy):
    box, share = zone_in(healthy.anatomy, EYE, 1.0, Draw((1,)))
    assert 0.8 < float(share.max()) <= 1.0
    assert float(share[0].max()) < 0.2
    assert share.shape == tuple(span.stop - span.start for span in box)


def test_zones_lie_on_their_side(healthy):
    middle = (LARGE_SHAPE[2] - 1) / 2
    right, left = (zone_in(healthy.anatomy, MASTOID, side, Draw((1,)))[0] for side in (1.0, -1.0))
    assert left[2].stop <= middle <= right[2].start


def test_eyes_are_fluid_in_soft_tissue_only(healthy):
    soft = uniform(healthy, Tissue.SOFT_TISSUE)
    density = torch.full(LARGE_SHAPE, -90.0)
    add_eyes(density, soft, Draw((1,)))
    box, share = zone_in(healthy.anatomy, EYE, 1.0, Draw((1,)))
    assert 4.0 <= float(density[box][share > 0.5].median()) <= 95.0
    untouched = torch.full(LARGE_SHAPE, 7.0)
    add_eyes(untouched, uniform(healthy, Tissue.BONE), Draw((1,)))
    assert float((untouched - 7.0).abs().max()) == 0.0


def test_air_cells_lie_inside_bone(healthy):
    head = uniform(healthy, Tissue.BONE)
    for seed in range(6):
        density = torch.full(LARGE_SHAPE, 1000.0)
        add_skull_base(density, head, Draw((seed,)))
        cells = density < 0.0
        if bool(cells.any()):
            break
    assert bool(cells.any())
    assert bool(eroded(head.tissue == int(Tissue.BONE), 2)[cells].all())
