from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from head_phantoms import AIR_HU, head_scan, mirrored, pose_matrix

from ASPECTSLib.geometry import Volume, apply_affine, centred_affine
from ASPECTSLib.preprocessing.midplane import Midplane, find_midplane, head_mask

SPACING_MM = (4.0, 4.0, 5.0)
ANGLE_TOLERANCE_DEG = 1.0
OFFSET_TOLERANCE_MM = 1.0


def plane(yaw_deg=14.0, roll_deg=-6.0, offset_mm=7.5):
    normal = np.array([1.0, np.tan(np.radians(yaw_deg)), np.tan(np.radians(roll_deg))])
    return Midplane(normal / np.linalg.norm(normal), offset_mm, 0.9)


def angle_deg(first, second):
    return np.degrees(np.arccos(np.clip(first @ second, -1.0, 1.0)))


def scan(yaw_deg=0.0, roll_deg=0.0, shift_mm=(0.0, 0.0, 0.0), pitch_deg=0.0):
    to_head = pose_matrix(yaw_deg, roll_deg, shift_mm, pitch_deg)
    return head_scan(to_head, spacing_mm=SPACING_MM)


@pytest.mark.parametrize(
    "pose",
    [
        {"shift_mm": (6.0, -4.0, 3.0)},
        {"yaw_deg": 2.7, "roll_deg": -2.2, "shift_mm": (3.0, 2.0, 1.5)},
        {"yaw_deg": 0.2, "roll_deg": 2.2, "shift_mm": (-4.0, -1.0, -2.0)},
        {"yaw_deg": 20.0, "roll_deg": 1.0, "shift_mm": (6.0, 2.0, 0.0)},
        {"yaw_deg": -20.0, "roll_deg": -20.0, "shift_mm": (12.0, -5.0, -8.0)},
        {"yaw_deg": 20.0, "roll_deg": -20.0, "shift_mm": (-12.0, 5.0, 8.0)},
        {"yaw_deg": -11.0, "roll_deg": 8.0, "shift_mm": (-5.0, 0.0, 0.0), "pitch_deg": 20.0},
    ],
    ids=lambda pose: "_".join(f"{name}={value}" for name, value in pose.items()),
)
def test_the_plane_of_a_moved_head_is_found(pose):
    head = scan(**pose)
    found = find_midplane(head.ct)
    middle = np.array(pose["shift_mm"])
    assert angle_deg(found.normal, head.to_head[0, :3]) < ANGLE_TOLERANCE_DEG
    assert abs(found.normal @ middle - found.offset_mm) < OFFSET_TOLERANCE_MM
    assert found.similarity > 0.8


def test_a_mirrored_head_has_the_mirrored_plane():
    ct = scan(yaw_deg=7.0, roll_deg=-4.0, shift_mm=(5.0, -3.0, 2.0)).ct
    found, expected = find_midplane(mirrored(ct)), find_midplane(ct).mirrored()
    assert angle_deg(found.normal, expected.normal) < 0.2
    assert found.offset_mm == pytest.approx(expected.offset_mm, abs=0.1)


def test_the_search_gives_the_same_plane_every_time():
    ct = scan(yaw_deg=7.0).ct
    first, second = find_midplane(ct), find_midplane(ct)
    assert np.array_equal(first.normal, second.normal)
    assert first.offset_mm == second.offset_mm


def test_an_infarct_does_not_turn_the_plane():
    head = scan(yaw_deg=5.0, roll_deg=3.0)
    indices = np.argwhere(head.brain.array)
    points = apply_affine(head.to_head @ head.ct.affine, indices[:, ::-1].astype(float))
    infarct = indices[(points[:, 0] > 30.0) & (np.abs(points[:, 1]) < 40.0)]
    array = head.ct.array.copy()
    array[tuple(infarct.T)] -= 15.0
    found = find_midplane(head.ct.with_array(array))
    assert angle_deg(found.normal, head.to_head[0, :3]) < ANGLE_TOLERANCE_DEG


def test_scans_clipped_at_0_hu_have_the_same_plane():
    head = scan(yaw_deg=8.0, roll_deg=3.0, shift_mm=(4.0, 0.0, 0.0))
    found = find_midplane(head.ct.with_array(np.maximum(head.ct.array, 0.0)))
    assert angle_deg(found.normal, head.to_head[0, :3]) < ANGLE_TOLERANCE_DEG


def test_reflection_is_its_own_inverse_and_keeps_the_plane():
    midplane = plane()
    on_plane = midplane.offset_mm * midplane.normal
    assert midplane.reflection @ midplane.reflection == pytest.approx(np.eye(4))
    assert apply_affine(midplane.reflection, on_plane) == pytest.approx(on_plane)
    assert np.linalg.det(midplane.reflection) == pytest.approx(-1.0)


def test_reflection_carries_points_straight_through_the_plane():
    midplane = plane()
    point = np.array([30.0, -20.0, 10.0])
    image = apply_affine(midplane.reflection, point)
    assert np.cross(image - point, midplane.normal) == pytest.approx([0, 0, 0], abs=1e-12)
    assert (image + point) / 2 @ midplane.normal == pytest.approx(midplane.offset_mm)


@pytest.mark.parametrize(("yaw_deg", "roll_deg"), [(0, 0), (20, 0), (0, -20), (-17, 12)])
def test_pose_is_rigid_and_carries_the_plane_to_x_0(yaw_deg, roll_deg):
    midplane = plane(yaw_deg, roll_deg)
    pose = midplane.pose
    along = np.linalg.svd(midplane.normal[np.newaxis])[2][1:]
    points = midplane.offset_mm * midplane.normal + np.array([[0, 0], [40, 0], [0, -70]]) @ along
    assert apply_affine(pose, points)[:, 0] == pytest.approx([0, 0, 0], abs=1e-9)
    assert pose[:3, :3] @ pose[:3, :3].T == pytest.approx(np.eye(3))
    assert np.linalg.det(pose) == pytest.approx(1.0)


def test_pose_keeps_the_right_side_on_the_right():
    midplane = plane()
    right = (midplane.offset_mm + 10.0) * midplane.normal
    assert apply_affine(midplane.pose, right) == pytest.approx([10.0, 0.0, 0.0])


def test_pose_turns_reflection_into_left_right_exchange():
    midplane = plane()
    posed = midplane.pose @ midplane.reflection @ np.linalg.inv(midplane.pose)
    assert posed == pytest.approx(np.diag([-1.0, 1.0, 1.0, 1.0]), abs=1e-12)


def test_mirroring_a_plane_twice_gives_it_back():
    midplane = plane()
    once, twice = midplane.mirrored(), midplane.mirrored().mirrored()
    assert twice.normal == pytest.approx(midplane.normal)
    assert twice.offset_mm == midplane.offset_mm
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    assert once.reflection == pytest.approx(mirror @ midplane.reflection @ mirror)


def test_yaw_turns_the_face_to_the_left_and_roll_raises_the_right_side():
    assert plane(yaw_deg=14.0, roll_deg=0.0).yaw_deg == pytest.approx(14.0)
    assert plane(yaw_deg=0.0, roll_deg=-6.0).roll_deg == pytest.approx(-6.0)
    turned = Midplane(pose_matrix(yaw_deg=12.0)[0, :3], 0.0, 1.0)
    raised = Midplane(pose_matrix(roll_deg=9.0)[0, :3], 0.0, 1.0)
    assert (turned.yaw_deg, turned.roll_deg) == pytest.approx((12.0, 0.0))
    assert (raised.yaw_deg, raised.roll_deg) == pytest.approx((0.0, 9.0))
    assert replace(turned, normal=raised.normal).yaw_deg == pytest.approx(0.0)


def test_head_mask_leaves_out_the_head_holder():
    head = scan()
    array = head.ct.array.copy()
    array[5:, :2, 10:-10] = 200.0
    mask = head_mask(head.ct.with_array(array))
    assert not mask[5:, :2].any()
    assert mask[head.brain.array].all()


def test_a_scan_of_air_has_no_head_and_still_an_answer():
    shape = (12, 20, 20)
    air = Volume(np.full(shape, AIR_HU), centred_affine(shape, np.array([4.0, 4.0, 5.0])))
    found = find_midplane(air)
    assert found.similarity == 0.0
    assert np.isfinite(found.normal).all()
