"""What DA-Net learns from: weighted cross-entropy of both sides, and attention that is kept on the region."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ASPECTSLib.networks.danet import on_map, side_logits
from ASPECTSLib.training.options import require

REGION_FLAGS = (1, 2)
"""Bits of a label: the voxel lies in the region of the left side, or of the mirrored right side."""

AFFECTED_FLAGS = (4, 8)
"""Bits of a label, the same in all voxels: the left side is affected, or the right side."""


def asymmetry(
    logits: Tensor, labels: Tensor, *, affected_share: float = 0.5, attention_weight: float = 1.0
) -> Tensor:
    """Return the loss of DA-Net (Cao 2022, doi:10.1002/hbm.25845, section 2.5).

    The cross-entropy of each side is weighted by the share of the class that it is not of. The attention term is the
    mean squared error between the map's probability and the region. It is applied to each branch, so to each side, and
    an unaffected side has nothing that attention could be on: its map should be low everywhere, and that of an affected
    side high in the region and low outside. Regions are small parts of their patches; inside and outside count half
    each, as else a map that is low everywhere would be nearly right.

    Parameters
    ----------
    logits
        Class activation maps, shape (B, 2, d, h, w), of `ASPECTSLib.networks.danet.DANet`.
    labels
        Integers, shape (B, D, H, W) on the grid of the patches: sums of `REGION_FLAGS` and `AFFECTED_FLAGS`.
    affected_share
        Of the sides that are trained on. At a half, both classes weigh 1.
    attention_weight
        Of the attention term.

    Returns
    -------
    torch.Tensor
        A scalar.

    Raises
    ------
    UsageError
        RECIPE_INVALID if the share is not between 0 and 1, or the shapes do not fit.
    """
    require(
        0 < affected_share < 1, "loss.affected_share", "a share between 0 and 1", affected_share
    )
    regions, affected = _truth(logits, labels)
    # Of mean 1 over the sides, whatever the share: losses of different recipes compare.
    scale = 2.0 * affected_share * (1.0 - affected_share)
    weights = torch.where(affected > 0, 1.0 - affected_share, affected_share) / scale
    entropy = functional.binary_cross_entropy_with_logits(
        side_logits(logits, regions), affected, weights
    )
    return entropy + attention_weight * _attention(logits, regions, affected)


def called_rightly(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share of sides of a case that are called rightly, of the affected and of the unaffected ones.

    The mean of both over many cases is the balanced accuracy.

    Parameters
    ----------
    logits
        Shape (1, 2, d, h, w).
    labels
        Shape (1, D, H, W), as `asymmetry` takes them.

    Returns
    -------
    torch.Tensor
        float64, shape (3,), on the CPU: NaN for a background that there is not, then of affected and of unaffected
        sides; NaN where there is none of them.
    """
    regions, affected = _truth(logits.float(), labels)
    is_right = (side_logits(logits.float(), regions) >= 0) == (affected > 0)
    shares = [is_right[affected == kind].double().mean() for kind in (1, 0)]
    return torch.stack([torch.full_like(shares[0], torch.nan), *shares]).cpu()


def _truth(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the regions' masks, float (B, 2, D, H, W), and whether sides are affected, 0 or 1, float (B, 2)."""
    fits = logits.ndim == 5 and logits.shape[1] == 2 and labels.ndim == 4
    fits = fits and len(labels) == len(logits)
    got = f"{tuple(logits.shape)} and {tuple(labels.shape)}"
    require(fits, "loss", "maps (B, 2, d, h, w) and labels (B, D, H, W)", got)
    flags = labels.long()
    regions = torch.stack([(flags & flag) > 0 for flag in REGION_FLAGS], dim=1)
    first = flags[:, 0, 0, 0]
    affected = torch.stack([(first & flag) > 0 for flag in AFFECTED_FLAGS], dim=1)
    return regions.to(logits.dtype), affected.to(logits.dtype)


def _attention(maps: Tensor, regions: Tensor, affected: Tensor) -> Tensor:
    share = on_map(regions, maps)
    wanted = share * affected[:, :, None, None, None]
    error = (maps.sigmoid() - wanted).square()
    inside, outside = (
        (error * weight).sum(dim=(2, 3, 4)) / weight.sum(dim=(2, 3, 4)).clamp(min=1e-6)
        for weight in (share, 1.0 - share)
    )
    return 0.5 * (inside + outside).mean()
