"""The twenty regions by networks and registration: the pose of the head, the regions in it, and their borders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from ASPECTSLib.atlas.regions import REGIONS, swap_sides
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, bounding_box, crop, paste
from ASPECTSLib.inference.inputs import (
    RegionPrior,
    coarse_channels,
    fine_channels,
    fit_affine,
    head_grid,
    intensities,
    label_centres,
    on_grid,
    region_grid,
    registered_prior,
)
from ASPECTSLib.inference.pose import RegisteredAtlas
from ASPECTSLib.inference.run import logits
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.preprocessing.components import strays

_MIN_REGIONS = 12  # of twenty: fewer do not fix the pose
_MIN_SHARE = 0.25  # of a region's volume in the atlas, for its centre to count
_OTHER_SIDE = swap_sides(np.arange(len(REGIONS) + 1, dtype=np.uint8))


@dataclass(frozen=True, eq=False)
class RegionNetworks:
    """The cascade.

    Parameters
    ----------
    fine
        Network of the task `regions-fine`.
    coarse
        Network of the task `regions-coarse`; without one the first pose comes from the registration.
    """

    fine: nn.Module
    coarse: nn.Module | None = None


@dataclass(frozen=True, eq=False)
class PredictedRegions:
    """Regions of a scan.

    Parameters
    ----------
    labels
        uint8 label map on the scan's grid, 0 to 20.
    scan_from_atlas
        4x4 affine matrix from MNI152 to the scan, RAS mm, that the borders were found in.
    certainty
        Mean over the regions' voxels of the winning probability, 0 to 1.
    unaided, deformed
        uint8 label maps on the fine network's grid, 0 to 20: the regions without help of the deformed atlas, and those
        of that atlas, to compare the two.
    """

    labels: Volume
    scan_from_atlas: NDArray[np.float64]
    certainty: float
    unaided: NDArray[np.uint8]
    deformed: NDArray[np.uint8]


def predict_regions(
    networks: RegionNetworks,
    volume: Volume,
    modality: Modality,
    prior: RegionPrior,
    mask: Volume,
    registered: RegisteredAtlas,
) -> PredictedRegions:
    """Find the twenty regions.

    The fine network is asked in the pose of the head: with the atlas in that pose as its prior, and with the deformed
    atlas. The latter answer's regions have a better pose, in which it is asked again, for the mirror image, too.

    Parameters
    ----------
    networks
        Coarse and fine.
    volume
        Scan in the image frame; HU for CT.
    modality
        Of the scan.
    prior
        Of the atlas, whose pose the fine network knows.
    mask
        bool brain mask in the scan's frame: regions end at it, and its grid is that of the result.
    registered
        The atlas, deformed to the scan; its pose is used where there is no coarse network.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if the mask is empty, or too few regions are seen to find the pose.
    """
    if not mask.array.any():
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "expected a brain mask, got an empty one")
    image = intensities(volume, modality)
    scan_from_atlas = registered.scan_from_atlas
    if networks.coarse is not None:
        scan_from_atlas = find_pose(networks.coarse, image, volume, modality, prior)
    first = region_grid(scan_from_atlas)
    seen, shares = on_grid(image, first), registered.shares_on(first)
    unaided = _largest_only(_ask(networks.fine, seen, prior.log_probability))
    aided = _largest_only(_ask(networks.fine, seen, registered_prior(shares, prior)))
    scan_from_atlas = _pose_of(first.with_array(_likeliest(aided)), prior)
    posed = region_grid(scan_from_atlas)
    beforehand = registered_prior(registered.shares_on(posed), prior)
    answer = _ask_from_both_sides(networks.fine, on_grid(image, posed), beforehand)
    labels, certainty = labels_on_scan(_largest_only(answer), posed, mask)
    return PredictedRegions(
        labels, scan_from_atlas, certainty, _likeliest(unaided), _likeliest(shares)
    )


def _ask(
    fine: nn.Module, image: NDArray[np.float32], beforehand: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the logits of the regions on the fine network's grid, from the logarithms of the prior."""
    return logits(fine, fine_channels(image, beforehand))


def _ask_from_both_sides(
    fine: nn.Module, image: NDArray[np.float32], beforehand: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the mean of the answers for an image and for its mirror image."""
    direct = _ask(fine, image, beforehand)
    mirrored = _ask(fine, image[..., ::-1], beforehand[_OTHER_SIDE][..., ::-1])
    return (direct + mirrored[_OTHER_SIDE][..., ::-1]) / 2


def find_pose(
    coarse: nn.Module, image: Volume, volume: Volume, modality: Modality, prior: RegionPrior
) -> NDArray[np.float64]:
    """Return the affine matrix from atlas to scan that brings the regions' centres together.

    Parameters
    ----------
    coarse
        Network of the task `regions-coarse`.
    image
        The scan's intensities.
    volume, modality, prior
        As in `predict_regions`.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if too few regions are seen.
    """
    grid = head_grid(volume, modality)
    labels = logits(coarse, coarse_channels(on_grid(image, grid), prior)).argmax(axis=0)
    kept = _largest_bodies(np.where(labels <= len(REGIONS), labels, 0).astype(np.uint8))
    return _pose_of(grid.with_array(kept), prior)


def _likeliest(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    return probabilities.argmax(axis=0).astype(np.uint8)


def _pose_of(labels: Volume, prior: RegionPrior) -> NDArray[np.float64]:
    """Return the affine matrix from atlas to scan that brings the regions' centres together."""
    found_mm, found_ml = label_centres(labels, len(REGIONS))
    seen = found_ml > _MIN_SHARE * prior.volumes_ml
    if seen.sum() < _MIN_REGIONS:
        message = f"expected the twenty regions in the scan, found {seen.sum()} of them"
        raise ContentRefusedError(ErrorCode.NO_BRAIN, message)
    return fit_affine(prior.centres_mm[seen], found_mm[seen], found_ml[seen])


def _largest_bodies(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    kept = labels.copy()
    for _, box, stray in strays(labels):
        kept[box][stray] = 0
    return kept


def _largest_only(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities in which what lies apart from a region's largest body is gone."""
    shifted = np.exp(scores - scores.max(axis=0))
    probabilities = shifted / shifted.sum(axis=0)
    for label, box, stray in strays(_likeliest(probabilities)):
        probabilities[label][box][stray] = 0.0
    return probabilities


def labels_on_scan(
    probabilities: NDArray[np.float32], grid: Volume, mask: Volume
) -> tuple[Volume, float]:
    """Interpolate probabilities at the scan's voxels, slice by slice, and take the likeliest label.

    Parameters
    ----------
    probabilities
        float32, shape (labels, k, j, i): of each label, background first.
    grid
        Their grid, in the scan's frame.
    mask
        bool, on the scan's grid: labels end at it.

    Returns
    -------
    tuple of Volume and float
        uint8 label map on the scan's grid, and the mean over its labelled voxels of the winning probability, 0 to 1.
    """
    box = bounding_box(mask.array)
    part = crop(mask, box)
    labels = np.zeros(part.array.shape, np.uint8)
    winning: list[NDArray[np.float32]] = []
    voxel_map = np.linalg.inv(grid.affine) @ part.affine
    tensor = torch.from_numpy(probabilities)[None]
    near = _near_labels(probabilities)
    for k in range(part.array.shape[0]):
        j, i = np.nonzero(part.array[k])
        voxels = apply_affine(voxel_map, np.stack((i, j, np.full_like(i, k)), axis=-1))
        label, best = _likeliest_at(tensor, near, voxels)
        labels[k, j, i] = label
        winning.append(best[label > 0])
    certainty = float(np.concatenate(winning).mean()) if any(map(len, winning)) else 0.0
    return paste(labels, box, mask), certainty


def _near_labels(probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where a label can win in a voxel or between it and a neighbour: not where only background is likely."""
    return ndimage.maximum_filter(probabilities[1:].sum(axis=0) > probabilities[0], size=3)


def _likeliest_at(
    probabilities: Tensor, near: NDArray[np.bool_], voxels: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the likeliest label and its probability at places, shape (points, 3); 0 outside the grid and not near."""
    size = np.array(probabilities.shape[:1:-1])
    asked = ((voxels >= -0.5) & (voxels <= size - 0.5)).all(axis=-1)
    i, j, k = np.clip(np.rint(voxels[asked]).astype(np.intp), 0, size - 1).T
    asked[asked] = near[k, j, i]
    labels, certainties = np.zeros(len(voxels), np.uint8), np.zeros(len(voxels), np.float32)
    if asked.any():
        scaled = (voxels[asked] / (size - 1) * 2 - 1).astype(np.float32)
        sampled = functional.grid_sample(
            probabilities,
            torch.from_numpy(scaled)[None, None, None],
            mode="bilinear",
            padding_mode="border",
            align_corners=True,
        )[0, :, 0, 0]
        best, label = sampled.max(dim=0)
        labels[asked], certainties[asked] = label.numpy(), best.numpy()
    return labels, certainties
