from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from synthetic_head_phantoms import LARGE_SHAPE as SHAPE
from synthetic_head_phantoms import phantom_anatomy, phantom_head, phantom_infarct

from ASPECTSLib.atlas.regions import RegionCode, Side
from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.vessel_courses import MCA_BRANCHES, MCA_ROOT, MCA_TRUNK, Bed, Course
from ASPECTSLib.synthesis.vessel_paths import STEP_MM, carry, voxels_at
from ASPECTSLib.synthesis.vessels import draw_large_vessels, draw_vessels, tubes

CORTICAL = tuple(code for code in RegionCode if code.startswith("M"))


@pytest.fixture(scope="module")
def anatomy():
    return phantom_anatomy(SHAPE)


@pytest.fixture(scope="module")
def healthy(anatomy):
    return phantom_head(anatomy)


def half(values, side):
    """Return the lateral part of one side: i grows to the patient's right."""
    return values[..., SHAPE[2] * 2 // 3 :] if side is Side.RIGHT else values[..., : SHAPE[2] // 3]


def test_same_seed_draws_the_same_vessels(healthy):
    first, again = (draw_vessels(healthy, Draw((1,))) for _ in range(2))
    assert torch.equal(first.arteries, again.arteries)
    assert torch.equal(first.veins, again.veins)


def test_another_seed_draws_other_vessels(healthy):
    first, other = (draw_vessels(healthy, Draw((seed,))) for seed in (1, 2))
    assert not torch.equal(first.arteries, other.arteries)


def test_shares_lie_between_0_and_1(healthy):
    vessels = draw_vessels(healthy, Draw((1,)))
    for share in (vessels.arteries, vessels.veins):
        assert float(share.min()) >= 0.0
        assert 0.9 < float(share.max()) <= 1.0
        assert share.shape == SHAPE


def test_healthy_sides_have_about_as_many_vessels(healthy):
    arteries = draw_large_vessels(healthy, Draw((1,))).arteries
    right, left = (float(half(arteries, side).sum()) for side in (Side.RIGHT, Side.LEFT))
    assert 0.5 < right / left < 2.0


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("seed", range(3))
def test_occluded_side_has_fewer_distal_vessels(anatomy, side, seed):
    infarct = phantom_infarct(anatomy, side, CORTICAL)
    head = phantom_head(anatomy, infarct=infarct)
    arteries = draw_large_vessels(head, Draw((seed,)), recanalised=0.0).arteries
    occluded, other = (float(half(arteries, s).sum()) for s in (side, side.other))
    assert occluded < 0.7 * other


def test_recanalised_artery_is_whole_again(anatomy, healthy):
    head = phantom_head(anatomy, infarct=phantom_infarct(anatomy, core=CORTICAL))
    opened = draw_large_vessels(head, Draw((1,)), recanalised=1.0)
    assert torch.equal(opened.arteries, draw_large_vessels(healthy, Draw((1,))).arteries)


def test_small_penumbra_occludes_branches_and_spares_the_trunk(anatomy, healthy):
    posterior = torch.zeros(SHAPE)
    posterior[:, : SHAPE[1] * 4 // 10, : SHAPE[2] // 2] = 1.0
    infarct = dataclasses.replace(phantom_infarct(anatomy, Side.LEFT), penumbra=posterior)
    head = phantom_head(anatomy, infarct=infarct)
    changed = draw_large_vessels(head, Draw((1,)), recanalised=0.0).arteries
    plain = draw_large_vessels(healthy, Draw((1,))).arteries
    lost = plain - changed
    assert 0.0 < float(lost.sum()) < 0.3 * float(half(plain, Side.LEFT).sum())
    assert float(half(lost, Side.RIGHT).abs().max()) == 0.0


def test_way_back_from_the_atlas_is_found(anatomy):
    points = np.array([[0.0, 0.0, 0.0], [40.0, -30.0, 20.0], [-55.0, 10.0, -10.0]])
    field = anatomy.atlas_points.copy()
    ramp = np.linspace(-1.0, 1.0, field.shape[3], dtype=np.float32)
    field[1] += 12.0 * ramp**2  # as registration bends it
    bent = dataclasses.replace(anatomy, atlas_points=field)
    voxels = voxels_at(bent, points)
    coarse = torch.from_numpy(field)[None]
    grid = torch.from_numpy(voxels[:, ::-1] / (np.array(SHAPE[::-1]) - 1) * 2 - 1).float()
    there = torch.nn.functional.grid_sample(coarse, grid[None, None, None], align_corners=True)
    np.testing.assert_allclose(there[0, :, 0, 0].T.numpy(), points, atol=0.2)


def test_paths_run_in_fluid_where_it_is_near(anatomy):
    start, end = (0.0, 60.0, 60.0), (0.0, 0.0, 92.0)  # along the fissure between the hemispheres
    course = Course("test", (start, end), (1.0, 1.0), Bed.FLUID, paired=False)
    rng = np.random.default_rng(1)
    (path,) = carry([course], anatomy, anatomy.tissue, rng, 1.0)
    k, j, i = np.rint(path.points).astype(int).T
    assert (anatomy.tissue[k, j, i] == Tissue.CSF).mean() > 0.7
    assert np.linalg.norm(np.diff(path.points, axis=0), axis=1).mean() < 2 * STEP_MM


def test_paired_courses_are_carried_to_both_sides(anatomy):
    rng = np.random.default_rng(1)
    paths = carry([MCA_TRUNK], anatomy, anatomy.tissue, rng, 0.0)
    assert [path.side for path in paths] == list(Side)
    middle = (SHAPE[2] - 1) / 2
    right, left = (float(path.points[:, 2].mean()) - middle for path in paths)
    assert right > 1.0
    assert left < -1.0


def test_branches_begin_where_the_trunk_ends():
    assert MCA_TRUNK.points[-1] == MCA_ROOT
    assert {course.points[0] for course in MCA_BRANCHES} == {MCA_ROOT}


def test_a_tube_has_the_volume_of_a_cylinder():
    along = np.arange(5.0, 45.0, 0.5)
    points = np.stack([along, np.full_like(along, 10.3), np.full_like(along, 9.8)], axis=1)
    ones = np.ones(len(along))
    share = tubes(points, 3.0 * ones, ones, (50, 21, 20), torch.device("cpu"))
    assert float(share[10:40].sum()) == pytest.approx(30 * np.pi * 9.0, rel=0.05)


def test_what_leaves_the_grid_is_left_out():
    points = np.array([[-3.0, 2.0, 2.0], [2.0, 2.0, 2.0], [9.0, 9.0, 9.0]])
    share = tubes(points, np.ones(3), np.ones(3), (5, 5, 5), torch.device("cpu"))
    assert float(share[2, 2, 2]) == 1.0
    assert float(share[0].max()) == float(share[4].max()) == 0.0
