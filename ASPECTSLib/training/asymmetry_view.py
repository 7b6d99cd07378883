"""What DA-Net sees of a patient: a region of both sides, as real label maps and midplanes would cut it out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import (
    AFFECTED_FRACTION,
    REGIONS_PER_SIDE,
    Region,
    RegionCode,
    Side,
    region_of,
)
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.asymmetry_inputs import (
    SIDES,
    PatchSource,
    PatchSpec,
    cut_density,
    cut_region,
    pair_grids,
    patch_source,
    side_channels,
)
from ASPECTSLib.inference.inputs import RegionPrior
from ASPECTSLib.preprocessing.midplane import Midplane
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.asymmetry_loss import AFFECTED_FLAGS, REGION_FLAGS
from ASPECTSLib.training.labelled import Labelled
from ASPECTSLib.training.painted_infarct import paint_infarct

_PREFER_AFFECTED = 0.5  # of the looks at a patient who has an affected region
_CLEAN = 0.01  # share of a region up to which it counts as without
_ANGLE_ERROR_DEG, _OFFSET_ERROR_MM = 1.5, 1.0  # of the midplane as it is found
# Of each region, as networks find them: with these, the Dice of deep regions is about 0.8.
_SHIFT_ERROR_MM = 1.2
_SIZE_ERROR = (0.9, 1.11)
_PLACE_MM = 2.0  # of the patch, which would else always lie alike on the region
_BRAIN_HU, _RIM_PIXELS = (-20.0, 100.0), 3  # as `ASPECTSLib.preprocessing.brain` restores the rim
_SHIFT_HU, _GAIN = 3.0, (0.9, 1.11)
_SMOOTHING = (0.0, 1.2)  # sigma in pixels of the patch
_NOISE_HU, _GRAIN = 2.5, (0.3, 1.0)  # deviation, and sigma in pixels of the patch
# Healthy sides differ: of unaffected regions of real scans by up to 2 HU, from beam hardening, sulci and chance.
_SIDE_HU = 0.8  # deviation of the level of a side
_UNEVEN_HU, _UNEVEN_SIGMA_MM = (
    (0.0, 1.2),
    12.0,
)  # deviation from place to place, each side by itself

# Sulci of one side are often wider, which is no infarct: dark lines grow into the tissue beside them.
_WIDER_SULCI = 0.35  # share of the looks
_WIDER_SHARE = (0.2, 0.9)  # how far a pixel goes to the darkest of its neighbours
_FLUID_LIKE_HU = 24.0  # darker than brain, infarcts of the first day included
_WIDER_BY_PIXELS, _WIDER_SIGMA_PIXELS = (3, 5), 0.8


def look_at_pair(
    scan: Labelled,
    _prior: RegionPrior,
    draw: Draw,
    *,
    codes: Sequence[RegionCode],
    spec: PatchSpec,
    painted: float = 0.0,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the patches of one region, and its masks and truth as flags of `ASPECTSLib.training.asymmetry_loss`.

    A region is affected when infarct covers more than a tenth of it. Sides are not exchanged at random: the network and
    its loss are the same for both, so that an exchanged sample teaches nothing new.

    Parameters
    ----------
    scan
        CT with regions and infarct.
    draw
        Source of all randomness.
    codes
        The regions that the network is for.
    spec
        Of the patches.
    painted
        Share of the looks at pairs without any infarct in which one is painted into one side.

    Raises
    ------
    UsageError
        RECIPE_INVALID if nothing is known of an infarct, or the scan shows none of the regions.
    """
    code = _chosen(scan, codes, draw.part("region"))
    pair = [region_of(code, side) for side in SIDES]
    moved = {region: _moved(scan, region, draw.part(region.side.value)) for region in pair}
    centres_mm = _found_centres(scan, moved, draw.part("place"))
    midplane = _as_found(midplane_of(scan.centres_mm, scan.volumes_ml), draw.part("midplane"))
    grids = pair_grids(code, centres_mm, midplane, spec)
    if grids is None:  # `_chosen` takes no such region
        raise _no_region(codes)
    source = _source(scan, spec)
    masks = [
        cut_region(source, region, grid, moved[region])
        for region, grid in zip(pair, grids, strict=True)
    ]
    densities, brains = _cut(source, grids, spec.window_hu[0])
    affected = [_is_affected(scan, region) for region in pair]
    if all(_is_clean(scan, region) for region in pair) and draw.part("ill").chance(painted):
        _paint(densities, masks, affected, spec, draw.part("painted"))
    varied = _varied(densities, spec, draw.part("grey"))
    channels = [side_channels(*parts, spec) for parts in zip(varied, brains, masks, strict=True)]
    return np.concatenate(channels), _flags(masks, affected)


def midplane_of(centres_mm: NDArray[np.float64], volumes_ml: NDArray[np.float64]) -> Midplane:
    """Return the plane in the middle between the regions of both sides.

    Parameters
    ----------
    centres_mm, volumes_ml
        Of the twenty regions, shapes (20, 3) and (20,); those without volume do not count.
    """
    right, left = centres_mm[:REGIONS_PER_SIDE], centres_mm[REGIONS_PER_SIDE:]
    both = (volumes_ml[:REGIONS_PER_SIDE] > 0) & (volumes_ml[REGIONS_PER_SIDE:] > 0)
    if not both.any():
        return Midplane(np.array([1.0, 0.0, 0.0]), 0.0, 0.0)
    across = (right - left)[both].sum(axis=0)
    normal = across / np.linalg.norm(across)
    return Midplane(normal, float(((right + left)[both] / 2 @ normal).mean()), 1.0)


def _chosen(scan: Labelled, codes: Sequence[RegionCode], draw: Draw) -> RegionCode:
    there = [code for code in codes if any(_is_there(scan, region_of(code, s)) for s in Side)]
    if not there:
        raise _no_region(codes)
    affected = [c for c in there if any(_is_affected(scan, region_of(c, s)) for s in Side)]
    if affected and draw.chance(_PREFER_AFFECTED):
        return draw.pick(affected)
    return draw.pick(there)


def _is_there(scan: Labelled, region: Region) -> bool:
    return bool(scan.volumes_ml[region.label - 1] > 0)


def _is_affected(scan: Labelled, region: Region) -> bool:
    return bool(scan.infarct_fractions[region.label - 1] > AFFECTED_FRACTION)


def _is_clean(scan: Labelled, region: Region) -> bool:
    return _is_there(scan, region) and bool(scan.infarct_fractions[region.label - 1] < _CLEAN)


def _paint(
    densities: NDArray[np.float32],
    masks: Sequence[NDArray[np.bool_]],
    affected: list[bool],
    spec: PatchSpec,
    draw: Draw,
) -> None:
    """Paint an infarct into one side, in place, if the patch shows the region."""
    side = draw.pick(range(len(SIDES)))
    if masks[side].any():
        densities[side], affected[side] = paint_infarct(
            densities[side], masks[side], spec.spacing_mm, draw
        )


def _no_region(codes: Sequence[RegionCode]) -> UsageError:
    message = f"expected a scan with one of the regions {', '.join(codes)}, got one without"
    return UsageError(ErrorCode.RECIPE_INVALID, message)


def _moved(scan: Labelled, region: Region, draw: Draw) -> NDArray[np.float64]:
    """Return the matrix through which a region is seen a little elsewhere, and larger or smaller."""
    centre = scan.centres_mm[region.label - 1]
    matrix = np.diag([*(draw.log_uniform(*_SIZE_ERROR) for _ in range(3)), 1.0])
    shift = np.array([draw.normal(0.0, _SHIFT_ERROR_MM) for _ in range(3)])
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre + shift
    return matrix


def _found_centres(
    scan: Labelled, moved: dict[Region, NDArray[np.float64]], draw: Draw
) -> NDArray[np.float64]:
    """Return the centres of a pair where it is seen, NaN for all other regions."""
    found = np.full(scan.centres_mm.shape, np.nan)
    shift = np.array([draw.uniform(-_PLACE_MM, _PLACE_MM) for _ in range(3)])
    shifts = {Side.LEFT: shift, Side.RIGHT: shift * (-1.0, 1.0, 1.0)}  # to the side in both
    for region, matrix in moved.items():
        if _is_there(scan, region):
            index = region.label - 1
            seen = np.linalg.solve(matrix, np.append(scan.centres_mm[index], 1.0))[:3]
            found[index] = seen + shifts[region.side]
    return found


def _as_found(midplane: Midplane, draw: Draw) -> Midplane:
    """Return a midplane that is off by what is usual in real scans."""
    yaw, roll = (np.radians(draw.normal(0.0, _ANGLE_ERROR_DEG)) for _ in range(2))
    normal = midplane.normal + np.array([0.0, np.tan(yaw), np.tan(roll)])
    normal /= np.linalg.norm(normal)
    # Turned about the point of the plane that lies next to the origin, which is in the head.
    middle = midplane.offset_mm * midplane.normal
    offset_mm = float(middle @ normal) + draw.normal(0.0, _OFFSET_ERROR_MM)
    return Midplane(normal, offset_mm, midplane.similarity)


def _source(scan: Labelled, spec: PatchSpec) -> PatchSource:
    brain, labels = (scan.image.with_array(array) for array in (scan.brain, scan.regions))
    return patch_source(scan.image, brain, labels, spec)


def _cut(
    source: PatchSource, grids: tuple[Volume, Volume], level_hu: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return density and brain of both sides, shapes (2, k, j, i); skull must not bleed in when they are smoothed."""
    densities, brains = [], []
    for grid in grids:
        density, brain = cut_density(source, grid)
        brain = _without_bone(brain, density)
        densities.append(np.where(brain, density, level_hu))
        brains.append(brain)
    return np.stack(densities).astype(np.float32), np.stack(brains)


def _without_bone(brain: NDArray[np.bool_], density: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Take voxels that are partly skull or air off the rim of a true brain, as the mask of a scan leaves them out."""
    in_plane = ndimage.generate_binary_structure(3, 1)
    in_plane[[0, 2]] = False
    inner = ndimage.binary_erosion(brain, in_plane, iterations=_RIM_PIXELS, border_value=1)
    low, high = _BRAIN_HU
    return inner | (brain & (density > low) & (density < high))


def _varied(densities: NDArray[np.float32], spec: PatchSpec, draw: Draw) -> NDArray[np.float32]:
    """Return the densities of both sides as another scanner would show them, shape (2, k, j, i)."""
    smoothing = draw.uniform(*_SMOOTHING)
    widened = _with_wider_sulci(densities, draw.part("sulci"))
    smoothed = ndimage.gaussian_filter(widened, (0, 0, smoothing, smoothing))
    grain = draw.uniform(*_GRAIN)
    noise = draw.generator.standard_normal(densities.shape, np.float32)
    noise = ndimage.gaussian_filter(noise, (0, 0, grain, grain))
    noise *= draw.uniform(0.0, _NOISE_HU) / max(float(noise.std()), 1e-6)
    level = spec.window_hu[0]
    gain, shift = draw.log_uniform(*_GAIN), draw.uniform(-_SHIFT_HU, _SHIFT_HU)
    sides = _side_differences(densities.shape, spec, draw.part("sides"))
    return (smoothed - level) * gain + level + shift + noise + sides


def _with_wider_sulci(densities: NDArray[np.float32], draw: Draw) -> NDArray[np.float32]:
    """Return the densities with wider sulci and ventricles on one side, if the draw says so."""
    if not draw.chance(_WIDER_SULCI):
        return densities
    side, share, width = draw.pick((0, 1)), draw.uniform(*_WIDER_SHARE), draw.pick(_WIDER_BY_PIXELS)
    # Noise is smoothed away first: of many pixels, its darkest would darken even tissue.
    sigma = (0.0, _WIDER_SIGMA_PIXELS, _WIDER_SIGMA_PIXELS)
    smooth = ndimage.gaussian_filter(densities[side], sigma)
    darkest = ndimage.minimum_filter(smooth, (1, width, width))
    widened = densities.copy()
    widened[side] += np.float32(share) * (darkest - smooth) * (darkest < _FLUID_LIKE_HU)
    return widened


def _side_differences(shape: tuple[int, ...], spec: PatchSpec, draw: Draw) -> NDArray[np.float32]:
    """Return what makes healthy sides differ, in HU, of a shape (2, k, j, i)."""
    sigma = _UNEVEN_SIGMA_MM / np.asarray(spec.spacing_mm[::-1])
    uneven = draw.generator.standard_normal(shape, np.float32)
    uneven = ndimage.gaussian_filter(uneven, (0.0, *sigma))
    uneven *= draw.uniform(*_UNEVEN_HU) / max(float(uneven.std()), 1e-6)
    levels = [draw.normal(0.0, _SIDE_HU) for _ in range(shape[0])]
    return uneven + np.asarray(levels, np.float32).reshape(-1, 1, 1, 1)


def _flags(masks: Sequence[NDArray[np.bool_]], affected: Sequence[bool]) -> NDArray[np.uint8]:
    flags = np.zeros(masks[0].shape, np.uint8)
    for mask, is_affected, inside, everywhere in zip(
        masks, affected, REGION_FLAGS, AFFECTED_FLAGS, strict=True
    ):
        flags[mask] |= inside
        if is_affected:
            flags |= everywhere
    return flags
