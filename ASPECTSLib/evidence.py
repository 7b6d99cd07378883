"""Density evidence of a head CT: gathered once, and measured as often as the regions change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.geometry import Box, Volume, bounding_box, crop, expand, paste, shrink
from ASPECTSLib.preprocessing.intensity import smooth_in_plane
from ASPECTSLib.scoring.aspects import RegionCall, call_region, with_infarct
from ASPECTSLib.scoring.asymmetry import (
    SMOOTHING_MM,
    compared_tissue,
    label_volumes_ml,
    measure_regions,
)
from ASPECTSLib.scoring.overlap import infarct_fractions

SLICE_THICKNESS_MM = 4.0
"""Thinner slices are averaged to about this before densities are compared: thin slices are noisy, readers average
them too, and a scan of 300 slices would take ten times as long."""

COMPARED, LEFT_OUT = 1, 2
"""Values of the map of compared voxels; 0 lies outside the brain."""

_CLIP_HU = (-20.0, 120.0)  # before smoothing: bone at the rim and metal must not bleed in


@dataclass(frozen=True, eq=False)
class DensityEvidence:
    """What the comparison of sides rests on.

    Parameters
    ----------
    smoothed
        CT in HU, smoothed in-plane, on the averaged slices, cut to the brain.
    tissue
        Voxels of `smoothed` that are compared.
    mask
        Brain mask of `smoothed`.
    box
        Where `smoothed` lies in the averaged slices.
    averaged_slices
        How many slices of the scan make one of `smoothed`.
    """

    smoothed: Volume
    tissue: NDArray[np.bool_]
    mask: Volume
    box: Box
    averaged_slices: int


def averaged_slices(volume: Volume) -> int:
    """Return how many slices of a scan are averaged into one."""
    return max(round(SLICE_THICKNESS_MM / volume.spacing_mm[2]), 1)


def average_slices(volume: Volume) -> Volume:
    """Average the slices of a scan in the image frame to about `SLICE_THICKNESS_MM`."""
    return shrink(volume, (1, 1, averaged_slices(volume)))


def gather_evidence(averaged: Volume, mask: Volume, count: int) -> DensityEvidence:
    """Smooth the brain and select the tissue to compare.

    Parameters
    ----------
    averaged
        CT in HU, from `average_slices`.
    mask
        Brain mask on the same grid, not empty.
    count
        How many slices of the scan were averaged into one.
    """
    box = bounding_box(mask.array)
    scan_part, mask_part = crop(averaged, box), crop(mask, box)
    clipped = scan_part.with_array(np.clip(scan_part.array, *_CLIP_HU))
    smoothed = smooth_in_plane(clipped, mask_part, SMOOTHING_MM)
    tissue = compared_tissue(smoothed, mask_part.array)
    return DensityEvidence(smoothed, tissue, mask_part, box, count)


def call_regions(
    evidence: DensityEvidence, labels: Volume, infarct: NDArray[np.bool_] | None = None
) -> tuple[RegionCall, ...]:
    """Measure and call all regions.

    Parameters
    ----------
    evidence
        Of the scan.
    labels
        Region label map, on the scan's own slices in the image frame.
    infarct
        Infarct mask on the same grid, where there is one.

    Returns
    -------
    tuple of RegionCall
        In the order of the labels.
    """
    occupied = crop(labels, bounding_box(labels.array > 0)) if labels.array.any() else labels
    averaged_labels = middle_slices(labels.array, evidence.averaged_slices)[evidence.box]
    measures = measure_regions(
        evidence.smoothed, averaged_labels, evidence.tissue, label_volumes_ml(occupied)
    )
    calls = tuple(map(call_region, measures))
    if infarct is None:
        return calls
    fractions = infarct_fractions(labels.array, infarct)
    return tuple(with_infarct(call, fractions[call.region]) for call in calls)


def compared_map(evidence: DensityEvidence, averaged: Volume, like: Volume) -> Volume:
    """Return which voxels of the scan were compared and which left out, as uint8.

    Parameters
    ----------
    evidence
        Of the scan.
    averaged
        The grid that the evidence was gathered on.
    like
        The grid of the scan's own slices.
    """
    selection = np.where(evidence.tissue, COMPARED, LEFT_OUT) * evidence.mask.array
    whole = paste(selection.astype(np.uint8), evidence.box, averaged)
    return expand(whole.array, (1, 1, evidence.averaged_slices), like)


def middle_slices(array: NDArray[Any], count: int) -> NDArray[Any]:
    """Return the middle slice of every block of slices that were averaged."""
    blocks = array.shape[0] // count
    return array[count // 2 :: count][:blocks]
