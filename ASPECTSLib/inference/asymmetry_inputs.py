"""What DA-Net sees: a region of both sides with what surrounds it, the right side mirrored, on one small grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS, Region, RegionCode, Side, region_of
from ASPECTSLib.errors import ErrorCode, ResourceError, UsageError
from ASPECTSLib.geometry import (
    Volume,
    apply_affine,
    bounding_box,
    crop,
    resample,
)
from ASPECTSLib.inference.inputs import label_centres
from ASPECTSLib.preprocessing.midplane import Midplane

PAIRS: Mapping[str, tuple[RegionCode, ...]] = MappingProxyType(
    {
        "asymmetry-cortical": tuple(c for c in RegionCode if c.value.startswith("M")),
        "asymmetry-subcortical": tuple(c for c in RegionCode if not c.value.startswith("M")),
    }
)
"""The regions that the network of a task calls."""

SIDES = (Side.LEFT, Side.RIGHT)
"""Order of the sides in the network's input and output."""

OUTSIDE = -1.0
"""Value of what is not brain: that of fluid, which lies beside the brain in any case."""

_MARGIN_VOXELS = (2, 2, 2)  # beyond the brain, for the interpolation at its border
_CLIP_HU = (-20.0, 120.0)  # bone at the rim and metal must not bleed in
_CENTRE_SPACING_MM = 4.0  # across slices: finer tells no more of where a region lies


@dataclass(frozen=True)
class PatchSpec:
    """The patches of a model: a recipe's choice, which its card keeps.

    The paper (Cao 2022, doi:10.1002/hbm.25845, section 2.4) has 80 x 160 x 120 voxels of half a millimetre in slices
    of 5 mm. Infarcts fill centimetres, and pixels are averaged before they tell anything at all, so that twice that
    spacing loses nothing and takes a quarter of the time. The patch of half the paper's extent holds each region of a
    large head that is tilted by 15 degrees: those of the atlas reach 21, 28 and 20 mm from their centres along x, y, z.

    Parameters
    ----------
    shape_kji
        Voxels along k, j, i: across slices, to the front, and from the side to the middle.
    spacing_mm
        Along i, j, k.
    window_hu
        Level and width: densities at the ends of the window are seen as -1 and 1.
    shows_region
        Whether the mask of the region is a second channel of each side.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the numbers make no patch.
    """

    shape_kji: tuple[int, int, int] = (14, 64, 56)
    spacing_mm: tuple[float, float, float] = (1.25, 1.25, 4.0)
    window_hu: tuple[float, float] = (30.0, 50.0)
    shows_region: bool = True

    def __post_init__(self) -> None:
        _check_numbers("shape_kji", self.shape_kji, 3, (int,))
        _check_numbers("spacing_mm", self.spacing_mm, 3, (int, float))
        _check_numbers("window_hu", self.window_hu, 2, (int, float))
        _require(all(n >= 1 for n in self.shape_kji), "shape_kji of 1 or more", self.shape_kji)
        _require(all(s > 0 for s in self.spacing_mm), "spacing_mm above 0", self.spacing_mm)
        _require(self.window_hu[1] > 0, "window_hu of a width above 0", self.window_hu)
        is_told = isinstance(self.shows_region, bool)
        _require(is_told, "shows_region as true or false", self.shows_region)

    @property
    def channels(self) -> int:
        """Of the network's input: those of the left side, and as many of the right side."""
        return len(SIDES) * (2 if self.shows_region else 1)

    def to_json(self) -> dict[str, Any]:
        """Return what a card's `input` says of the patches."""
        return {
            "shape_kji": list(self.shape_kji),
            "spacing_mm": list(self.spacing_mm),
            "window_hu": list(self.window_hu),
            "shows_region": self.shows_region,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> PatchSpec:
        """Read the patches from a card's `input`.

        Raises
        ------
        ResourceError
            MODEL_DAMAGED if they are not told, or make no patch.
        """
        values = {}
        for key in cls().to_json():
            if key not in content:
                message = f"expected the key {key} in the input of the model, got none"
                raise ResourceError(ErrorCode.MODEL_DAMAGED, message)
            value = content[key]
            values[key] = tuple(value) if isinstance(value, list) else value
        try:
            return cls(**values)
        except UsageError as error:
            raise ResourceError(ErrorCode.MODEL_DAMAGED, error.message) from error


@dataclass(frozen=True, eq=False)
class PatchSource:
    """What patches are cut from, all in the image frame.

    Parameters
    ----------
    image
        HU, smoothed to what the spacing of the patches can show.
    brain
        bool on its grid.
    labels
        uint8 label map, 0 to 20, on any grid.
    """

    image: Volume
    brain: Volume
    labels: Volume


def patch_source(volume: Volume, brain: Volume, labels: Volume, spec: PatchSpec) -> PatchSource:
    """Prepare a scan to cut patches from.

    Parameters
    ----------
    volume
        CT in HU, in the image frame.
    brain
        bool mask on its grid.
    labels
        Label map in the same frame.
    spec
        Says how fine the patches are. Finer pixels are smoothed, so that noise does not alias, as much as averaging
        over the patches' pixels would: a Gaussian of the same variance, which is the same for a mirrored scan where
        blocks of pixels would fall otherwise.
    """
    if brain.array.any():
        box = bounding_box(brain.array, _MARGIN_VOXELS)
        volume, brain = crop(volume, box), crop(brain, box)
    ratio = np.maximum(spec.spacing_mm / volume.spacing_mm, 1.0)
    sigma = np.sqrt((ratio**2 - 1.0) / 12.0)[::-1]
    clipped = np.clip(volume.array.astype(np.float32), *_CLIP_HU)
    array = ndimage.gaussian_filter(clipped, sigma, mode="nearest")
    return PatchSource(volume.with_array(array), brain, labels)


def region_centres(labels: Volume) -> NDArray[np.float64]:
    """Return the centres of the twenty regions, shape (20, 3), RAS mm; NaN where a region is absent."""
    if not labels.array.any():
        return np.full((len(REGIONS), 3), np.nan)
    part = _thinned(crop(labels, bounding_box(labels.array > 0)))
    centres, volumes = label_centres(part, len(REGIONS))
    return np.where(volumes[:, None] > 0, centres, np.nan)


def pair_grids(
    code: RegionCode, centres_mm: NDArray[np.float64], midplane: Midplane, spec: PatchSpec
) -> tuple[Volume, Volume] | None:
    """Return the empty grids of a region's two patches, left and right.

    Parameters
    ----------
    code
        Of the region.
    centres_mm
        Of the twenty regions, shape (20, 3), NaN where absent: the grids lie around the left centre and the mirrored
        right one, in the middle of both.
    midplane
        Its symmetric pose gives the axes.
    spec
        Shape and spacing.

    Returns
    -------
    tuple of Volume, or None
        The right grid is the left one mirrored: equal indices are places that should look alike, and i runs from the
        side to the middle in both. None where both sides lack the region.
    """
    left, right = (centres_mm[region_of(code, side).label - 1] for side in SIDES)
    found = np.array([left, apply_affine(midplane.reflection, right)])
    found = found[np.isfinite(found).all(axis=1)]
    if not len(found):
        return None
    axes = midplane.pose[:3, :3].T  # from the symmetric pose to the image frame
    extent_mm = (np.array(spec.shape_kji[::-1]) - 1) * spec.spacing_mm
    affine = np.eye(4)
    affine[:3, :3] = axes * spec.spacing_mm
    affine[:3, 3] = found.mean(axis=0) - axes @ extent_mm / 2
    empty = np.zeros(spec.shape_kji, np.uint8)
    return Volume(empty, affine), Volume(empty, midplane.reflection @ affine)


def cut_density(source: PatchSource, grid: Volume) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the density in HU and the brain on the grid of a patch, shapes (k, j, i)."""
    density = resample(source.image, grid).array
    brain = resample(source.brain.with_array(source.brain.array.astype(np.uint8)), grid, order=0)
    return density, brain.array > 0


def cut_region(
    source: PatchSource, region: Region, grid: Volume, moved: NDArray[np.float64] | None = None
) -> NDArray[np.bool_]:
    """Return the mask of a region on the grid of a patch, shape (k, j, i).

    Parameters
    ----------
    source
        Of the scan.
    region
        Which.
    grid
        Of the patch.
    moved
        4x4 matrix that points of the grid go through, mm, to see the region elsewhere; for training.
    """
    return resample(source.labels, grid, moved, order=0).array == region.label


def side_channels(
    density: NDArray[np.float32],
    brain: NDArray[np.bool_],
    region: NDArray[np.bool_],
    spec: PatchSpec,
) -> NDArray[np.float32]:
    """Return the channels of one side, shape (1 or 2, k, j, i): density from -1 to 1, and the region as 0 and 1."""
    level, width = spec.window_hu
    seen = np.clip((density - level) * (2.0 / width), -1.0, 1.0)
    channels = [np.where(brain, seen, OUTSIDE)]
    if spec.shows_region:
        channels.append(region)
    return np.stack(channels).astype(np.float32)


def _thinned(labels: Volume) -> Volume:
    """Return the middle one of every few thin slices; rows and columns stay, so that mirrored maps give the same."""
    count = max(round(_CENTRE_SPACING_MM / float(labels.spacing_mm[2])), 1)
    count = min(count, labels.array.shape[0])
    affine = labels.affine.copy()
    affine[:3, 3] = apply_affine(labels.affine, np.array([0.0, 0.0, count // 2]))
    affine[:3, 2] *= count
    return Volume(labels.array[count // 2 :: count], affine)


def _check_numbers(key: str, values: object, count: int, kinds: tuple[type, ...]) -> None:
    is_right = isinstance(values, tuple) and len(values) == count
    is_right = is_right and all(type(value) in kinds and np.isfinite(value) for value in values)
    _require(is_right, f"{key} of {count} numbers", values)


def _require(met: bool, expected: str, got: object) -> None:
    if not met:
        raise UsageError(ErrorCode.MODEL_MISMATCH, f"expected {expected}, got {got}")
