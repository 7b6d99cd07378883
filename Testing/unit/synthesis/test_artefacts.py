from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from ASPECTSLib.synthesis import artefacts
from ASPECTSLib.synthesis.artefacts import (
    PADDING_HU,
    ArtefactRates,
    add_beam_hardening,
    add_holder,
    add_metal,
    add_motion,
    skull_reach_mm,
    with_artefacts,
    with_field_of_view,
)
from ASPECTSLib.synthesis.beam_hardening import beam_hardening_error
from ASPECTSLib.synthesis.draw import Draw

SPACING_MM = (2.0, 2.0, 5.0)
SHAPE = (34, 110, 110)
NONE = ArtefactRates.none()
AIR_HU, SKIN_HU, BONE_HU, BRAIN_HU = -1000.0, 20.0, 1000.0, 35.0
ADDED = (add_motion, add_holder, add_beam_hardening, add_metal)


def axes_mm():
    k, j, i = torch.meshgrid(*[torch.arange(float(n)) for n in SHAPE], indexing="ij")
    return (
        (i - (SHAPE[2] - 1) / 2) * SPACING_MM[0],
        (j - (SHAPE[1] - 1) / 2) * SPACING_MM[1],
        (k - (SHAPE[0] - 1) / 2) * SPACING_MM[2],
    )


def within(*half_axes_mm):
    return sum((a / h) ** 2 for a, h in zip(axes_mm(), half_axes_mm, strict=True)) < 1.0


def head():
    """Return a head of skin, skull and brain, with dense petrous bones."""
    scan = torch.full(SHAPE, AIR_HU)
    for half_axes_mm, hu in (
        ((78.0, 96.0, 82.0), SKIN_HU),
        ((72.0, 90.0, 77.0), BONE_HU),
        ((66.0, 84.0, 71.0), BRAIN_HU),
    ):
        scan[within(*half_axes_mm)] = hu
    x, y, z = axes_mm()
    petrous = (x.abs() > 28) & (x.abs() < 60) & (y.abs() < 8) & ((z + 45).abs() < 8)
    scan[petrous] = 2000.0
    return scan


@pytest.fixture(scope="module")
def scan():
    return head()


@pytest.fixture(scope="module")
def brain(scan):
    return scan == BRAIN_HU


def test_scans_stay_as_they_are_without_artefacts(scan):
    assert torch.equal(with_artefacts(scan, SPACING_MM, NONE, Draw((1,))), scan)
    assert torch.equal(with_field_of_view(scan, 2.0, -1024.0, NONE, Draw((1,))), scan)


@pytest.mark.parametrize("add", ADDED)
def test_same_seed_gives_the_same_artefact(scan, add):
    assert torch.equal(add(scan, SPACING_MM, Draw((4,))), add(scan, SPACING_MM, Draw((4,))))


@pytest.mark.parametrize("add", ADDED)
def test_artefacts_leave_the_given_scan_alone(scan, add):
    before = scan.clone()
    add(scan, SPACING_MM, Draw((4,)))
    assert torch.equal(scan, before)


@pytest.mark.parametrize("add", ADDED)
@pytest.mark.parametrize("seed", range(6))
def test_the_mean_of_the_brain_stays_within_3_hu(scan, brain, add, seed):
    changed = add(scan, SPACING_MM, Draw((seed,)))
    inner = brain & within(50.0, 70.0, 55.0) & (changed < 2500.0)
    assert abs(float(changed[inner].mean()) - BRAIN_HU) < 3.0


@pytest.mark.parametrize("add", ADDED)
def test_a_scan_of_air_is_no_problem(add):
    empty = torch.full((3, 20, 20), AIR_HU)
    assert torch.isfinite(add(empty, SPACING_MM, Draw((1,)))).all()


def test_motion_moves_a_run_of_slices_and_no_others(scan):
    for seed in range(8):
        changed = add_motion(scan, SPACING_MM, Draw((seed,)))
        moved = torch.nonzero((changed != scan).any(dim=2).any(dim=1))[:, 0]
        moved = moved[(moved >= 1) & (moved < SHAPE[0] - 1)]
        assert len(moved) <= 6
        if len(moved):
            assert int(moved[-1] - moved[0]) + 1 == len(moved)


def test_motion_moves_by_some_mm_only(scan):
    for seed in range(8):
        changed = add_motion(scan, SPACING_MM, Draw((seed,)))
        assert torch.equal(changed[:, 54:56, 54:56] > 100.0, scan[:, 54:56, 54:56] > 100.0)
        assert float(((changed > -500.0) != (scan > -500.0)).float().mean()) < 0.02


def test_bands_between_the_petrous_bones_are_dark(scan, brain):
    x, y, z = axes_mm()
    between = brain & (x.abs() < 20) & (y.abs() < 6) & ((z + 45).abs() < 6)
    above = brain & (x.abs() < 20) & (y.abs() < 6) & ((z - 10).abs() < 12)
    changed = add_beam_hardening(scan, SPACING_MM, Draw((1,)))
    assert float(changed[between].mean()) < float(changed[above].mean()) - 1.0
    assert float(changed[scan.gt(0) & scan.lt(100)].mean()) == pytest.approx(
        float(scan[scan.gt(0) & scan.lt(100)].mean()), abs=0.1
    )


def test_without_bone_no_beam_is_hardened():
    error = beam_hardening_error(torch.full((2, 40, 40), BRAIN_HU), 4.0)
    assert float(error.abs().max()) == 0.0


def test_beam_hardening_of_a_mirrored_scan_is_mirrored(scan):
    part = scan[8:10] + 0.0
    part[:, 40:50, 70:90] = 1500.0
    plain, mirrored = (beam_hardening_error(s, 2.0) for s in (part, part.flip(2)))
    assert torch.allclose(mirrored, plain.flip(2), atol=0.02 * float(plain.abs().max()))


def test_metal_is_dense_and_its_streaks_fade(scan, monkeypatch):
    monkeypatch.setattr(artefacts, "_TEETH_MM", artefacts._CLIP_MM)
    monkeypatch.setattr(artefacts, "_IMPLANT_MM", artefacts._CLIP_MM)
    monkeypatch.setattr(artefacts, "_METAL_RADIUS_MM", (4.0, 4.0))
    changed = add_metal(scan, SPACING_MM, Draw((3,)))
    metal = torch.nonzero(changed == 3000.0).float()
    assert len(metal)
    x, y, _ = axes_mm()
    k = int(metal[0, 0])
    middle = metal[metal[:, 0] == k].mean(dim=0)
    away = torch.hypot(x[k] - (middle[2] - 54.5) * 2.0, y[k] - (middle[1] - 54.5) * 2.0)
    streaks = (changed[k] - scan[k]).abs()
    near, far = (away > 8) & (away < 20), (away > 50) & (away < 80)
    assert float(streaks[near].mean()) > 2.0 * float(streaks[far].mean()) > 0.0
    others = [n for n in range(SHAPE[0]) if abs(n - k) > 2]
    assert torch.equal(changed[others], scan[others])


def test_holder_lies_behind_the_head_in_air(scan):
    x, y, _ = axes_mm()
    for seed in range(6):
        changed = add_holder(scan, SPACING_MM, Draw((seed,)))
        holder = changed != scan
        assert bool(holder.any())
        assert float(scan[holder].max()) < -700.0
        behind = holder & (x.abs() < 4.0)
        assert float(y[behind].max()) < -90.0
        assert torch.equal(holder[0], holder[5])


def test_outside_of_the_circle_is_padding(scan):
    rates = replace(NONE, circle=1.0)
    changed = with_field_of_view(scan, 2.0, -1024.0, rates, Draw((1,)))
    x, y, _ = axes_mm()
    outside = torch.hypot(x, y) > (SHAPE[2] - 1)
    values = changed[outside].unique()
    assert len(values) == 1
    assert float(values[0]) in PADDING_HU
    assert torch.equal(changed[~outside], scan[~outside])


def test_padding_of_scans_clipped_at_0_is_0(scan):
    rates = replace(NONE, circle=1.0)
    changed = with_field_of_view(scan, 2.0, 0.0, rates, Draw((1,)))
    assert float(changed.min()) == 0.0


def test_cut_takes_scalp_and_leaves_the_brain(scan, brain):
    rates = replace(NONE, cut=1.0)
    for seed in range(6):
        changed = with_field_of_view(scan, 2.0, -1024.0, rates, Draw((seed,)))
        assert torch.equal(changed[brain], scan[brain])
    lost = (changed != scan) & (scan > -500.0)
    assert bool(lost.any())


def test_skull_reaches_as_far_as_it_does(scan):
    assert skull_reach_mm(scan, 2.0) == pytest.approx(90.0, abs=3.0)
    assert skull_reach_mm(torch.zeros(2, 9, 9), 2.0) == math.inf


def test_every_artefact_happens_when_it_always_does(scan):
    always = ArtefactRates(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    changed = with_artefacts(scan, SPACING_MM, always, Draw((2,)))
    assert float((changed - scan).abs().max()) > 100.0
