"""How the cases of an atlas agree on its regions: the majority says which, and their mean volume how far each goes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, swap_sides
from ASPECTSLib.geometry import Volume, bounding_box, crop
from ASPECTSLib.registration.mapping import Mapping, warp

_FARTHEST_MM = 15.0  # the way to the mean shape is one of 1 or 2 mm
_ROUNDS = 25  # the volumes are then within 1 % of what they should be
_RATE = 0.5  # of a round: the square root of how much too small or large a region is
# No region gains a place where two in three have nothing, nor loses one that all have.
_WEIGHT_LIMITS = (0.5, 2.0)


def count_votes(maps: Iterable[NDArray[np.uint8]], grid: Volume) -> NDArray[np.uint16]:
    """Count the cases and mirror images that have each label at each place, shape (21, k, j, i).

    Parameters
    ----------
    maps
        Labels 0 to 20 of each case on the grid of the regions.
    grid
        Of the regions, symmetric about x = 0.
    """
    votes = np.zeros((len(REGIONS) + 1, grid.array.size), np.uint16)
    places = np.arange(grid.array.size)
    for labels in maps:
        for one in (labels, swap_sides(labels[..., ::-1])):
            votes[one.ravel(), places] += 1
    return votes.reshape(-1, *grid.array.shape)


def moved_votes(votes: NDArray[np.uint16], mapping: Mapping, grid: Volume) -> NDArray[np.float32]:
    """Carry votes through a mapping, by 15 mm at most; what comes from beyond the grid is a vote for nothing."""
    cast = float(votes[:, 0, 0, 0].sum())
    moved = np.zeros(votes.shape, np.float32)
    margin = tuple(int(np.ceil(_FARTHEST_MM / s)) for s in grid.spacing_mm[::-1])
    for label in np.flatnonzero(votes[1:].any(axis=(1, 2, 3))) + 1:
        box = bounding_box(votes[label] > 0, margin)
        part = crop(grid.with_array(votes[label].astype(np.float32)), box)
        moved[label][box] = warp(part, mapping, part).array
    moved[0] = np.clip(cast - moved[1:].sum(axis=0), 0, None)
    return moved


def decide(votes: NDArray[np.number], grid: Volume) -> Volume:
    """Return the label that wins at each place; of equals, the background or the lower.

    The votes for regions decide between regions. Against the background a region's votes are weighted, so that it
    becomes as large as it is in the mean case: by the bare majority, thin regions lose up to a fifth, as cases that lie
    beside each other leave it nowhere.

    Parameters
    ----------
    votes
        As `count_votes` or `moved_votes` give them.
    grid
        Of the regions, symmetric about x = 0.
    """
    cast = float(votes[:, 0, 0, 0].sum())
    for_winner, winner = votes[1:].max(axis=0), votes[1:].argmax(axis=0) + 1
    volumes = votes.reshape(len(votes), -1).sum(axis=1, dtype=np.float64) / cast
    somewhere = for_winner > 0
    names, ours, none = (array[somewhere] for array in (winner, for_winner, votes[0]))
    weights = np.ones(len(votes))
    for _ in range(_ROUNDS):
        there = np.bincount(names[ours * weights[names] > none], minlength=len(votes))
        change = (volumes / np.maximum(there, 1)) ** _RATE
        weights = np.clip(weights * change, *_WEIGHT_LIMITS)
    decided = np.zeros(grid.array.shape, np.uint8)
    decided[somewhere] = np.where(ours * weights[names] > none, names, 0)
    return grid.with_array(symmetric(decided, grid))


def symmetric(labels: NDArray[np.uint8], grid: Volume) -> NDArray[np.uint8]:
    """Return labels whose left half is the mirror image of the right one, to the last voxel."""
    x = grid.affine[0, 3] + grid.affine[0, 0] * np.arange(grid.size[0])
    return np.where(x < 0, swap_sides(labels[..., ::-1]), labels)
