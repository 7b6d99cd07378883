"""Loss by how far from the true border a pixel is wrong."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

REACH_PIXELS = 20
"""Distances are told apart up to here; what is farther away is no more wrong. 18 mm in slices of 224 x 224."""

_BLOCK = 2  # pixels of the grid that distances are measured on: a quarter of the work, and a border is not sharper
_TO_EDGE = 0.5  # of a pixel, from the centre of its neighbour on the other side


def boundary(error: Tensor, truth: Tensor) -> Tensor:
    """Return the boundary loss of slices (Kervadec 2021, doi:10.1016/j.media.2020.101851).

    A pixel that is labelled wrongly costs its distance from the true border: far away is worse than near. That is the
    mean of signed distance times probability, as in the paper, and the mean over what is true, which the paper leaves
    out as it does not depend on the network: so a perfect answer has a loss of 0, and none is negative. Distances are
    cut off at `REACH_PIXELS`, which counts as 1. A class that a slice does not have is that far away everywhere; in the
    paper its pixels cost nothing.

    Parameters
    ----------
    error
        Absolute error of the probability of each class, 0 to 1, shape (B, C, D, H, W).
    truth
        Masks of the classes, bool, of the same shape.

    Returns
    -------
    torch.Tensor
        0 to 1, a scalar; the mean over pixels and classes.
    """
    shape = (-1, 1, *error.shape[3:])
    wrong = functional.avg_pool2d(error.reshape(shape), _BLOCK, ceil_mode=True)
    masks = functional.avg_pool2d(truth.reshape(shape).float(), _BLOCK, ceil_mode=True) >= 0.5
    reach = REACH_PIXELS // _BLOCK
    return (wrong * distances_from_border(masks, reach) / reach).mean()


def distances_from_border(masks: Tensor, reach: int) -> Tensor:
    """Return how far each pixel lies from the edge between a mask and what is around it, inside as outside.

    Parameters
    ----------
    masks
        bool, shape (..., H, W).
    reach
        In pixels; larger distances are given as this.

    Returns
    -------
    torch.Tensor
        float32 of the masks' shape, 0.5 to `reach`; exact (Felzenszwalb 2012, doi:10.4086/toc.2012.v008a019: squared
        distances are made along one axis and then along the other).
    """
    far = (reach + 1) ** 2
    both = torch.stack((masks, ~masks))  # from what is outside, and from what is inside
    squared = torch.where(both, 0, far).to(torch.int16)
    for axis in (-1, -2):
        squared = _nearest_along(squared, axis, reach)
    return (squared.amax(dim=0).float().sqrt() - _TO_EDGE).clamp(max=reach)


def _nearest_along(squared: Tensor, axis: int, reach: int) -> Tensor:
    """Return the least of squared distances plus squares of the steps along an axis."""
    nearest = squared.clone()
    for step in range(1, min(reach + 1, squared.shape[axis])):
        count = squared.shape[axis] - step
        shifted = squared + step * step
        for to, origin in ((0, step), (step, 0)):
            part = nearest.narrow(axis, to, count)
            torch.minimum(part, shifted.narrow(axis, origin, count), out=part)
    return nearest
