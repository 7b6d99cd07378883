from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import ellipsoid, grid_points
from scipy import ndimage

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.scoring.overlap import dice
from ASPECTSLib.scoring.perfusion_core import CoreRule, find_core, typical_flow

SHAPE, SPACING_MM = (30, 50, 44), 2.0
CORE = (slice(8, 20), slice(18, 32), slice(5, 16))
OPPOSITE = (*CORE[:2], slice(28, 39))
NORMAL = 40.0
RULE = CoreRule()
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


@pytest.fixture
def tissue():
    mask = np.zeros(SHAPE, bool)
    mask[3:-3, 4:-4, 3:-3] = True
    return mask


def flow_of(array):
    affine = centred_affine(SHAPE, np.full(3, SPACING_MM))
    return Volume(array.astype(np.float32), affine)


@pytest.fixture
def flow(tissue):
    """Return a map whose core has a fifth of the other side's flow."""
    array = np.where(tissue, NORMAL, 0.0)
    array[CORE] *= 0.15
    return flow_of(array)


def marked(where):
    mask = np.zeros(SHAPE, bool)
    mask[where] = True
    return mask


def test_a_core_is_found_where_it_is(flow, tissue):
    found = find_core(flow, tissue, MIRROR, RULE)
    assert dice(found.core, marked(CORE)) > 0.85
    assert not (found.core & ~marked(CORE)).any()


def test_a_healthy_map_has_none(tissue):
    rng = np.random.default_rng(0)
    noisy = np.maximum(NORMAL + rng.normal(0.0, 8.0, SHAPE), 0.0) * tissue
    assert not find_core(flow_of(noisy), tissue, MIRROR, RULE).core.any()


def test_what_keeps_more_than_the_threshold_is_no_core(flow, tissue):
    penumbra = flow_of(np.where(marked(CORE), 0.4 * NORMAL, flow.array))
    assert not find_core(penumbra, tissue, MIRROR, RULE).core.any()
    assert find_core(penumbra, tissue, MIRROR, CoreRule(below=0.5)).core[CORE].mean() > 0.8


def test_the_unit_does_not_matter(flow, tissue):
    scaled = flow_of(flow.array * 3.0)
    first, second = (find_core(f, tissue, MIRROR, RULE).core for f in (flow, scaled))
    np.testing.assert_array_equal(first, second)


def test_the_mirror_image_gives_the_mirrored_core(flow, tissue):
    turned = find_core(flow_of(flow.array[..., ::-1].copy()), tissue[..., ::-1], MIRROR, RULE)
    found = find_core(flow, tissue, MIRROR, RULE)
    np.testing.assert_array_equal(turned.core, found.core[..., ::-1])
    np.testing.assert_allclose(turned.relative, found.relative[..., ::-1], atol=1e-5)


def test_tissue_that_is_short_of_blood_on_both_sides_is_no_core_and_is_told(flow, tissue):
    both = flow.array.copy()
    both[OPPOSITE] *= 0.15
    found = find_core(flow_of(both), tissue, MIRROR, RULE)
    assert not found.core.any()
    inner = (slice(11, 17), slice(21, 29), slice(8, 13))
    assert found.low_on_both[inner].all()
    assert not find_core(flow, tissue, MIRROR, RULE).low_on_both.any()


def test_fluid_is_no_core_and_does_not_dilute_what_lies_beside_it(flow, tissue):
    array = flow.array.copy()
    ventricle = marked((slice(8, 20), slice(20, 30), slice(17, 21)))  # of one side only
    array[ventricle] = 0.0
    found = find_core(flow_of(array), tissue & ~ventricle, MIRROR, RULE)
    assert not (found.core & ventricle).any()
    np.testing.assert_array_equal(
        found.core, find_core(flow, tissue, MIRROR, RULE).core & ~ventricle
    )


def test_a_vessel_on_the_other_side_makes_no_core(tissue):
    array = np.where(tissue, NORMAL, 0.0)
    array[12:16, 20:30, 30:34] = 20.0 * NORMAL
    found = find_core(flow_of(array), tissue, MIRROR, RULE)
    assert not found.core.any()
    assert found.relative[tissue].max() < 1.1


def test_bodies_that_are_too_small_are_left_out(tissue):
    array = np.where(tissue, NORMAL, 0.0)
    array[12:17, 20:25, 8:13] = 0.0  # 1 mL
    assert not find_core(flow_of(array), tissue, MIRROR, RULE).core.any()
    assert find_core(flow_of(array), tissue, MIRROR, CoreRule(least_ml=0.1)).core.any()


def test_the_core_of_half_a_brain_is_found(tissue):
    array = np.where(tissue, NORMAL, 0.0)
    array[..., : SHAPE[2] // 2 - 2] *= 0.1
    found = find_core(flow_of(array), tissue, MIRROR, RULE)
    half = tissue & (np.arange(SHAPE[2]) < SHAPE[2] // 2 - 2)
    assert dice(found.core, half) > 0.9
    assert typical_flow(array, array[..., ::-1], tissue) == NORMAL


def test_an_edge_that_the_map_does_not_reach_is_no_core(tissue):
    # The brain mask may hold what is none, such as an orbit: there is no flow on either side.
    array = np.where(tissue, NORMAL, 0.0)
    array[:, -14:] = 0.0
    assert not find_core(flow_of(array), tissue, MIRROR, RULE).core.any()


def test_a_map_without_flow_has_no_core(tissue):
    found = find_core(flow_of(np.zeros(SHAPE)), tissue, MIRROR, RULE)
    assert not found.core.any()
    assert not found.compared.any()
    assert typical_flow(np.zeros(SHAPE), np.zeros(SHAPE), tissue) == 0.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"below": 0.0}, "between 0 and 1, got 0"),
        ({"below": 1.0}, "between 0 and 1, got 1"),
        ({"below": 30.0}, "between 0 and 1, got 30"),
        ({"below": float("nan")}, "between 0 and 1, got nan"),
        ({"least_ml": -1.0}, "at least 0 mL"),
        ({"least_ml": float("inf")}, "at least 0 mL"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(options, words):
    with pytest.raises(UsageError, match=words) as caught:
        CoreRule(**options)
    assert caught.value.code == ErrorCode.USAGE


BALL_SHAPES = {(2.0, 2.0, 2.0): (60, 85, 70), (1.2, 1.2, 5.0): (24, 142, 117)}


def ball_in_a_brain(spacing_mm, core_ml, share):
    """Return the noisy map of a brain with a ball of core that has a share of the flow, the brain and the ball."""
    shape = BALL_SHAPES[spacing_mm]
    affine = centred_affine(shape, np.array(spacing_mm))
    points = grid_points(affine, shape)
    brain = ellipsoid(points, (65.0, 80.0, 55.0))
    radius_mm = (750.0 * core_ml / np.pi) ** (1 / 3)
    core = ellipsoid(points, (radius_mm,) * 3, (33.0, 5.0, 3.0)) & brain
    noise = np.random.default_rng(0).normal(0.0, 0.1 * NORMAL, shape)
    flow = np.maximum(NORMAL * np.where(core, share, 1.0) + noise, 0.0) * brain
    return Volume(flow.astype(np.float32), affine), brain, core


@pytest.mark.parametrize("spacing_mm", BALL_SHAPES)
@pytest.mark.parametrize("core_ml", [15.0, 50.0, 150.0])
@pytest.mark.parametrize("share", [0.1, 0.2])
def test_the_volume_of_a_known_core_is_right_within_three_per_cent(spacing_mm, core_ml, share):
    flow, brain, core = ball_in_a_brain(spacing_mm, core_ml, share)
    found = find_core(flow, brain, MIRROR, RULE)
    assert found.core.sum() == pytest.approx(core.sum(), rel=0.03)


def test_a_penumbra_around_a_core_is_not_drawn_into_it():
    flow, brain, core = ball_in_a_brain((2.0, 2.0, 2.0), 50.0, 0.2)
    near = ndimage.distance_transform_edt(~core) * 2.0 < 8.0
    array = np.where(near & ~core & brain, flow.array - 0.5 * NORMAL, flow.array)
    found = find_core(flow.with_array(np.maximum(array, 0.0)), brain, MIRROR, RULE)
    assert found.core.sum() == pytest.approx(core.sum(), rel=0.03)


@pytest.mark.parametrize("axes", [(2, 1, 0), (0, 2, 1)])
def test_a_core_is_the_same_on_a_grid_with_other_axes(axes):
    flow, brain, core = ball_in_a_brain((2.0, 2.0, 2.0), 15.0, 0.2)
    found = find_core(flow, brain, MIRROR, RULE)
    affine = np.eye(4)
    columns = [flow.affine[:, 2 - axis] for axis in axes][::-1]
    affine[:, :3], affine[:, 3] = np.stack(columns, axis=1), flow.affine[:, 3]
    turned = Volume(np.ascontiguousarray(flow.array.transpose(axes)), affine)
    again = find_core(turned, brain.transpose(axes), MIRROR, RULE)
    assert dice(again.core, found.core.transpose(axes)) > 0.98  # holes are filled in other slices
    assert again.core.sum() == pytest.approx(core.sum(), rel=0.03)


def test_a_mirrored_ball_gives_the_mirrored_core():
    flow, brain, _ = ball_in_a_brain((1.2, 1.2, 5.0), 15.0, 0.2)
    found = find_core(flow, brain, MIRROR, RULE)
    turned = flow.with_array(np.ascontiguousarray(flow.array[..., ::-1]))
    again = find_core(turned, brain[..., ::-1], MIRROR, RULE)
    np.testing.assert_array_equal(again.core, found.core[..., ::-1])
