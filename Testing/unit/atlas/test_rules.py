from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from head_phantoms import ellipsoid, grid_points

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of, swap_sides
from ASPECTSLib.atlas.rules import (
    RegionRule,
    draw_regions,
    draw_regions_at,
    orbitomeatal_axes,
    region_grid,
)
from ASPECTSLib.atlas.rules import grid_points as points_of_grid
from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.geometry import apply_affine

SHAPE = (67, 125, 121)
AFFINE = np.eye(4)
AFFINE[:3, 3] = [-60.0, -76.0, -16.0]
RULE = RegionRule()


def phantom_probabilities(shift_of_right_nuclei_mm=2.0):
    """Return certain tissues of a brain of ellipsoids whose right nuclei lie farther out."""
    points = grid_points(AFFINE, SHAPE)
    tissue = np.full(SHAPE, Tissue.AIR)
    tissue[ellipsoid(points, (58.0, 74.0, 60.0))] = Tissue.CORTEX
    tissue[ellipsoid(points, (54.0, 70.0, 56.0))] = Tissue.WHITE_MATTER
    for sign in (1.0, -1.0):
        shift = shift_of_right_nuclei_mm if sign > 0 else 0.0
        for name, axes, centre in (
            (Tissue.CORTEX, (4.0, 18.0, 14.0), (36.0, 0.0, 3.0)),
            (Tissue.PUTAMEN, (5.0, 15.0, 9.0), (27.0 + shift, 2.0, 1.0)),
            (Tissue.PALLIDUM, (4.0, 8.0, 6.0), (20.0 + shift, -3.0, 0.0)),
            (Tissue.CAUDATE, (4.0, 9.0, 8.0), (12.0, 14.0, 6.0)),
            (Tissue.THALAMUS, (7.0, 11.0, 8.0), (9.0, -16.0, 7.0)),
        ):
            place = (sign * centre[0], centre[1], centre[2])
            tissue[ellipsoid(points, axes, place)] = name
    return np.stack([(tissue == index).astype(np.float32) for index in Tissue])


@pytest.fixture(scope="module")
def probabilities():
    return phantom_probabilities()


@pytest.fixture(scope="module")
def labels(probabilities):
    return draw_regions(probabilities, AFFINE)


def count(labels, code, side=Side.RIGHT):
    return int((labels == region_of(RegionCode(code), side).label).sum())


def v_of(points):
    """Return the height across orbitomeatal slices, as the rule's text defines it."""
    pitch = np.radians(RULE.orbitomeatal_pitch_deg)
    return points[..., 1] * np.sin(pitch) + points[..., 2] * np.cos(pitch)


def volumes(labels):
    return {region.code.value: count(labels, region.code) for region in REGIONS[:10]}


def test_every_region_is_drawn_on_both_sides(labels):
    assert sorted(np.unique(labels)) == list(range(21))
    assert labels.dtype == np.uint8
    assert labels.shape == SHAPE


def test_regions_lie_on_their_own_side(labels):
    x = grid_points(AFFINE, SHAPE)[..., 0]
    assert (x[(labels >= 1) & (labels <= 10)] > 0).all()
    assert (x[labels >= 11] < 0).all()


def test_mirrored_probabilities_give_mirrored_regions(probabilities, labels):
    mirrored = draw_regions(probabilities[..., ::-1], AFFINE)
    assert np.array_equal(mirrored, swap_sides(labels[..., ::-1]))
    assert not np.array_equal(mirrored, labels)


@pytest.mark.parametrize(
    ("planes", "front", "middle"),
    [("ganglionic_planes_u", "M1", "M2"), ("supraganglionic_planes_u", "M4", "M5")],
)
def test_moving_the_front_plane_forwards_gives_the_front_region_to_the_middle_one(
    probabilities, labels, planes, front, middle
):
    limits = getattr(RULE, planes)
    moved = draw_regions(
        probabilities, AFFINE, replace(RULE, **{planes: (limits[0] + 6.0, limits[1])})
    )
    before, after = volumes(labels), volumes(moved)
    assert after[front] < before[front] - 100
    assert after[front] + after[middle] == before[front] + before[middle]
    others = set(before) - {front, middle}
    assert {code: after[code] for code in others} == {code: before[code] for code in others}


@pytest.mark.parametrize(
    ("planes", "middle", "back"),
    [("ganglionic_planes_u", "M2", "M3"), ("supraganglionic_planes_u", "M5", "M6")],
)
def test_moving_the_back_plane_forwards_gives_the_middle_region_to_the_back_one(
    probabilities, labels, planes, middle, back
):
    limits = getattr(RULE, planes)
    moved = draw_regions(
        probabilities, AFFINE, replace(RULE, **{planes: (limits[0], limits[1] + 6.0)})
    )
    before, after = volumes(labels), volumes(moved)
    assert after[back] > before[back] + 100
    assert after[middle] + after[back] == before[middle] + before[back]


def test_raising_the_ganglionic_level_takes_from_m4_to_m6(probabilities, labels):
    bottom, top = RULE.ganglionic_v
    raised = draw_regions(probabilities, AFFINE, replace(RULE, ganglionic_v=(bottom, top + 5.0)))
    before, after = volumes(labels), volumes(raised)
    assert all(after[code] > before[code] for code in ("M1", "M2", "M3"))
    assert all(after[code] < before[code] for code in ("M4", "M5", "M6"))


def test_without_pitch_the_planes_stand_upright_in_the_atlas(probabilities):
    labels = draw_regions(probabilities, AFFINE, replace(RULE, orbitomeatal_pitch_deg=0.0))
    y, z = np.moveaxis(grid_points(AFFINE, SHAPE), -1, 0)[1:]
    front, back = RULE.ganglionic_planes_u
    assert y[labels == 5].min() >= front > y[labels == 6].max()
    assert y[labels == 6].min() >= back > y[labels == 7].max()
    assert z[(labels >= 5) & (labels <= 7)].max() < RULE.ganglionic_v[1] <= z[labels == 8].min()


def test_pitch_lays_slices_lower_in_front_than_behind(labels):
    z = grid_points(AFFINE, SHAPE)[..., 2]
    assert z[labels == 8].min() < z[labels == 9].min() < z[labels == 10].min()


def test_lentiform_region_covers_the_nuclei_within_the_ganglionic_level(probabilities, labels):
    nuclei = (probabilities[Tissue.PUTAMEN] + probabilities[Tissue.PALLIDUM]) > 0
    right = grid_points(AFFINE, SHAPE)[..., 0] > 0
    v = v_of(grid_points(AFFINE, SHAPE))
    level = (v >= RULE.ganglionic_v[0]) & (v < RULE.ganglionic_v[1])
    assert (labels[nuclei & right & level] == 2).all()


@pytest.mark.parametrize(("code", "tissue"), [("C", Tissue.CAUDATE), ("IC", Tissue.WHITE_MATTER)])
def test_caudate_and_capsule_hold_only_their_own_tissue(probabilities, labels, code, tissue):
    for side in Side:
        region = labels == region_of(RegionCode(code), side).label
        assert (probabilities[tissue][region] == 1.0).all()


def test_capsule_lies_between_the_lentiform_nucleus_and_its_medial_neighbours(labels):
    x = grid_points(AFFINE, SHAPE)[..., 0]
    assert x[labels == 1].mean() < x[labels == 3].mean() < x[labels == 2].mean()


def test_the_rule_leaves_its_input_as_it_is(probabilities):
    before = probabilities.copy()
    draw_regions(probabilities, AFFINE)
    assert np.array_equal(probabilities, before)


def test_only_the_places_in_the_atlas_tell_side_and_direction(probabilities, labels):
    mirrored = points_of_grid(SHAPE, AFFINE) * [-1.0, 1.0, 1.0]
    reordered = draw_regions_at(
        np.ascontiguousarray(probabilities.transpose(0, 2, 3, 1)[..., ::-1]),
        np.ascontiguousarray(mirrored.transpose(1, 2, 0, 3)[:, :, ::-1]),
    )
    assert np.array_equal(reordered, swap_sides(labels).transpose(1, 2, 0)[..., ::-1])


def test_points_of_a_grid_are_those_of_its_voxels_centres():
    affine = np.array([[0.0, 2.0, 0.0, 5.0], [-3.0, 0, 0, 6], [0, 0, 4.0, 7], [0, 0, 0, 1]])
    points = points_of_grid((2, 3, 4), affine)
    assert points.shape == (2, 3, 4, 3)
    assert points[1, 2, 3].tolist() == [5.0 + 2 * 2, 6.0 - 3 * 3, 7.0 + 4]
    np.testing.assert_allclose(points, grid_points(affine, (2, 3, 4)))


def test_orbitomeatal_axes_are_a_rotation_about_x():
    axes = orbitomeatal_axes(11.0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    assert axes[:, 0].tolist() == [1.0, 0.0, 0.0]
    assert axes[2, 1] < 0 < axes[1, 1]  # towards the front the slices fall


def test_the_grid_for_drawing_is_symmetric_and_holds_all_regions(labels):
    grid = region_grid()
    points = points_of_grid(grid.array.shape, grid.affine)
    np.testing.assert_allclose(points[..., ::-1, 0], -points[..., 0])
    np.testing.assert_allclose(grid.spacing_mm, 1.0)
    drawn = points_of_grid(SHAPE, AFFINE)[labels > 0]
    voxels = apply_affine(np.linalg.inv(grid.affine), drawn)
    assert (voxels >= 0).all()
    assert (voxels <= np.array(grid.size) - 1).all()
