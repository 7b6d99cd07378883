"""A result in a scene that can be reviewed, drawn in and exported, made without the program; needs `slicer-core`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from result_phantoms import HEAD_HU, block, study_images, study_result
from scipy import ndimage

from ASPECTSLib.report.writer import Content, StudyImages, export_study

DARKER_HU = 8.0
NOISE_HU = 8.0
SKULL_HU, SKULL_VOXELS = 800.0, 2
DARK_LABELS = (14, 16)
"""Regions of the left that are darker than those of the right."""


def reviewed_images() -> StudyImages:
    """Return the images of a head with two dark regions."""
    images = study_images()
    rng = np.random.default_rng(0)
    array = images.scan.array.copy()
    inside = array == HEAD_HU
    array[ndimage.binary_dilation(inside, iterations=SKULL_VOXELS) & ~inside] = SKULL_HU
    array += rng.normal(0.0, NOISE_HU, array.shape)
    for label in DARK_LABELS:
        array[block(label)] -= DARKER_HU
    scan = images.scan.with_array(np.rint(array).astype(np.int16))
    return replace(images, scan=scan)


def add_reviewed(scene: Any, folder: Path, *, abstained: bool = False) -> Any:
    """Add the head with its result to a scene, and return the nodes of the result.

    Parameters
    ----------
    scene
        The scene.
    folder
        New folder, for the files that the result is loaded from.
    abstained
        Whether the program made no calls.
    """
    from ASPECTSSlicer.grids import fillVolume
    from ASPECTSSlicer.results import loadResult

    images = reviewed_images()
    study = study_result(DARK_LABELS, abstained=abstained)
    export_study(study, images, folder, (Content.RESULT, Content.SEGMENTS))
    scan = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT head")
    fillVolume(scan, images.scan)
    return loadResult(scene, folder, scan)


def draw(node: Any, identifier: str, mask: np.ndarray) -> None:
    """Give a segment voxels of its own, as the Segment Editor does where segments may overlap."""
    import slicer

    from ASPECTSSlicer.grids import orientedImage

    image = orientedImage(mask.astype(np.uint8), reviewed_images().scan.affine, (0, 0, 0))
    segment = node.GetSegmentation().GetSegment(identifier)
    segment.SetLabelValue(1)
    name = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    segment.AddRepresentation(name, image)
