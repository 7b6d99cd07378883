"""The infarct of a head whose infarct is known, by a network that takes what is bright for infarct."""

from __future__ import annotations

import numpy as np
import pytest
from head_phantoms import ellipsoid, grid_points, mirrored, pose_matrix
from infarct_networks import BrightInfarct

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine
from ASPECTSLib.inference import infarct
from ASPECTSLib.inference.infarct import MIN_COMPONENT_ML, predict_infarct
from ASPECTSLib.scoring.overlap import dice

BRAIN_MM = (62.0, 78.0, 60.0)
MIDDLE_MM = (5.0, -8.0, 3.0)
CENTRE_MM, RADIUS_MM = (35.0, 5.0, 12.0), 15.0
SIGNAL, BRIGHT = 240.0, 2.5
UPRIGHT = np.eye(4)
GRIDS = {
    "fine": ((64, 92, 92), (1.7, 1.9, 2.3)),
    "thin pixels": ((24, 190, 150), (0.9, 0.9, 6.0)),
    "coarse": ((36, 60, 50), (3.1, 3.1, 4.0)),
}


class Head:
    """A brain with bright balls on one grid; each ball is (centre, radius) in mm of the head's own frame."""

    def __init__(
        self, grid="coarse", balls=((CENTRE_MM, RADIUS_MM),), to_head=UPRIGHT, bright=BRIGHT
    ):
        shape, spacing_mm = GRIDS[grid]
        self.affine = centred_affine(shape, np.array(spacing_mm))
        points = apply_affine(to_head, grid_points(self.affine, shape))
        self.brain = ellipsoid(points, BRAIN_MM, MIDDLE_MM)
        self.balls = [ellipsoid(points, (radius,) * 3, centre) for centre, radius in balls]
        self.infarct = np.any(self.balls, axis=0)
        signal = SIGNAL * (self.brain | self.infarct) * np.where(self.infarct, bright, 1.0)
        self.dwi = Volume(signal.astype(np.float32), self.affine)
        self.adc = self.dwi.with_array((800.0 * self.brain).astype(np.float32))

    def found(self, network=None, *, brain=None, pose=UPRIGHT, **options):
        brain = self.brain if brain is None else brain
        network = network or BrightInfarct()
        return predict_infarct(network, self.dwi, None, brain, scan_from_atlas=pose, **options)


@pytest.mark.parametrize(("grid", "least"), [("fine", 0.95), ("thin pixels", 0.9), ("coarse", 0.9)])
def test_an_infarct_is_recovered_on_the_grid_of_the_scan(grid, least):
    head = Head(grid)
    found = head.found()
    assert found.mask.array.dtype == bool
    np.testing.assert_array_equal(found.mask.affine, head.affine)
    assert dice(found.mask.array, head.infarct) > least
    assert found.mask.array.sum() == pytest.approx(head.infarct.sum(), rel=0.12)


def test_the_probability_is_high_in_the_infarct_and_none_far_away():
    head = Head()
    found = head.found()
    probability = found.probability.array
    assert probability.dtype == np.float32
    assert (probability.min(), probability.max() <= 1.0) == (0.0, True)
    assert probability[found.mask.array].min() >= 0.5
    assert not probability[~head.brain & (np.indices(head.brain.shape)[0] > 33)].any()
    assert np.median(probability[head.infarct]) > 0.99


@pytest.mark.parametrize(("radius_mm", "is_kept"), [(2.0, False), (3.0, True)])
def test_bodies_that_are_too_small_are_dropped(radius_mm, is_kept):
    head = Head("fine", (((-30.0, 0.0, 10.0), radius_mm),))
    found = head.found()
    volume_ml = (found.probability.array >= 0.5).sum() * found.mask.voxel_volume_ml
    assert (volume_ml >= MIN_COMPONENT_ML) == is_kept
    assert volume_ml > 0.2 * MIN_COMPONENT_ML
    assert found.mask.array.any() == is_kept


def test_bodies_outside_of_the_brain_are_dropped():
    eye = ((5.0, 84.0, 3.0), 7.0)
    head = Head("coarse", ((CENTRE_MM, RADIUS_MM), eye))
    assert (head.balls[1] & ~head.brain).sum() > 0.8 * head.balls[1].sum()
    found = head.found()
    assert not found.mask.array[head.balls[1] & ~head.brain].any()
    assert dice(found.mask.array, head.balls[0]) > 0.9
    # Where the mask holds it, it is infarct: it is the brain that tells.
    wide = head.brain | head.balls[1]
    assert (head.found(brain=wide).mask.array & head.balls[1]).sum() > 0.7 * head.balls[1].sum()


def test_bodies_that_reach_out_of_the_brain_are_kept_whole():
    """Brain masks leave out bright cortex."""
    rim = ((57.0, -8.0, 3.0), 12.0)
    head = Head("fine", (rim,))
    brain = head.brain & ~ellipsoid(
        grid_points(head.affine, head.brain.shape), (8.0,) * 3, (66.0, -8.0, 3.0)
    )
    assert (head.infarct & ~brain).sum() > 0.1 * head.infarct.sum()
    assert dice(head.found(brain=brain).mask.array, head.infarct) > 0.93


def test_without_adc_its_channels_are_zero():
    head, network = Head(), BrightInfarct()
    head.found(network)
    (image,) = network.seen
    assert image.shape[1] == 3
    assert not image[:, 1:].any()


def test_the_adc_is_seen_and_said_to_be_there():
    head, network = Head(), BrightInfarct()
    predict_infarct(network, head.dwi, head.adc, head.brain, scan_from_atlas=UPRIGHT)
    signal, adc, given = network.seen[0][0]
    assert (given == 1.0).all()
    assert float(adc.max()) == pytest.approx(0.8, rel=0.03)
    assert float(signal.max()) == pytest.approx(BRIGHT / 2, rel=0.02)


@pytest.mark.parametrize(("adc", "is_kept"), [(480.0, True), (740.0, True), (830.0, False)])
def test_a_bright_body_is_infarct_only_where_its_adc_is_lowered(adc, is_kept):
    head = Head()
    lowered = head.adc.with_array(np.where(head.infarct, np.float32(adc), head.adc.array))
    found = predict_infarct(BrightInfarct(), head.dwi, lowered, head.brain, scan_from_atlas=UPRIGHT)
    assert found.mask.array.any() == is_kept
    assert (found.probability.array >= 0.5).any()


@pytest.mark.parametrize(("bright", "is_kept"), [(1.55, False), (1.75, True)])
def test_a_body_that_the_network_is_unsure_of_is_left_out_where_there_is_an_adc(bright, is_kept):
    head = Head(bright=bright)
    lowered = head.adc.with_array(np.where(head.infarct, np.float32(480.0), head.adc.array))
    found = predict_infarct(BrightInfarct(), head.dwi, lowered, head.brain, scan_from_atlas=UPRIGHT)
    assert found.mask.array.any() == is_kept
    assert head.found().mask.array.any()


@pytest.mark.parametrize("turned", [{"yaw_deg": 12.0}, {"roll_deg": -9.0, "pitch_deg": 15.0}])
def test_the_network_sees_a_tilted_head_upright(turned):
    upright, tilted = BrightInfarct(), BrightInfarct()
    plain = Head("fine").found(upright)
    to_head = pose_matrix(**turned, shift_mm=(4.0, -3.0, 2.0))
    found = Head("fine", to_head=to_head).found(tilted, pose=np.linalg.inv(to_head))
    difference = (tilted.seen[0] - upright.seen[0])[0, 0].numpy()
    # Borders of tissue are interpolated in other places; a tilt of 10 degrees alone would make this 0.15.
    assert np.abs(difference).mean() < 0.03 * float(upright.seen[0].max())
    assert found.mask.array.sum() == pytest.approx(plain.mask.array.sum(), rel=0.02)


def test_the_pose_is_registered_where_it_is_not_given(monkeypatch):
    head, network = Head(), BrightInfarct()
    tilt = np.linalg.inv(pose_matrix(yaw_deg=20.0))
    monkeypatch.setattr(infarct, "register_pose", lambda *_: tilt)
    predict_infarct(network, head.dwi, None, head.brain)
    given = BrightInfarct()
    head.found(given, pose=tilt)
    np.testing.assert_array_equal(network.seen[0], given.seen[0])


@pytest.mark.parametrize("unit", [0.01, 40.0])
def test_the_unit_of_the_signal_does_not_matter(unit):
    head = Head()
    plain = head.found().mask.array
    head.dwi = head.dwi.with_array(head.dwi.array * np.float32(unit))
    np.testing.assert_array_equal(head.found().mask.array, plain)


def test_a_mirrored_scan_has_the_mirrored_infarct():
    head = Head()
    plain = head.found()
    head.dwi, head.brain = mirrored(head.dwi), head.brain[..., ::-1]
    other = head.found()
    np.testing.assert_allclose(
        other.probability.array[..., ::-1], plain.probability.array, atol=1e-3
    )


def test_mirroring_makes_a_network_that_prefers_a_side_fair():
    both = (CENTRE_MM, RADIUS_MM), ((-25.0, 5.0, 12.0), RADIUS_MM)
    head, one_sided = Head("coarse", both), BrightInfarct(right_only=True)
    assert not head.found(one_sided).mask.array[head.balls[1]].any()
    found = head.found(one_sided, mirroring=True)
    assert len(one_sided.seen) == 3
    head.dwi, head.brain = mirrored(head.dwi), head.brain[..., ::-1]
    other = head.found(one_sided, mirroring=True)
    np.testing.assert_allclose(
        other.probability.array[..., ::-1], found.probability.array, atol=1e-3
    )


def test_a_healthy_brain_has_no_infarct():
    head = Head(balls=((CENTRE_MM, 1e-3),))
    assert not head.found().mask.array.any()


def test_the_scan_is_left_as_it_is():
    head = Head()
    before = head.dwi.array.copy()
    head.found(mirroring=True)
    np.testing.assert_array_equal(head.dwi.array, before)


@pytest.mark.parametrize("signal", [1.0, 0.0])
def test_without_brain_or_signal_it_is_refused(signal):
    head = Head()
    head.dwi = head.dwi.with_array(head.dwi.array * np.float32(signal))
    brain = head.brain & (signal == 0.0)
    with pytest.raises(ContentRefusedError, match="a brain with signal") as refused:
        head.found(brain=brain)
    assert refused.value.code is ErrorCode.NO_SIGNAL
