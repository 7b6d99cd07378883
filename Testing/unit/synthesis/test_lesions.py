from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from scipy import ndimage
from synthetic_head_phantoms import phantom_anatomy

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of
from ASPECTSLib.atlas.rules import grid_points
from ASPECTSLib.atlas.tissues import FLUID, INTRACRANIAL, Tissue
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume, apply_affine, crop, resample
from ASPECTSLib.scoring.overlap import dice
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.lesion_shapes import load_shapes, pack_shapes
from ASPECTSLib.synthesis.lesions import (
    MIN_CORE_ML,
    InfarctOptions,
    affected_regions,
    carry,
    draw_infarct,
    infarct_fraction,
    pick_shape,
    within_tissue,
)
from ASPECTSLib.synthesis.regional_infarct import draw_region_shares

SHAPED = InfarctOptions(shape_share=1.0)
REGIONAL = InfarctOptions(shape_share=0.0)
SEEDS = range(2)


@pytest.fixture(scope="module")
def anatomy():
    """Return the phantom at two thirds of the size of a head: its atlas points are 1.5 mm apart."""
    return phantom_anatomy((129, 165, 137))


def mni_ball(middle_mm, radius_mm):
    """Return a ball in MNI152 space, on a grid whose first axis runs to the left."""
    affine = np.diag([-1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = np.add(middle_mm, (30.0, -30.0, -30.0))
    k, j, i = np.indices((61, 61, 61))
    points = apply_affine(affine, np.stack([i, j, k], axis=-1).astype(float))
    return Volume(np.linalg.norm(points - middle_mm, axis=-1) <= radius_mm, affine)


@pytest.fixture(scope="module")
def shapes(atlas):
    """Return one shape of each size class in the artery's territory, and one outside of it."""
    lateral = [
        (f"M5 {radius}", mni_ball((48.0, -10.0, 25.0), radius)) for radius in (6, 12, 18, 27)
    ]
    return pack_shapes([*lateral, ("cerebellum", mni_ball((-25.0, -65.0, -35.0), 12))], atlas)


def fluid_of(anatomy):
    solid = [int(t) for t in INTRACRANIAL - FLUID]
    return torch.from_numpy(~np.isin(anatomy.tissue, solid))


def left_share(field):
    """Return how much of a field lies in the left half of the symmetric phantom."""
    return float(field[..., : field.shape[2] // 2].sum() / field.sum())


@pytest.mark.parametrize("options", [SHAPED, REGIONAL])
def test_same_seed_draws_the_same_infarct(anatomy, shapes, options):
    first, again = (draw_infarct(anatomy, shapes, Draw((3,)), options) for _ in range(2))
    assert torch.equal(first.core, again.core)
    assert torch.equal(first.penumbra, again.penumbra)
    assert (first.age_hours, first.side) == (again.age_hours, again.side)


@pytest.mark.parametrize("options", [SHAPED, REGIONAL])
def test_another_seed_draws_another_infarct(anatomy, shapes, options):
    first, other = (draw_infarct(anatomy, shapes, Draw((seed,)), options) for seed in (1, 2))
    assert not torch.equal(first.core, other.core)
    assert first.age_hours != other.age_hours


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("options", [SHAPED, REGIONAL])
def test_infarcts_are_shares_of_brain_tissue_and_never_empty(anatomy, shapes, options, seed):
    infarct = draw_infarct(anatomy, shapes, Draw((seed,)), options)
    for field in (infarct.core, infarct.penumbra):
        assert field.shape == anatomy.tissue.shape
        assert field.dtype == torch.float32
        assert float(field.min()) >= 0.0
        assert float(field.max()) <= 1.0
        assert float(field[fluid_of(anatomy)].max()) == 0.0
    assert float(infarct.core.sum()) / 1000 >= MIN_CORE_ML
    assert bool((infarct.core > 0.5).any())
    assert 0.5 <= infarct.age_hours <= 24.0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("shape_share", [0.0, 1.0])
def test_an_infarct_asked_for_on_a_side_lies_there(anatomy, shapes, shape_share, side, seed):
    options = InfarctOptions(side=side, shape_share=shape_share)
    infarct = draw_infarct(anatomy, shapes, Draw((seed,)), options)
    on_left = left_share(infarct.core)
    assert infarct.side is side
    assert (on_left if side is Side.LEFT else 1 - on_left) > 0.9


def test_both_sides_are_drawn_where_none_is_asked_for(anatomy):
    sides = [draw_infarct(anatomy, None, Draw((seed,)), REGIONAL).side for seed in range(8)]
    assert set(sides) == set(Side)


@pytest.mark.parametrize("options", [SHAPED, REGIONAL])
def test_the_penumbra_holds_the_core_and_more_on_its_side(anatomy, shapes, options):
    options = replace(options, age_hours=(0.5, 0.6))
    infarct = draw_infarct(anatomy, shapes, Draw((2,)), options)
    assert bool((infarct.penumbra >= infarct.core).all())
    assert float(infarct.penumbra.sum()) > 1.1 * float(infarct.core.sum())
    on_left = left_share(infarct.penumbra)
    assert (on_left if infarct.side is Side.LEFT else 1 - on_left) > 0.9


def test_the_penumbra_of_a_cerebellar_infarct_stays_below_the_tentorium(anatomy, shapes, atlas):
    cerebellar = pack_shapes([("cerebellum", shapes.mask(4))], atlas)
    options = InfarctOptions(shape_share=1.0, mca_share=0.0, age_hours=(0.5, 0.6))
    infarct = draw_infarct(anatomy, cerebellar, Draw((1,)), options)
    above = anatomy.tissue == Tissue.CORTEX
    assert float(infarct.core.sum()) > 100
    beyond_core = (infarct.penumbra - infarct.core)[torch.from_numpy(above)]
    assert float(beyond_core.sum()) == 0.0


@pytest.mark.parametrize("index", range(5))
def test_a_carried_shape_is_the_shape(anatomy, shapes, index):
    mask = shapes.mask(index)
    carried = carry(mask, torch.from_numpy(anatomy.atlas_points)).on(anatomy.tissue.shape)
    atlas_affine = np.eye(4)  # the phantom's voxels are evenly spaced in the atlas
    for axis in range(3):
        line = anatomy.atlas_points[axis, *[slice(None) if 2 - axis == a else 0 for a in range(3)]]
        atlas_affine[axis, axis], atlas_affine[axis, 3] = (line[1] - line[0]) / 4, line[0]
    expected = resample(mask, Volume(anatomy.tissue, atlas_affine), order=0).array
    assert dice(carried.numpy() > 0.5, expected) > 0.9


def test_a_shape_outside_of_the_head_is_not_carried(anatomy):
    far = mni_ball((400.0, 0.0, 0.0), 10)
    assert carry(far, torch.from_numpy(anatomy.atlas_points)) is None


def test_shapes_that_miss_the_brain_give_way_to_the_regions(anatomy, atlas):
    for middle in ((400.0, 0.0, 0.0), (85.0, 85.0, 95.0)):  # off the grid, and in the air
        outside = pack_shapes([("outside", mni_ball(middle, 5))], atlas)
        options = InfarctOptions(shape_share=1.0, mca_share=0.0)
        assert bool(draw_infarct(anatomy, outside, Draw((1,)), options).core.any())


def test_an_infarct_that_would_reach_across_the_middle_gives_way_to_the_regions(anatomy, atlas):
    close = pack_shapes([("close", mni_ball((10.0, -10.0, 30.0), 10))], atlas)
    assert close.left_shares[0] < 0.05
    options = InfarctOptions(side=Side.LEFT, shape_share=1.0, mca_share=0.0)
    for seed in range(6):
        core = draw_infarct(anatomy, close, Draw((seed,)), options).core
        assert left_share(core) > 0.9


def test_the_last_bit_of_brain_is_infarcted_whole(anatomy):
    tissue = np.where(fluid_of(anatomy).numpy(), anatomy.tissue, int(Tissue.CSF)).astype(np.uint8)
    label = region_of(RegionCode.M2, Side.LEFT).label
    k, j, i = (
        np.argwhere(ndimage.binary_erosion(anatomy.regions == label, iterations=5))[0] // 4 * 4
    )
    tissue[k + 1 : k + 4, j + 1 : j + 4, i + 1 : i + 4] = (
        Tissue.WHITE_MATTER
    )  # no coarse voxel is in it
    options = InfarctOptions(side=Side.LEFT)
    infarct = draw_infarct(replace(anatomy, tissue=tissue), None, Draw((1,)), options)
    assert float(infarct.core.sum()) == pytest.approx(27.0, abs=0.5)
    assert torch.equal(infarct.penumbra, infarct.core)


def test_infarcts_are_drawn_without_shapes(anatomy):
    infarct = draw_infarct(anatomy, None, Draw((1,)), SHAPED)
    fractions = infarct_fraction(infarct.core, torch.from_numpy(anatomy.regions))
    assert affected_regions(fractions, 0.1)


def test_every_size_class_is_met_equally_often(shapes):
    options = InfarctOptions(mca_share=1.0)
    picked = [pick_shape(shapes, None, Draw((seed,)), options) for seed in range(400)]
    counts = np.bincount(picked, minlength=5)
    assert counts[4] == 0  # not in the territory
    assert (np.abs(counts[:4] - 100) < 35).all()


def test_shapes_of_anywhere_are_picked_where_no_territory_is_asked_for(shapes):
    options = InfarctOptions(mca_share=0.0)
    assert 4 in [pick_shape(shapes, None, Draw((seed,)), options) for seed in range(50)]


def test_no_shape_is_picked_that_is_too_large_or_of_both_sides(anatomy, shapes, atlas):
    small = InfarctOptions(shape_share=1.0, max_shape_ml=0.5)
    assert pick_shape(shapes, None, Draw((1,)), small) is None
    assert bool(draw_infarct(anatomy, shapes, Draw((1,)), small).core.any())
    across = pack_shapes([("midline", mni_ball((0.0, 0.0, 10.0), 20))], atlas)
    anywhere = InfarctOptions(mca_share=0.0)
    assert pick_shape(across, Side.LEFT, Draw((1,)), anywhere) is None
    assert pick_shape(across, None, Draw((1,)), anywhere) == 0


def test_fractions_are_those_counted_by_hand():
    regions = torch.zeros((2, 2, 4), dtype=torch.uint8)
    core = torch.zeros((2, 2, 4))
    left_m5 = region_of(RegionCode.M5, Side.LEFT)
    right_c = region_of(RegionCode.C, Side.RIGHT)
    regions[0] = left_m5.label
    regions[1, 0] = right_c.label
    core[0, 0, :2] = 1.0
    core[0, 1, 0] = 0.5
    core[1, 0, 3] = 0.25
    core[1, 1] = 1.0  # in no region
    fractions = infarct_fraction(core, regions)
    assert fractions.shape == (20,)
    assert fractions[REGIONS.index(left_m5)] == pytest.approx(2.5 / 8)
    assert fractions[REGIONS.index(right_c)] == pytest.approx(0.25 / 4)
    assert np.isnan(fractions).sum() == 18
    assert affected_regions(fractions, 0.10) == (left_m5,)
    assert affected_regions(fractions, 0.05) == (right_c, left_m5)


def test_nothing_is_infarcted_without_a_core(anatomy):
    regions = torch.from_numpy(anatomy.regions)
    assert (infarct_fraction(torch.zeros(regions.shape), regions) == 0.0).all()


def test_regions_go_together_as_they_do_in_patients():
    affected = np.array([draw_region_shares(Draw((seed,))) > 0 for seed in range(2000)])
    assert set(affected.sum(axis=1)) == set(range(1, 11))
    codes = list(RegionCode)
    together = np.corrcoef(affected.T)

    def between(first, second):
        return together[codes.index(first), codes.index(second)]

    assert between(RegionCode.M1, RegionCode.M4) > 0.4  # anterior branches
    assert between(RegionCode.M3, RegionCode.M6) > 0.4  # posterior ones
    assert between(RegionCode.C, RegionCode.L) > 0.4  # perforating ones
    assert between(RegionCode.IC, RegionCode.M6) < 0.2  # of different ones
    assert affected.mean(axis=0).argmax() == codes.index(RegionCode.I)


def test_an_infarct_is_cut_where_tissue_turned_to_fluid(anatomy):
    infarct = draw_infarct(anatomy, None, Draw((1,)), REGIONAL)
    tissue = torch.from_numpy(anatomy.tissue.copy())
    lost = tissue == Tissue.CORTEX
    tissue[lost] = int(Tissue.CSF)
    cut = within_tissue(infarct, tissue)
    assert float(cut.core[lost].sum()) == float(cut.penumbra[lost].sum()) == 0.0
    assert torch.equal(cut.core[~lost], infarct.core[~lost])
    assert (cut.side, cut.age_hours) == (infarct.side, infarct.age_hours)


@pytest.mark.parametrize(
    "given", [{"shape_share": 1.5}, {"mca_share": -0.1}, {"age_hours": (0.0, 5.0)}]
)
def test_impossible_options_are_refused(given):
    with pytest.raises(UsageError, match=r"expected .*, got") as refused:
        InfarctOptions(**given)
    assert refused.value.code is ErrorCode.RECIPE_INVALID


def test_real_shapes_carried_to_the_atlas_itself_lie_where_they_lay(shared_data, atlas, tmp_path):
    masks = shared_data / "lesions" / "soop"
    if not masks.is_dir():
        pytest.skip("needs the infarct masks of the public imaging data")
    for path in islice(sorted(masks.glob("*.nii.gz")), 0, 300, 25):
        (tmp_path / path.name).symlink_to(path)
    found = load_shapes(tmp_path, atlas)
    grid = Volume(np.zeros((181, 217, 181), np.uint8), np.eye(4))
    grid.affine[:3, 3] = (-90.0, -126.0, -72.0)
    points = grid_points(grid.array.shape, grid.affine)[::4, ::4, ::4]
    for index in range(len(found)):
        mask = found.mask(index)
        carried = carry(mask, torch.from_numpy(np.moveaxis(points, -1, 0).astype(np.float32)))
        expected = resample(mask, crop(grid, carried.box), order=0).array
        assert expected.sum() == mask.array.sum()
        assert dice(carried.values.numpy() > 0.5, expected) > 0.8
