"""Volumes on awkward grids, and folders of results, for the tests of the scene."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from result_phantoms import study_result
from scipy.spatial.transform import Rotation

from ASPECTSLib.atlas.regions import REGIONS, Region
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import write_image
from ASPECTSLib.report.result import KeySlicesInfo

SHAPE_KJI = (12, 20, 24)
KEY_SLICES = KeySlicesInfo(axis=2, ganglionic=3, supraganglionic=7)


def oblique_affine(
    spacing_mm: tuple[float, float, float] = (0.9, 0.8, 5.0),
) -> np.ndarray:
    """Return the matrix of an oblique grid: i to the left, j to the back, k to the head, as in DICOM."""
    rotation = Rotation.from_euler("xyz", [12.3, -4.5, 7.7], degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag([-1.0, -1.0, 1.0]) * spacing_mm
    affine[:3, 3] = (70.123456789, -80.2, 33.3)
    return affine


def noise(dtype: type[np.generic] = np.int16) -> Volume:
    """Return voxels that are all different, in no symmetry, on the oblique grid."""
    rng = np.random.default_rng(0)
    return Volume(
        rng.permutation(np.arange(5760)).reshape(SHAPE_KJI).astype(dtype), oblique_affine()
    )


def label_volume(absent: Collection[int] = (20,)) -> Volume:
    """Return a block of eight voxels for each region, on the oblique grid; absent labels do not occur."""
    labels = np.zeros(SHAPE_KJI, np.uint8)
    for region in REGIONS:
        if region.label not in absent:
            k, j = divmod(region.label - 1, 5)
            labels[2 * k + 2 : 2 * k + 4, 3 * j + 2 : 3 * j + 4, 4:6] = region.label
    return Volume(labels, oblique_affine())


def write_result_folder(
    folder: Path,
    labels: Volume,
    *,
    affected: Collection[int] = (),
    infarct: np.ndarray | None = None,
    missing: Collection[str] = (),
) -> dict[str, Volume]:
    """Write what the program writes for a scan, and return its images.

    Parameters
    ----------
    folder
        Made by this function.
    labels
        The regions, on the grid of the scan.
    affected
        Labels of the regions that are called affected.
    infarct
        Mask on the same grid; None for a method without one.
    missing
        Outputs that the program did not make.
    """
    rng = np.random.default_rng(1)
    images = {
        "regions": labels,
        "heatmap": labels.with_array(rng.normal(0, 3, labels.array.shape).astype(np.float32)),
        "compared": labels.with_array(rng.integers(0, 3, labels.array.shape, np.uint8)),
    }
    if infarct is not None:
        images["infarct"] = labels.with_array(infarct.astype(np.uint8))
    images = {key: image for key, image in images.items() if key not in missing}
    outputs = dict.fromkeys(
        ("regions", "infarct", "heatmap", "compared", "figure", "table", "scan")
    )
    outputs |= {key: f"{key}.nii.gz" for key in images}
    folder.mkdir()
    for key, image in images.items():
        write_image(image, folder / f"{key}.nii.gz")
    study = replace(study_result(affected), outputs=outputs, key_slices=KEY_SLICES)
    (folder / "result.json").write_text(study.to_json(), encoding="utf-8")
    return images


def add_regions(scene: Any, labels: Volume | None = None) -> Any:
    """Add regions to a scene, those of `label_volume` by default."""
    from ASPECTSSlicer.segmentations import createRegions

    return createRegions(scene, labels or label_volume(), "regions")


def add_infarct(scene: Any, mask: NDArray[Any]) -> Any:
    """Add an infarct to a scene, on the grid of `label_volume`."""
    from ASPECTSSlicer.segmentations import createInfarct

    return createInfarct(scene, label_volume().with_array(mask), "infarct")


def segment_of(node: Any, region: Region) -> Any:
    """Return the segment of a region."""
    from ASPECTSSlicer.segmentations import segmentId

    return node.GetSegmentation().GetSegment(segmentId(region))
