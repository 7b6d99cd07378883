"""The infarct core of a patient on the grid of a map of cerebral blood flow, with a head CT beside it or without."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.geometry import (
    CanonicalVolume,
    Volume,
    apply_affine,
    bounding_box,
    canonicalize,
    crop,
    paste,
    resample,
)
from ASPECTSLib.inference.pose import levelled
from ASPECTSLib.io.flow import check_flow, covered_by
from ASPECTSLib.prepared import PreparedHead
from ASPECTSLib.preprocessing.components import largest_component
from ASPECTSLib.preprocessing.frames import sample, world_from_image
from ASPECTSLib.preprocessing.handedness import is_heavier_on_the_left, mirror
from ASPECTSLib.preprocessing.intensity import smooth_in_plane
from ASPECTSLib.preprocessing.midplane import find_midplane
from ASPECTSLib.scoring.perfusion_core import CoreRule, find_core
from ASPECTSLib.systems.brain_volume import check_brain_volume

TISSUE_HU = (15.0, 50.0)
"""Brain tissue on CT, averaged over some millimetres: fluid has 0 to 15 HU, infarcts of a day 20 and more; blood and
calcification lie above."""

SIDE_SHARE = 0.2
"""Of the core: where more lies on the smaller side, both sides are infarcted, and neither is normal."""

_MIRROR = np.diag(
    [-1.0, 1.0, 1.0, 1.0]
)  # of the image frame, whose origin is the middle of the grid
_CLIP_HU = (-20.0, 120.0)  # before smoothing: bone must not bleed in
_TISSUE_SIGMA_MM = 1.0
_CERTAIN = 0.5
_MARGIN = (1, 4, 4)  # voxels around the brain: what is smoothed needs its surroundings
_FLOWING_SHARE = 0.1  # of the 99th percentile: the outline of the brain on a map
_BRAIN_SIGMA_MM = 3.0
_FILL_ROUNDS = 2  # the first midplane may lean to an infarct; the second one hardly moves


@dataclass(frozen=True, eq=False)
class FlowCore:
    """What a map says of a patient, on its own grid in the image frame.

    Parameters
    ----------
    canonical
        The map, and the way back to the order of its file.
    brain
        bool: what is inside the skull.
    tissue
        bool: brain tissue that the map covers; no ventricles, no sulci.
    core
        bool.
    covered
        bool: what the map covers.
    relative
        float32: flow as a share of the other side's, 0 where it was not compared.
    compared
        bool: tissue whose other side has enough flow.
    low_on_both
        bool: tissue that is short of blood as the other side is, and so was not compared.
    reflection
        4x4 matrix from a point of the image frame to that opposite to it, mm.
    is_bilateral
        Whether much of the core lies on either side.
    """

    canonical: CanonicalVolume
    brain: NDArray[np.bool_]
    tissue: NDArray[np.bool_]
    core: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    relative: NDArray[np.float32]
    compared: NDArray[np.bool_]
    low_on_both: NDArray[np.bool_]
    reflection: NDArray[np.float64]
    is_bilateral: bool

    @property
    def grid(self) -> Volume:
        """The map in the image frame."""
        return self.canonical.volume

    def mirrored(self) -> FlowCore:
        """Return what is found in the mirror image of the map."""
        masks = {
            field.name: np.ascontiguousarray(getattr(self, field.name)[..., ::-1])
            for field in fields(self)
            if field.name not in {"canonical", "reflection", "is_bilateral"}
        }
        canonical = replace(self.canonical, volume=mirror(self.grid))
        return replace(
            self, canonical=canonical, reflection=_MIRROR @ self.reflection @ _MIRROR, **masks
        )


def core_beside_ct(
    flow: Volume, ct: CanonicalVolume, prepared: PreparedHead, rule: CoreRule
) -> FlowCore:
    """Find the core of the patient of a head CT, which gives the midplane, the brain and its fluid.

    Parameters
    ----------
    flow
        At least 0, as its file has it; lies in one frame with the CT.
    ct
        Head CT.
    prepared
        The same with its brain.
    rule
        What counts as core.

    Raises
    ------
    InputRefusedError
        GEOMETRY_INVALID if the map shows no flow where the brain lies, IMPLAUSIBLE_UNITS for another unit.
    """
    canonical = canonicalize(flow)
    ct_from_flow = np.linalg.inv(world_from_image(ct)) @ world_from_image(canonical)
    box = bounding_box(prepared.mask.array, _MARGIN)
    head, mask = crop(prepared.volume, box), crop(prepared.mask, box)
    brain, tissue = (
        sample(volume, canonical.volume, ct_from_flow) > _CERTAIN
        for volume in (mask, _tissue_of_ct(head, mask))
    )
    reflection = np.linalg.inv(ct_from_flow) @ prepared.midplane.reflection @ ct_from_flow
    return _compare(canonical, brain, tissue, reflection, rule)


def core_of_map(flow: Volume, rule: CoreRule) -> tuple[FlowCore, Volume]:
    """Find brain and core on a map alone.

    The midplane is that in which the map is most like its mirror image once its core is filled with the other side's
    flow; ventricles are known by their little flow on both sides.

    Parameters
    ----------
    flow
        At least 0, as its file has it.
    rule
        What counts as core.

    Returns
    -------
    core
        What was found.
    filled
        The map in the image frame, its core filled with the other side's flow, for finding the regions.

    Raises
    ------
    InputRefusedError
        NO_BRAIN or IMPLAUSIBLE_UNITS.
    """
    canonical = canonicalize(flow)
    if not is_heavier_on_the_left(canonical.volume):
        return _core_of_map(canonical, rule)
    turned, filled = _core_of_map(replace(canonical, volume=mirror(canonical.volume)), rule)
    return turned.mirrored(), mirror(filled)


def _core_of_map(canonical: CanonicalVolume, rule: CoreRule) -> tuple[FlowCore, Volume]:
    grid = canonical.volume
    brain = _brain_of_flow(grid)
    check_brain_volume(grid.with_array(brain))
    filled = grid
    for _ in range(_FILL_ROUNDS):
        reflection = find_midplane(levelled(filled, brain)).reflection
        found = _compare(canonical, brain, brain, reflection, rule)
        opposite = resample(grid, grid, reflection).array
        filled = grid.with_array(np.where(found.core, opposite, grid.array))
    return found, filled


def _tissue_of_ct(head: Volume, mask: Volume) -> Volume:
    """Return where there is brain tissue on a CT, no fluid, blood or calcification, as a bool mask."""
    clipped = head.with_array(np.clip(head.array, *_CLIP_HU))
    smooth = smooth_in_plane(clipped, mask, _TISSUE_SIGMA_MM).array
    lowest, highest = TISSUE_HU
    return head.with_array(mask.array & (smooth > lowest) & (smooth < highest))


def _compare(
    canonical: CanonicalVolume,
    brain: NDArray[np.bool_],
    tissue: NDArray[np.bool_],
    reflection: NDArray[np.float64],
    rule: CoreRule,
) -> FlowCore:
    """Compare the sides of a map around its brain; all masks lie on its grid."""
    flow = canonical.volume
    covered = covered_by(flow).array
    check_flow(flow.array, brain & covered)
    box = bounding_box(brain & covered, _MARGIN)
    solid = tissue & brain & covered
    found = find_core(crop(flow, box), solid[box], reflection, rule)
    core = paste(found.core, box, flow).array
    return FlowCore(
        canonical=canonical,
        brain=brain,
        tissue=solid,
        core=core,
        covered=covered,
        relative=paste(found.relative, box, flow).array,
        compared=paste(found.compared, box, flow).array,
        low_on_both=paste(found.low_on_both, box, flow).array,
        reflection=reflection,
        is_bilateral=_is_bilateral(flow.with_array(core), reflection),
    )


def _is_bilateral(core: Volume, reflection: NDArray[np.float64]) -> bool:
    """Return whether much of a core lies on either side of the plane of a reflection."""
    points = apply_affine(core.affine, np.argwhere(core.array)[:, ::-1].astype(np.float64))
    on_the_right = int((points[:, 0] > apply_affine(reflection, points)[:, 0]).sum())
    smaller = min(on_the_right, len(points) - on_the_right)
    return smaller > SIDE_SHARE * len(points)


def _brain_of_flow(flow: Volume) -> NDArray[np.bool_]:
    """Return the outline of the brain on a map; what has no flow inside of it is brain as well."""
    sigma = _BRAIN_SIGMA_MM / flow.spacing_mm[::-1]
    smooth = ndimage.gaussian_filter(flow.array.astype(np.float32), (0.0, *sigma[1:]))
    level = _FLOWING_SHARE * float(np.percentile(smooth[smooth > 0], 99))
    body = largest_component(smooth > level)
    return np.stack([ndimage.binary_fill_holes(part) for part in body])
