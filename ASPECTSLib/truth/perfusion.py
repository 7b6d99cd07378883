"""The infarct core of a patient by a map of cerebral blood flow, on the grid of the patient's scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.geometry import (
    CanonicalVolume,
    Volume,
    bounding_box,
    canonicalize,
    crop,
    paste,
    resample,
)
from ASPECTSLib.inference.pose import levelled
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.preprocessing.components import largest_component
from ASPECTSLib.preprocessing.intensity import smooth_in_plane
from ASPECTSLib.preprocessing.midplane import Midplane, find_midplane
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.perfusion_core import CoreRule, PerfusionCore, find_core
from ASPECTSLib.truth.flow import FlowMap, check_flow, covered_by
from ASPECTSLib.truth.frames import (
    in_order,
    mask_on,
    sample,
    symmetric_grid,
    world_from_image,
    world_grid,
)
from ASPECTSLib.truth.mapped import MappedScan, check_brain_volume, map_stripped

SPACING_MM = 2.0
"""Grid on which sides are compared: perfusion CT resolves no more."""

TISSUE_HU = (15.0, 50.0)
"""Brain tissue on CT, averaged over some millimetres: fluid has 0 to 15 HU, infarcts of a day 20 and more; blood and
calcification lie above."""

SIDE_SHARE = 0.2
"""Of the core: where more lies on the smaller side, both sides are infarcted, and neither is normal."""

_CLIP_HU = (-20.0, 120.0)  # before smoothing: bone must not bleed in
_TISSUE_SIGMA_MM = 1.0
_CERTAIN = 0.5
_MARGIN = (
    1,
    4,
    4,
)  # voxels around the brain that are looked at: what is smoothed needs its surroundings
_FLOWING_SHARE = 0.1  # of the 99th percentile: the outline of the brain on a map
_BRAIN_SIGMA_MM = 3.0
_FILL_ROUNDS = 2  # the first midplane may lean to an infarct; the second one hardly moves


@dataclass(frozen=True, eq=False)
class CoreOfScan:
    """What a map says of a scan, on the scan's grid in the image frame.

    Parameters
    ----------
    core
        bool.
    covered
        bool: what the map covers.
    flow
        float32, the map itself, for a picture.
    low_on_both
        bool: tissue that is short of blood as the other side is, and so was not compared.
    is_bilateral
        Whether much of the core lies on either side.
    """

    core: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    flow: NDArray[np.float32]
    low_on_both: NDArray[np.bool_]
    is_bilateral: bool


@dataclass(frozen=True, eq=False)
class _Compared:
    """The comparison of the sides on the symmetric grid, whose affine is to the world."""

    grid: Volume
    found: PerfusionCore


def core_on_ct(mapped: MappedScan, flow: FlowMap, rule: CoreRule) -> CoreOfScan:
    """Find the core of the patient of a CT; the CT gives the midplane, the brain and its fluid.

    Parameters
    ----------
    mapped
        The CT; its file and that of the map lie in one frame.
    flow
        On any grid.
    rule
        What counts as core.

    Raises
    ------
    InputRefusedError
        GEOMETRY_INVALID if the map shows no flow where the brain lies, IMPLAUSIBLE_UNITS for another unit.
    """
    prepared = mapped.found.prepared
    box = bounding_box(prepared.mask.array, _MARGIN)
    head, mask = crop(prepared.volume, box), crop(prepared.mask, box)
    clipped = head.with_array(np.clip(head.array, *_CLIP_HU))
    smooth = smooth_in_plane(clipped, mask, _TISSUE_SIGMA_MM).array
    lowest, highest = TISSUE_HU
    tissue = head.with_array(mask.array & (smooth > lowest) & (smooth < highest))
    compared = _compare(mapped.canonical, prepared.midplane, tissue, mask, flow, rule)
    return _on_scan(mapped.canonical, mapped.brain, compared, flow)


def map_and_core_of_flow(
    flow: FlowMap, rule: CoreRule, atlas: Atlas, source: RegionSource, progress: Progress
) -> tuple[MappedScan, CoreOfScan]:
    """Find brain, regions and core on the map alone, where there is no CT.

    The midplane is that in which the map is most like its mirror image once its core is filled with the other side's
    flow; ventricles are known by their little flow on both sides.

    Parameters
    ----------
    flow
        At least 8 slices, as `ASPECTSLib.io.scan.check_scan` wants them.
    rule
        What counts as core.
    atlas, source, progress
        As in `map_stripped`.

    Raises
    ------
    InputRefusedError
        NO_BRAIN, IMPLAUSIBLE_UNITS, PARTIAL_COVERAGE or LOW_REGISTRATION_QUALITY.
    """
    canonical = canonicalize(flow.volume)
    progress.stage("brain mask", 0.10)
    brain = _brain_of_flow(canonical.volume)
    mask = canonical.volume.with_array(brain)
    check_brain_volume(mask)
    filled = canonical.volume
    for _ in range(_FILL_ROUNDS):
        midplane = find_midplane(levelled(filled, brain))
        compared = _compare(canonical, midplane, mask, mask, flow, rule)
        on_scan = _on_scan(canonical, brain, compared, flow)
        opposite = resample(canonical.volume, canonical.volume, midplane.reflection).array
        filled = filled.with_array(np.where(on_scan.core, opposite, canonical.volume.array))
    found = map_stripped(filled, brain, Modality.CBF, atlas, source, progress)
    mapped = MappedScan(Modality.CBF, canonical, found, brain, None, found.models, flow.notes)
    return mapped, on_scan


def _compare(
    canonical: CanonicalVolume,
    midplane: Midplane,
    tissue: Volume,
    mask: Volume,
    flow: FlowMap,
    rule: CoreRule,
) -> _Compared:
    """Bring map and tissue to the symmetric pose, and compare the sides there."""
    grid, image_from_grid = symmetric_grid(mask, midplane.pose, SPACING_MM)
    world = world_from_image(canonical) @ image_from_grid
    ordered = in_order(flow.volume)
    sampled = sample(ordered, grid, world)
    covered = resample(covered_by(ordered), grid, world, order=0).array
    brain = sample(mask, grid, image_from_grid) > _CERTAIN
    check_flow(sampled, brain & covered)
    solid = brain & covered & (sample(tissue, grid, image_from_grid) > _CERTAIN)
    found = find_core(grid.with_array(sampled), solid, rule)
    return _Compared(Volume(grid.array, world @ grid.affine), found)


def _on_scan(
    canonical: CanonicalVolume, brain: NDArray[np.bool_], compared: _Compared, flow: FlowMap
) -> CoreOfScan:
    """Carry what was found to the scan; nothing outside of the brain is asked for, which is a third of the scan."""
    box, ordered, found = bounding_box(brain, _MARGIN), in_order(flow.volume), compared.found
    like = canonical.volume
    part = crop(world_grid(canonical), box)
    core, low = (
        paste(mask_on(compared.grid.with_array(mask), part), box, like).array
        for mask in (found.core, found.low_on_both)
    )
    covered = resample(covered_by(ordered), part, order=0).array
    smaller, larger = sorted(int(half.sum()) for half in np.split(found.core, 2, axis=2))
    return CoreOfScan(
        core=core & brain,
        covered=paste(covered, box, like).array,
        flow=paste(resample(ordered, part).array, box, like).array,
        low_on_both=low,
        is_bilateral=smaller > SIDE_SHARE * (smaller + larger),
    )


def _brain_of_flow(flow: Volume) -> NDArray[np.bool_]:
    """Return the outline of the brain on a map; what has no flow inside of it is brain as well."""
    sigma = _BRAIN_SIGMA_MM / flow.spacing_mm[::-1]
    smooth = ndimage.gaussian_filter(flow.array.astype(np.float32), (0.0, *sigma[1:]))
    level = _FLOWING_SHARE * float(np.percentile(smooth[smooth > 0], 99))
    body = largest_component(smooth > level)
    return np.stack([ndimage.binary_fill_holes(part) for part in body])
