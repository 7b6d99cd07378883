"""Infarct masks in the space of the atlas: volume, and how much of each region they cover."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, Side
from ASPECTSLib.errors import ErrorCode, FileRefusedError, InputRefusedError
from ASPECTSLib.geometry import Box, Volume, apply_affine, bounding_box, resample
from ASPECTSLib.io.masks import read_mask
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.aspects import Score, total_score
from ASPECTSLib.scoring.overlap import infarct_fractions

MEASURING_SHARE = 0.9
"""Of the whole work of a study; the rest is statistics and drawing."""

_FILES_PER_REPORT = 20
_MARGIN = 0.5  # voxels: a grid reaches half a voxel beyond the centres at its border


@dataclass(frozen=True)
class InfarctMeasure:
    """An infarct on the atlas.

    Parameters
    ----------
    volume_ml
        Of the whole mask.
    side_ml
        Inside the ten regions of each side.
    fractions
        Share of each region that is infarcted, 0 to 1, in the order of `REGIONS`.
    """

    volume_ml: float
    side_ml: dict[Side, float]
    fractions: tuple[float, ...]

    @property
    def territory_ml(self) -> float:
        """Volume inside the twenty regions."""
        return sum(self.side_ml.values())

    def affected(self, fraction: float) -> tuple[bool, ...]:
        """Tell of each region whether more than a share of it is infarcted."""
        return tuple(share > fraction for share in self.fractions)

    def score(self, fraction: float) -> Score:
        """Return ASPECTS of both sides, a region being affected above a share."""
        affected = self.affected(fraction)
        return total_score(r for r, hit in zip(REGIONS, affected, strict=True) if hit)

    def hemisphere(self, fraction: float) -> Side | None:
        """Return the side of the stroke: with the lower ASPECTS, or as low, with more infarct in its regions."""
        score = self.score(fraction)
        burden = {
            Side.LEFT: (-score.left, self.side_ml[Side.LEFT]),
            Side.RIGHT: (-score.right, self.side_ml[Side.RIGHT]),
        }
        if burden[Side.LEFT] == burden[Side.RIGHT]:
            return None
        return max(burden, key=lambda side: burden[side])


@dataclass(frozen=True, eq=False)
class RegionGrid:
    """The regions of the atlas on the grid of masks, cut to their box."""

    labels: NDArray[np.uint8]
    box: Box


class AtlasRegions:
    """The regions of an atlas, carried to each grid that masks come on, once.

    Parameters
    ----------
    regions
        Label map in the space of the masks.
    """

    def __init__(self, regions: Volume) -> None:
        self._regions = regions
        self._grids: dict[bytes, RegionGrid] = {}

    def measure(self, mask: Volume) -> InfarctMeasure:
        """Measure a bool mask in the space of the atlas, whatever its grid.

        Raises
        ------
        FileRefusedError
            COHORT_INVALID if the grid does not hold every region: then the mask is not in that space.
        """
        grid = self._on(mask)
        infarct = mask.array[grid.box]
        fractions = infarct_fractions(grid.labels, infarct)
        voxels = np.bincount(grid.labels[infarct], minlength=len(REGIONS) + 1)
        side_ml = {
            side: sum(int(voxels[r.label]) for r in REGIONS if r.side is side)
            * mask.voxel_volume_ml
            for side in Side
        }
        volume_ml = int(np.count_nonzero(mask.array)) * mask.voxel_volume_ml
        return InfarctMeasure(volume_ml, side_ml, tuple(fractions[r] or 0.0 for r in REGIONS))

    def _on(self, mask: Volume) -> RegionGrid:
        key = mask.affine.tobytes() + np.array(mask.array.shape).tobytes()
        if key not in self._grids:
            self._grids[key] = self._carry(mask)
        return self._grids[key]

    def _carry(self, mask: Volume) -> RegionGrid:
        _check_field(self._regions, mask)
        labels = resample(self._regions, mask, order=0).array
        if np.unique(labels).size <= len(REGIONS):
            raise _not_in_atlas()
        box = bounding_box(labels > 0)
        return RegionGrid(np.ascontiguousarray(labels[box]), box)


def measure_files(
    paths: tuple[Path, ...], regions: Volume, progress: Progress
) -> Iterator[InfarctMeasure]:
    """Measure the masks of files, one after the other.

    Parameters
    ----------
    paths
        Binary images in the space of the regions.
    regions
        Label map of the atlas.
    progress
        Told every twenty files, and asked whether to go on.

    Raises
    ------
    InputRefusedError
        With the name of the file, if it is damaged, no mask, or not in the space of the atlas.
    """
    atlas = AtlasRegions(regions)
    for number, path in enumerate(paths):
        if number % _FILES_PER_REPORT == 0:
            progress.stage(
                f"mask {number + 1} of {len(paths)}", MEASURING_SHARE * number / len(paths)
            )
        progress.check()
        yield _measure_file(path, atlas)


def _measure_file(path: Path, atlas: AtlasRegions) -> InfarctMeasure:
    try:
        return atlas.measure(read_mask(path))
    except InputRefusedError as error:
        if path.name in error.message:
            raise
        raise type(error)(error.code, f"{path.name}: {error.message}") from error


def _check_field(regions: Volume, mask: Volume) -> None:
    """Refuse a grid that cuts regions off."""
    points = apply_affine(regions.affine, np.argwhere(regions.array > 0)[:, ::-1].astype(float))
    places = apply_affine(np.linalg.inv(mask.affine), points)
    size = np.array(mask.size)
    if (places < -_MARGIN).any() or (places > size - 1 + _MARGIN).any():
        raise _not_in_atlas()


def _not_in_atlas() -> FileRefusedError:
    message = "expected a mask in MNI152 space whose grid holds all regions, got one that does not"
    return FileRefusedError(ErrorCode.COHORT_INVALID, message)
