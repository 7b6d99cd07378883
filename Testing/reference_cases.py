"""Real acute head CT with reference regions and readings, for tests and benchmarks; see the data's README.

The order of the four deep labels differs from case to case: it is read from the anatomy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS_PER_SIDE, RegionCode
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.images import read_image

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
    return [_load(data / "ncct" / "ct-aspects" / name) for name in READINGS]


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the overlap of two masks, 0 to 1."""
    total = int(first.sum()) + int(second.sum())
    return 2.0 * int((first & second).sum()) / total if total else 1.0


def region_dice(labels: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the Dice of each of the 20 regions, in the order of the labels."""
    return np.array([dice(labels == label, reference == label) for label in LABELS])


def _load(folder: Path) -> ReferenceCase:
    stripped = _canonical(folder / "im_aligned_stripped.nii.gz")
    regions = _canonical(folder / "im_aligned_stripped_seg.nii.gz")
    return ReferenceCase(
        name=folder.name,
        scan_path=folder / "im.nii.gz",
        aligned_path=folder / "im_aligned.nii.gz",
        brain=stripped.array > 0,
        regions=_in_project_order(regions),
    )


def _canonical(path: Path) -> Volume:
    return canonicalize(read_image(path)).volume


def _in_project_order(volume: Volume) -> NDArray[np.uint8]:
    """Rename the deep labels: I is the most lateral, L the next, and C lies in front of IC."""
    order = _deep_order(volume)
    table = np.arange(2 * REGIONS_PER_SIDE + 1, dtype=np.uint8)
    for theirs, code in order.items():
        ours = list(RegionCode).index(code) + 1
        table[theirs], table[theirs + REGIONS_PER_SIDE] = ours, ours + REGIONS_PER_SIDE
    return table[volume.array.astype(np.uint8)]


def _deep_order(volume: Volume) -> dict[int, RegionCode]:
    centres = {label: np.argwhere(volume.array == label).mean(axis=0) for label in LABELS}
    width = {n: abs(centres[n][2] - centres[n + REGIONS_PER_SIDE][2]) for n in range(1, 5)}
    medial = sorted(width, key=lambda label: width[label])
    front, back = sorted(medial[:2], key=lambda label: -centres[label][1])
    return {
        front: RegionCode.C,
        back: RegionCode.IC,
        medial[2]: RegionCode.L,
        medial[3]: RegionCode.I,
    }
