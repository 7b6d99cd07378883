from __future__ import annotations

import pytest
import torch
from synthetic_head_phantoms import LARGE_SHAPE, phantom_anatomy, phantom_head, phantom_infarct

from ASPECTSLib.atlas.regions import Side
from ASPECTSLib.atlas.tissues import NCCT_CONTRAST_HU, Tissue
from ASPECTSLib.synthesis import membranes
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.membranes import add_membranes, falx_columns, midline_box
from ASPECTSLib.synthesis.tissue_maps import brain_box, by_tissue

MIDDLE_I = (LARGE_SHAPE[2] - 1) // 2


@pytest.fixture(scope="module")
def anatomy():
    return phantom_anatomy(LARGE_SHAPE)


@pytest.fixture(scope="module")
def healthy(anatomy):
    return phantom_head(anatomy)


def change(head, seed=1):
    """Return what membranes and vessels add to a head."""
    plain = by_tissue(head.tissue, NCCT_CONTRAST_HU)
    density = plain.clone()
    add_membranes(density, head, Draw((seed,)))
    return density - plain


def test_same_seed_adds_the_same(healthy):
    assert torch.equal(change(healthy), change(healthy))


def test_falx_runs_in_the_midline_fluid(healthy):
    box = midline_box(healthy.anatomy, brain_box(healthy.tissue))
    columns, present = falx_columns(healthy, box)
    assert present.any()
    assert abs(columns[present] + box[2].start - MIDDLE_I).max() < 1.0


def test_falx_is_above_the_corpus_callosum_only(healthy):
    box = midline_box(healthy.anatomy, brain_box(healthy.tissue))
    _, present = falx_columns(healthy, box)
    middle = present.shape[1] // 2
    heights = present[:, middle].nonzero()[0]
    assert heights.min() > present.shape[0] // 2
    assert present[heights.min() :, middle].all()


def test_midline_fluid_gets_denser(healthy):
    added = change(healthy)
    fluid = healthy.tissue == int(Tissue.CSF)
    near = torch.zeros_like(fluid)
    near[LARGE_SHAPE[0] * 3 // 4 :, :, MIDDLE_I - 1 : MIDDLE_I + 2] = True
    assert float(added[fluid & near].mean()) > 2.0


def test_sinuses_and_membranes_never_exceed_their_densities(healthy):
    for seed in range(4):
        plain = by_tissue(healthy.tissue, NCCT_CONTRAST_HU)
        density = plain + change(healthy, seed)
        inside = healthy.brain & (plain < 45.0)
        assert float(density[inside].max()) <= 66.0
        assert float(density[inside].min()) >= 0.0


def test_lobes_stay_as_they_are(healthy):
    added = change(healthy)
    lobes = healthy.tissue == int(Tissue.WHITE_MATTER)
    assert float(added[lobes].abs().mean()) < 0.5


@pytest.mark.parametrize("side", list(Side))
def test_dense_artery_lies_on_the_side_of_the_infarct(anatomy, side, monkeypatch):
    monkeypatch.setattr(membranes, "_DENSE_TRUNK", 1.0)
    monkeypatch.setattr(membranes, "_DENSE_PENUMBRA_ML", 0.0)
    infarct = phantom_infarct(anatomy, side)
    dense = phantom_head(anatomy, infarct=infarct)
    added = change(dense) - change(phantom_head(anatomy))
    clot = torch.nonzero(added.abs() > 1.0)
    assert len(clot)
    right = clot[:, 2] > MIDDLE_I - 2
    assert bool(right.all() if side is Side.RIGHT else (clot[:, 2] < MIDDLE_I + 2).all())


def test_small_infarcts_have_no_dense_trunk(anatomy, monkeypatch):
    monkeypatch.setattr(membranes, "_DENSE_TRUNK", 1.0)
    monkeypatch.setattr(membranes, "_DENSE_PENUMBRA_ML", 1e6)
    ill = phantom_head(anatomy, infarct=phantom_infarct(anatomy))
    assert torch.equal(change(ill), change(phantom_head(anatomy)))
