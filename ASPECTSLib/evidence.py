"""What calls rest on: gathered once from a scan, and measured as often as regions or infarct change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.geometry import Box, Volume, bounding_box, crop, expand, paste, shrink
from ASPECTSLib.preprocessing.intensity import smooth_in_plane
from ASPECTSLib.scoring.aspects import RegionCall, call_region, with_infarct
from ASPECTSLib.scoring.asymmetry import (
    SMOOTHING_MM,
    RegionMeasure,
    compared_tissue,
    label_volumes_ml,
    measure_regions,
)
from ASPECTSLib.scoring.infarct_call import call_by_infarct
from ASPECTSLib.scoring.network_call import call_by_network
from ASPECTSLib.scoring.overlap import infarct_fractions
from ASPECTSLib.scoring.pooled_call import WeighedRegion, call_by_pool

SLICE_THICKNESS_MM = 4.0
"""Thinner slices are averaged to about this before densities are compared: thin slices are noisy, readers average
them too, and a scan of 300 slices would take ten times as long."""

COMPARED, LEFT_OUT = 1, 2
"""Values of the map of compared voxels; 0 lies outside the brain."""

_PER_CENT = 100.0
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

    def call_regions(
        self, labels: Volume, infarct: NDArray[np.bool_] | None = None
    ) -> tuple[RegionCall, ...]:
        """Measure and call all regions.

        Parameters
        ----------
        labels
            Region label map, on the scan's own slices in the image frame.
        infarct
            Infarct mask on the same grid, where there is one.

        Returns
        -------
        tuple of RegionCall
            In the order of the labels.
        """
        calls = tuple(map(call_region, self.measure(labels)))
        return _with_infarct(calls, labels, infarct)

    def leaving_out(self, places: NDArray[np.bool_]) -> DensityEvidence:
        """Return the evidence without some places, a bool mask on the grid of `smoothed`."""
        return replace(self, tissue=self.tissue & ~places)

    def mirrored(self, averaged: Volume) -> DensityEvidence:
        """Return what is gathered in the mirror image of the head.

        Parameters
        ----------
        averaged
            The grid that the evidence was gathered on.
        """
        slices, rows, columns = self.box
        last = averaged.size[0]
        box = (slices, rows, slice(last - columns.stop, last - columns.start))
        grid = crop(averaged, box)
        smoothed, tissue, mask = (
            np.ascontiguousarray(array[..., ::-1])
            for array in (self.smoothed.array, self.tissue, self.mask.array)
        )
        return DensityEvidence(
            grid.with_array(smoothed), tissue, grid.with_array(mask), box, self.averaged_slices
        )

    def measure(self, labels: Volume) -> tuple[RegionMeasure, ...]:
        """Measure all regions of a label map on the scan's own slices, in the order of the labels."""
        averaged_labels = middle_slices(labels.array, self.averaged_slices)[self.box]
        volumes_ml = label_volumes_ml(_occupied(labels))
        return measure_regions(self.smoothed, averaged_labels, self.tissue, volumes_ml)


@dataclass(frozen=True, eq=False)
class NetworkEvidence:
    """What the calls of a network that compares the sides rest on.

    Parameters
    ----------
    density
        Shown beside the probabilities.
    probabilities
        Of being affected, in the order of the labels; None where the network could not look. They stay as they are
        when a person moves a border: the network is not asked again.
    thresholds
        Affected from this probability on, in the order of the labels.
    source
        What gave the probabilities, in words.
    """

    density: DensityEvidence
    probabilities: tuple[float | None, ...]
    thresholds: tuple[float, ...]
    source: str = "network"

    def call_regions(
        self, labels: Volume, infarct: NDArray[np.bool_] | None = None
    ) -> tuple[RegionCall, ...]:
        """Call all regions; parameters and result as those of `DensityEvidence.call_regions`."""
        measures = self.density.measure(labels)
        calls = tuple(
            call_by_network(measure, probability, threshold, self.source)
            for measure, probability, threshold in zip(
                measures, self.probabilities, self.thresholds, strict=True
            )
        )
        return _with_infarct(calls, labels, infarct)


@dataclass(frozen=True, eq=False)
class CoverageEvidence:
    """What the calls on CT rest on where an infarct is segmented.

    Parameters
    ----------
    density
        Shown beside the infarcted shares.
    affected_fraction
        A region with more than this share infarcted is affected.
    """

    density: DensityEvidence
    affected_fraction: float

    def call_regions(
        self, labels: Volume, infarct: NDArray[np.bool_] | None = None
    ) -> tuple[RegionCall, ...]:
        """Call all regions by the infarct; parameters and result as those of `DensityEvidence.call_regions`."""
        return _by_infarct(self.density.measure(labels), labels, infarct, self.affected_fraction)


@dataclass(frozen=True, eq=False)
class PooledEvidence:
    """What the calls by several measures together rest on.

    Parameters
    ----------
    density
        Shown beside the probabilities.
    weighed
        What the program made of the regions, in the order of the labels. It stays as it is when a person moves a
        border: the networks are not asked again.
    affected_fraction
        Where a person has drawn infarct into a region or erased it, the region is affected above this share.
    """

    density: DensityEvidence
    weighed: tuple[WeighedRegion, ...]
    affected_fraction: float

    def call_regions(
        self, labels: Volume, infarct: NDArray[np.bool_] | None = None
    ) -> tuple[RegionCall, ...]:
        """Call all regions; parameters and result as those of `DensityEvidence.call_regions`."""
        fractions = infarct_fractions(labels.array, _or_none(labels, infarct))
        return tuple(
            call_by_pool(measure, weighed, fractions[measure.region], self.affected_fraction)
            for measure, weighed in zip(self.density.measure(labels), self.weighed, strict=True)
        )


@dataclass(frozen=True, eq=False)
class SignalEvidence:
    """What the calls by an infarct on diffusion-weighted MRI or perfusion maps are shown beside.

    Parameters
    ----------
    signal
        Of diffusion in per cent of the median of the brain, of blood flow in mL/100 g/min.
    brain
        bool mask on the same grid: of which the medians are taken.
    affected_fraction
        A region with more than this share infarcted is affected.
    """

    signal: Volume
    brain: NDArray[np.bool_]
    affected_fraction: float

    def call_regions(
        self, labels: Volume, infarct: NDArray[np.bool_] | None = None
    ) -> tuple[RegionCall, ...]:
        """Call all regions by the infarct; parameters and result as those of `DensityEvidence.call_regions`."""
        volumes_ml = label_volumes_ml(_occupied(labels))
        measures = measure_regions(self.signal, labels.array, self.brain, volumes_ml)
        return _by_infarct(measures, labels, infarct, self.affected_fraction)


Evidence = DensityEvidence | NetworkEvidence | CoverageEvidence | PooledEvidence | SignalEvidence
"""Whatever calls rest on: all have `call_regions`."""


def averaged_slices(volume: Volume) -> int:
    """Return how many slices of a scan are averaged into one."""
    return max(round(SLICE_THICKNESS_MM / volume.spacing_mm[2]), 1)


def average_slices(volume: Volume) -> Volume:
    """Average the slices of a scan in the image frame to about `SLICE_THICKNESS_MM`."""
    return shrink(volume, (1, 1, averaged_slices(volume)))


def gather_evidence(
    averaged: Volume, mask: Volume, count: int, compared: NDArray[np.bool_] | None = None
) -> DensityEvidence:
    """Smooth the brain and select the tissue to compare.

    Parameters
    ----------
    averaged
        CT in HU, from `average_slices`.
    mask
        Brain mask on the same grid, not empty.
    count
        How many slices of the scan were averaged into one.
    compared
        Mask of the voxels to compare, on the same grid, where they were selected before; else they are selected here.
    """
    box = bounding_box(mask.array)
    scan_part, mask_part = crop(averaged, box), crop(mask, box)
    clipped = scan_part.with_array(np.clip(scan_part.array, *_CLIP_HU))
    smoothed = smooth_in_plane(clipped, mask_part, SMOOTHING_MM)
    tissue = compared_tissue(smoothed, mask_part.array) if compared is None else compared[box]
    return DensityEvidence(smoothed, tissue, mask_part, box, count)


def gather_signal(
    scan: Volume, brain: NDArray[np.bool_], affected_fraction: float
) -> SignalEvidence:
    """Express a scan as per cent of the brain's median.

    Parameters
    ----------
    scan
        Diffusion-weighted scan in the image frame, any unit.
    brain
        Mask on its grid, not empty.
    affected_fraction
        A region with more than this share infarcted is affected.
    """
    median = float(np.median(scan.array[brain]))
    relative = scan.array.astype(np.float32) * np.float32(_PER_CENT / max(median, 1e-6))
    return SignalEvidence(scan.with_array(relative), brain, affected_fraction)


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


def _with_infarct(
    calls: tuple[RegionCall, ...], labels: Volume, infarct: NDArray[np.bool_] | None
) -> tuple[RegionCall, ...]:
    if infarct is None:
        return calls
    fractions = infarct_fractions(labels.array, infarct)
    return tuple(with_infarct(call, fractions[call.region]) for call in calls)


def _by_infarct(
    measures: Iterable[RegionMeasure],
    labels: Volume,
    infarct: NDArray[np.bool_] | None,
    affected_fraction: float,
) -> tuple[RegionCall, ...]:
    fractions = infarct_fractions(labels.array, _or_none(labels, infarct))
    return tuple(
        call_by_infarct(measure, fractions[measure.region], affected_fraction)
        for measure in measures
    )


def _or_none(labels: Volume, infarct: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return an infarct, or an empty mask where there is none."""
    return np.zeros(labels.array.shape, bool) if infarct is None else infarct


def _occupied(labels: Volume) -> Volume:
    """Cut a label map to its labels, if it has any."""
    return crop(labels, bounding_box(labels.array > 0)) if labels.array.any() else labels


def middle_slices(array: NDArray[Any], count: int) -> NDArray[Any]:
    """Return the middle slice of every block of slices that were averaged."""
    blocks = array.shape[0] // count
    return array[count // 2 :: count][:blocks]
