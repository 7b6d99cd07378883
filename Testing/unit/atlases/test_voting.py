from __future__ import annotations

import numpy as np
from head_phantoms import grid_points

from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.atlases.voting import count_votes, decide, moved_votes
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.registration.mapping import Mapping

SHAPE, SPACING_MM = (31, 41, 33), 2.0
GRID = Volume(np.zeros(SHAPE, np.float32), centred_affine(SHAPE, np.full(3, SPACING_MM)))
POINTS = grid_points(GRID.affine, SHAPE)
RIGHT, LEFT = slice(20, 26), slice(7, 13)


def boxed(label):
    """Return a map with a box of a label on the right, and of its like on the left."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[10:20, 10:20, RIGHT] = label
    labels[10:20, 10:20, LEFT] = label + 10
    return labels


def sheet(depth):
    """Return a map with a region of two voxels at some depth, and its like on the left."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[10:20, depth : depth + 2, RIGHT] = 4
    labels[10:20, depth : depth + 2, LEFT] = 14
    return labels


def winners(maps):
    return decide(count_votes(maps, GRID), GRID).array


def test_the_majority_wins_and_both_sides_vote_as_one():
    found = winners([boxed(2), boxed(2), boxed(5)])
    assert set(np.unique(found)) == {0, 2, 12}
    assert np.array_equal(found > 0, boxed(2) > 0)
    assert np.array_equal(swap_sides(found[..., ::-1]), found)


def test_of_as_many_votes_for_one_region_as_for_another_the_lower_wins():
    assert set(np.unique(winners([boxed(5), boxed(2)]))) == {0, 2, 12}


def test_a_thin_region_that_cases_have_beside_each_other_is_not_lost():
    maps = [sheet(depth) for depth in (13, 15, 15, 17)]
    votes = count_votes(maps, GRID)
    assert not (votes[4] > votes[0]).any()
    assert np.array_equal(winners(maps), sheet(15))


def test_what_all_cases_agree_on_is_as_it_is():
    assert np.array_equal(winners([boxed(7)] * 3), boxed(7))


def test_votes_move_with_the_mapping():
    shift = np.zeros((*SHAPE, 3))
    shift[..., 1] = 4.0
    votes = count_votes([boxed(2)], GRID)
    moved = decide(moved_votes(votes, Mapping(np.eye(4), shift, GRID), GRID), GRID).array
    before, after = (POINTS[labels == 2].mean(axis=0) for labels in (boxed(2), moved))
    np.testing.assert_allclose(after - before, (0.0, -4.0, 0.0), atol=0.1)


def test_mirrored_maps_give_the_mirrored_and_that_is_the_same_result():
    maps = [sheet(depth) for depth in (14, 15, 16)]
    maps[0][12:15, 20:30, RIGHT] = 9
    mirrored = [swap_sides(labels[..., ::-1]) for labels in maps]
    assert np.array_equal(winners(maps), winners(mirrored))
