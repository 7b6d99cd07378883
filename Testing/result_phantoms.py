"""Results and images of a study as the pipeline would make them, without a scan behind them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.report.result import (
    AspectsInfo,
    CoreInfo,
    InputInfo,
    KeySlicesInfo,
    MethodInfo,
    ModelInfo,
    QualityInfo,
    RegionInfo,
    StudyResult,
    WarningInfo,
)
from ASPECTSLib.report.writer import StudyImages
from ASPECTSLib.scoring.aspects import total_score

SHAPE_KJI = (20, 54, 46)
SPACING_MM = np.array([4.0, 4.0, 5.0])
LOWER_SLICE, UPPER_SLICE = 8, 12
BLOCK_VOXELS = 5
HEAD_HU = 40.0
AIR_HU = -1000.0


def study_result(affected: Collection[int] = (), *, abstained: bool = False) -> StudyResult:
    """Return a result in which the regions with these labels are affected."""
    total = total_score(region for region in REGIONS if region.label in affected)
    aspects = AspectsInfo(total.score, total.side.value, total.left, total.right)
    warning = WarningInfo("THICK_SLICES", "slices are 8.0 mm thick")
    return StudyResult(
        input=InputInfo("NCCT", ("scan.nii.gz",), (4.0, 4.0, 5.0), SHAPE_KJI[::-1], 71.0),
        method=MethodInfo(
            "classical", "0.1.0", {"age_years": 71.0}, (ModelInfo("atlas/regions.nii.gz", "ab12"),)
        ),
        aspects=AspectsInfo(None, None, None, None) if abstained else aspects,
        regions=tuple(
            RegionInfo(
                region=region.code.value,
                side=region.side.value,
                affected=None if abstained else region.label in affected,
                probability=None if abstained else 0.9123456 * (region.label in affected),
                unsure=False,
                volume_ml=10.0 + region.label / 7.0,
                infarct_fraction=None,
                median=32.123456,
                contralateral_median=34.987654,
                evidence=f"2.9 HU darker than the {region.side.other.value} side",
            )
            for region in REGIONS
        ),
        core=CoreInfo(),
        quality=QualityInfo((warning,), abstained, {"brain_dice": 0.9512345, "roll_deg": -0.0}),
        key_slices=KeySlicesInfo(axis=2, ganglionic=LOWER_SLICE, supraganglionic=UPPER_SLICE),
    )


def study_images(
    *, scan_is_resampled: bool = False, infarct: np.ndarray | None = None
) -> StudyImages:
    """Return an elliptic head of one density, with every region a block of its own."""
    scan = Volume(_head(), centred_affine(SHAPE_KJI, SPACING_MM))
    labels = np.zeros(SHAPE_KJI, np.uint8)
    for region in REGIONS:
        labels[block(region.label)] = region.label
    return StudyImages(
        scan=scan,
        regions=scan.with_array(labels),
        heatmap=scan.with_array(np.zeros(SHAPE_KJI, np.float32)),
        compared=scan.with_array((scan.array > AIR_HU).astype(np.uint8)),
        infarct=None if infarct is None else scan.with_array(infarct.astype(np.uint8)),
        scan_is_resampled=scan_is_resampled,
    )


def block(label: int) -> tuple[slice, slice, slice]:
    """Return where a region lies: in two columns on its side, mirrored on the other."""
    order = (label - 1) % 10
    start_j = 10 + (order % 5) * (BLOCK_VOXELS + 2)
    start_i = 30 if order < 5 else 36  # half of the regions in each column
    columns = slice(start_i, start_i + BLOCK_VOXELS)
    if label > 10:  # labels of the left
        columns = slice(SHAPE_KJI[2] - columns.stop, SHAPE_KJI[2] - columns.start)
    return slice(6, 15), slice(start_j, start_j + BLOCK_VOXELS), columns


def _head() -> np.ndarray:
    k, j, i = np.indices(SHAPE_KJI)
    _, rows, columns = SHAPE_KJI
    across, along = (i - (columns - 1) / 2) / 20.0, (j - (rows - 1) / 2) / 24.0
    inside = (across**2 + along**2 < 1.0) & (k > 1) & (k < SHAPE_KJI[0] - 2)
    return np.where(inside, HEAD_HU, AIR_HU).astype(np.float32)
