"""How well the atlas fits a scan."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSLib.registration.deformable import folding_fraction
from ASPECTSLib.registration.mapping import Mapping, warp

MIN_BRAIN_DICE = 0.90
"""Overlap of the warped atlas brain with the scan's below which the regions are not to be trusted.

Whole heads reach 0.95 and more; a brain with a slab of 20 mm missing at the base about 0.93."""

MIN_CORRELATION = 0.15
"""Correlation of the warped template with the scan inside the brain. Whole heads reach 0.6 to 0.9."""

_CORRELATION_SIGMA_MM = 4.0
MAX_FOLDING_FRACTION = 0.001
SCALE_LIMITS = (0.75, 1.35)
"""Plausible stretch of an adult head on the way to MNI152, which is larger than most."""


@dataclass(frozen=True)
class RegistrationQuality:
    """Measures of fit.

    Parameters
    ----------
    brain_dice
        Overlap of the warped atlas brain with the brain mask.
    correlation
        Correlation of the warped template with the scan inside the brain.
    folding_fraction
        Share of folded voxels.
    smallest_scale, largest_scale
        Extreme stretches of the affine part.
    region_coverage
        Share of the atlas's region volume that lies inside the scan's field of view.
    """

    brain_dice: float
    correlation: float
    folding_fraction: float
    smallest_scale: float
    largest_scale: float
    region_coverage: float

    @property
    def failures(self) -> tuple[str, ...]:
        """What is wrong, in words; empty if the mapping can be used."""
        checks = (
            (
                self.brain_dice >= MIN_BRAIN_DICE,
                f"brain overlap {self.brain_dice:.2f} below {MIN_BRAIN_DICE}",
            ),
            (
                self.correlation >= MIN_CORRELATION,
                f"similarity {self.correlation:.2f} below {MIN_CORRELATION}",
            ),
            (
                self.folding_fraction <= MAX_FOLDING_FRACTION,
                f"{self.folding_fraction:.1%} of the mapping folds",
            ),
            (
                SCALE_LIMITS[0] <= self.smallest_scale and self.largest_scale <= SCALE_LIMITS[1],
                f"head stretched {self.smallest_scale:.2f} to {self.largest_scale:.2f} times",
            ),
        )
        return tuple(words for passed, words in checks if not passed)

    def as_dict(self) -> dict[str, float]:
        """Return the measures by name, for the result."""
        return asdict(self)


def measure_quality(
    fixed: Volume, mapping: Mapping, template: Volume, brain_probability: Volume, regions: Volume
) -> RegistrationQuality:
    """Measure how well a template, carried to a scan, fits it.

    Parameters
    ----------
    fixed
        Scan as it was registered, 0 outside the brain.
    mapping
        From scan points to atlas points, with its field on a coarse grid.
    template
        Template in the scan's contrast.
    brain_probability
        0 to 1, in atlas space.
    regions
        Region label map in atlas space.
    """
    grid = fixed if mapping.grid is None else mapping.grid
    warped = warp(template, mapping, grid).array
    expected = warp(brain_probability, mapping, grid).array > 0.5
    brain = grid.array > 0
    both = brain & expected
    scales = np.linalg.svd(mapping.matrix[:3, :3], compute_uv=False)
    return RegistrationQuality(
        brain_dice=float(2.0 * both.sum() / max(int(brain.sum() + expected.sum()), 1)),
        correlation=_correlation(_smooth(grid)[both], _smooth(grid.with_array(warped))[both]),
        folding_fraction=folding_fraction(mapping, brain),
        smallest_scale=float(scales.min()),
        largest_scale=float(scales.max()),
        region_coverage=_coverage(fixed, mapping.matrix, regions),
    )


def _smooth(volume: Volume) -> NDArray[np.float32]:
    """Smooth away noise and single sulci, which an average template does not have."""
    return ndimage.gaussian_filter(volume.array, _CORRELATION_SIGMA_MM / volume.spacing_mm[::-1])


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    if len(first) < 2 or first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _coverage(fixed: Volume, matrix: NDArray[np.float64], regions: Volume) -> float:
    """Share of region voxels whose affine place in the scan lies on its grid, half a voxel of rim included."""
    inside_atlas = np.argwhere(regions.array[::2, ::2, ::2] > 0)[:, ::-1] * 2.0
    to_fixed = np.linalg.inv(fixed.affine) @ np.linalg.inv(matrix) @ regions.affine
    voxels = apply_affine(to_fixed, inside_atlas)
    inside = (voxels >= -0.5) & (voxels <= np.array(fixed.size) - 0.5)
    return float(inside.all(axis=1).mean())
