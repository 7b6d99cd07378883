"""Real acute head CT with reference regions and readings, for tests and benchmarks; see the data's README."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS_PER_SIDE
from ASPECTSLib.training.reference_scans import ReferenceScan, reference_ct

LABELS = range(1, 2 * REGIONS_PER_SIDE + 1)

READINGS: dict[str, frozenset[int]] = {
    "sub001": frozenset({9}),  # right M5
    "sub002": frozenset({12, 14, 16, 17, 20}),  # left L, I, M2, M3, M6
}
"""Labels, in this project's order, that the expert called affected."""


@dataclass(frozen=True, eq=False)
class ReferenceCase:
    """One case: the scan rotated to be symmetric, its brain and its regions, in canonical order.

    `scan_path` is the scan as it was taken, `aligned_path` the symmetric one; `brain` and `regions`
    lie on the canonical grid of the latter.
    """

    name: str
    scan_path: Path
    aligned_path: Path
    brain: NDArray[np.bool_]
    regions: NDArray[np.uint8]

    @property
    def affected(self) -> frozenset[int]:
        """Labels that the expert called affected."""
        return READINGS[self.name]


def load_reference_cases(data: Path) -> list[ReferenceCase]:
    """Load the cases from the data folder."""
    return [_load(scan, data / "ncct" / "ct-aspects") for scan in reference_ct(data)]


def _load(scan: ReferenceScan, folder: Path) -> ReferenceCase:
    assert scan.regions is not None
    return ReferenceCase(
        name=scan.name,
        scan_path=folder / scan.name / "im.nii.gz",
        aligned_path=folder / scan.name / "im_aligned.nii.gz",
        brain=scan.brain.array,
        regions=scan.regions.array,
    )
