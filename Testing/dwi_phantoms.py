"""A diffusion-weighted head with an infarct and its result, as the method `dwi-unet3d` would make them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from result_phantoms import AIR_HU, study_images, study_result
from scipy import ndimage

from ASPECTSLib.geometry import Volume
from ASPECTSLib.report.result import CoreInfo, MethodInfo, QualityInfo, StudyResult
from ASPECTSLib.report.writer import Content, StudyImages, export_study
from ASPECTSLib.review import prepare_review, rescore

BRAIN_SIGNAL = 300.0
"""Median of the brain; scanners have no unit."""

INFARCT_SIGNAL = 2.0  # times that of the brain
NOISE = 0.08
INFARCTED = (14, 16)
"""Labels of the regions that are infarcted: I and M2 of the left."""

ADC620_ML = 9.0
_EDGE_VOXELS = 1.0  # over which the probability falls


def diffusion_images(
    infarcted: Collection[int] = INFARCTED, regions: Volume | None = None
) -> StudyImages:
    """Return a head with infarct in the regions of these labels, and what the method makes of it.

    Parameters
    ----------
    infarcted
        Labels; none for a head without infarct.
    regions
        Label map; blocks where it is left out.
    """
    blocks = study_images()
    brain = blocks.scan.array > AIR_HU if regions is None else _around(regions)
    labels = blocks.regions if regions is None else regions
    infarct = np.isin(labels.array, list(infarcted))
    rng = np.random.default_rng(0)
    signal = brain * BRAIN_SIGNAL * np.where(infarct, INFARCT_SIGNAL, 1.0)
    signal = np.abs(signal * (1.0 + rng.normal(0.0, NOISE, signal.shape)))
    return StudyImages(
        scan=labels.with_array(np.rint(signal).astype(np.int16)),
        regions=labels,
        heatmap=labels.with_array(_probability(infarct)),
        compared=labels.with_array(brain.astype(np.uint8)),
        infarct=labels.with_array(infarct.astype(np.uint8)),
        scan_is_resampled=False,
    )


def diffusion_result(images: StudyImages) -> StudyResult:
    """Return the result of such a head: calls, fractions and core are those of its infarct."""
    plain = study_result()
    bare = replace(
        plain,
        input=replace(
            plain.input,
            modality="DWI",
            spacing_mm=tuple(images.scan.spacing_mm.tolist()),
            shape=images.scan.size,
        ),
        method=MethodInfo(
            "dwi-unet3d",
            "0.1.0",
            {"affected_fraction": 0.1, "adc": "given"},
            heatmap="probability",
        ),
        core=CoreInfo(volume_adc620_ml=ADC620_ML),
        quality=QualityInfo(),
        outputs={"infarct": "infarct.nii.gz"},
    )
    reviewed = prepare_review(bare, images.scan, images.compared)
    infarct = images.infarct.array > 0
    return rescore(bare, reviewed, images.regions.array, infarct)


def write_diffusion_result(
    folder: Path, images: StudyImages, result: StudyResult | None = None
) -> Path:
    """Write what the program writes for such a head to a new folder, and return it."""
    result = result or diffusion_result(images)
    export_study(result, images, folder, (Content.RESULT, Content.SEGMENTS))
    return folder


def _around(regions: Volume) -> NDArray[np.bool_]:
    """Return a brain around regions: filled in each slice between them."""
    reach = np.ones((1, 5, 5), bool)
    closed = ndimage.binary_closing(regions.array > 0, reach, iterations=6)
    return ndimage.binary_dilation(closed, reach)


def _probability(infarct: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return 1 within the infarct, falling at its edge, and next to nothing elsewhere."""
    return ndimage.gaussian_filter(infarct.astype(np.float32), _EDGE_VOXELS)
