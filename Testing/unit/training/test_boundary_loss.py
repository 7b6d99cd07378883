"""The boundary loss: distances that are known, and what wrong pixels cost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from ASPECTSLib.training.boundary_loss import REACH_PIXELS, boundary, distances_from_border
from ASPECTSLib.training.losses import IGNORED, build_loss, focal, focal_boundary_dice, soft_dice

BLOCK = 2  # pixels that distances are measured in


def half_plane(columns=32, first=16):
    """A class that fills the columns from one on; shape (1, 1, 1, 8, columns)."""
    truth = torch.zeros((1, 1, 1, 8, columns), dtype=torch.bool)
    truth[..., first:] = True
    return truth


def wrong_in(truth, column):
    """Errors in one column of blocks."""
    error = torch.zeros(truth.shape)
    error[..., column : column + BLOCK] = 1.0
    return error


def test_distances_from_a_straight_border_are_counted_from_between_the_pixels():
    mask = half_plane(12, 5)[0, 0, 0]
    expected = [4.0, 3.5, 2.5, 1.5, 0.5, 0.5, 1.5, 2.5, 3.5, 4.0, 4.0, 4.0]
    got = distances_from_border(mask, 4)
    torch.testing.assert_close(got, torch.tensor(expected).expand(8, -1))


def test_distances_are_those_of_an_exact_transform():
    mask = torch.rand((30, 40), generator=torch.Generator().manual_seed(0)) > 0.97
    mask[5:20, 10:30] = True
    to_inside, to_outside = (ndimage.distance_transform_edt(m.numpy()) for m in (~mask, mask))
    expected = np.minimum(np.where(mask, to_outside, to_inside) - 0.5, 9)
    np.testing.assert_allclose(distances_from_border(mask, 9), expected, atol=1e-5)


@pytest.mark.parametrize("value", [True, False])
def test_without_a_border_everything_is_far_from_it(value):
    mask = torch.full((2, 16, 16), value)
    assert (distances_from_border(mask, 5) == 5.0).all()


def test_masks_of_a_batch_do_not_see_each_other():
    masks = torch.zeros((2, 3, 8, 8), dtype=torch.bool)
    masks[1, 2, 4, 4] = True
    assert (distances_from_border(masks, 3)[0] == 3.0).all()
    assert (distances_from_border(masks, 3)[1, :2] == 3.0).all()


@pytest.mark.parametrize(
    ("column", "blocks"), [(14, 0.5), (16, 0.5), (12, 1.5), (20, 2.5), (0, 7.5)]
)
def test_a_wrong_column_costs_its_distance_from_the_border(column, blocks):
    truth = half_plane()
    share = BLOCK / truth.shape[-1]
    expected = share * blocks * BLOCK / REACH_PIXELS
    assert boundary(wrong_in(truth, column), truth).item() == pytest.approx(expected, rel=1e-5)


def test_a_perfect_answer_costs_nothing_and_far_errors_cost_more_than_near_ones():
    truth = half_plane()
    assert boundary(torch.zeros(truth.shape), truth).item() == 0.0
    costs = [boundary(wrong_in(truth, column), truth).item() for column in (14, 10, 6, 2)]
    assert costs == sorted(costs)
    assert 0.0 < costs[0] < 0.3 * costs[-1]


def test_a_class_that_is_absent_costs_as_much_as_is_found_of_it():
    truth = half_plane(first=32)
    assert boundary(torch.full(truth.shape, 0.25), truth).item() == pytest.approx(0.25)


def test_sides_of_odd_length_are_taken():
    truth = torch.zeros((1, 1, 2, 7, 9), dtype=torch.bool)
    assert boundary(torch.ones(truth.shape), truth).item() == pytest.approx(1.0)


def slices(seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn((1, 3, 2, 32, 32), generator=generator)
    labels = torch.zeros((1, 2, 32, 32), dtype=torch.uint8)
    labels[:, 0, 4:12, 4:12], labels[:, 1, 16:28, 8:20] = 1, 2
    return logits, labels


def test_the_three_losses_are_added_with_their_weights():
    logits, labels = slices()
    terms = {"focal_weight": 0.0, "boundary_weight": 0.0, "dice_weight": 0.0}

    def with_weights(**weights):
        return focal_boundary_dice(logits, labels, **{**terms, **weights}).item()

    boundary_alone = with_weights(boundary_weight=1.0)
    assert with_weights(focal_weight=1.0) == pytest.approx(focal(logits, labels).item())
    assert with_weights(dice_weight=1.0) == pytest.approx(soft_dice(logits, labels).item())
    assert 0.2 < boundary_alone < 0.5
    expected = 3 * focal(logits, labels) + soft_dice(logits, labels) + boundary_alone
    assert build_loss("focal_boundary_dice", {})(logits, labels).item() == pytest.approx(
        expected.item()
    )


def test_the_focal_part_can_weigh_the_classes():
    logits, labels = slices()
    rare = {"class_weights": [1.0, 6.0, 6.0]}
    alone = {"boundary_weight": 0.0, "dice_weight": 0.0, "focal_weight": 1.0}
    weighted = focal_boundary_dice(logits, labels, **alone, **rare).item()
    assert weighted == pytest.approx(focal(logits, labels, **rare).item())
    assert weighted != pytest.approx(focal(logits, labels).item())


def test_what_is_unknown_costs_nothing_by_its_distance():
    logits, labels = slices()
    labels[:, 0] = IGNORED
    logits.requires_grad_()
    weights = {"focal_weight": 0.0, "dice_weight": 0.0}
    focal_boundary_dice(logits, labels, **weights).backward()
    assert not logits.grad[:, :, 0].any()
    assert logits.grad[:, :, 1].any()


def test_descent_finds_the_borders():
    logits, labels = slices()
    found = torch.nn.Parameter(logits.clone())
    optimizer = torch.optim.Adam([found], lr=0.3)
    for _ in range(40):
        optimizer.zero_grad()
        focal_boundary_dice(found, labels).backward()
        optimizer.step()
    assert (found.argmax(dim=1) == labels).float().mean() > 0.99
