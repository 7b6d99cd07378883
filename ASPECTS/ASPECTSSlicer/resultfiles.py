"""A folder of results, read whole before anything of it comes into the scene."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import slicer

from ASPECTSLib.errors import ErrorCode, FileRefusedError, GeometryRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import check_is_file, read_image
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.report.writer import RESULT_FILE
from ASPECTSSlicer.grids import areSameGrid
from ASPECTSSlicer.worldspace import worldGrid

# Slicer's DICOM database names files by the UID of the image: names of no use, that lead to a patient.
_LIKE_A_UID = re.compile(r"[0-9.]{20,}(\.dcm)?")
_IMAGES = ("regions", "infarct", "heatmap", "compared")


@dataclass(frozen=True, eq=False)
class ResultFiles:
    """What a folder of results holds, all on one grid in world space.

    Parameters
    ----------
    study
        The result, with the names of the scan's own files.
    regions
        uint8, labels as in `ASPECTSLib.atlas.regions`.
    infarct
        uint8; empty where the method makes none or found none.
    heatmap
        float32, as `ASPECTSLib.report.looks` says; 0 everywhere where the method makes none.
    compared
        uint8: 1 compared or searched for infarct, 2 brain left out, 0 elsewhere; None where there is none.
    """

    study: StudyResult
    regions: Volume
    infarct: Volume
    heatmap: Volume
    compared: Volume | None


def readFolder(folder: Path, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> ResultFiles:
    """Read the result of a volume.

    Parameters
    ----------
    folder
        What `aspects score` wrote.
    volumeNode
        The volume that was scored.

    Raises
    ------
    FileRefusedError
        If a file is missing or unreadable.
    GeometryRefusedError
        If the images are not on one grid.
    """
    resultFile = folder / RESULT_FILE
    check_is_file(resultFile)
    study = StudyResult.from_json(resultFile.read_text(encoding="utf-8"))
    images = {
        key: read_image(folder / study.outputs[key]) for key in _IMAGES if study.outputs.get(key)
    }
    if "regions" not in images:
        message = f"expected a label map of the regions in {folder.name}, got none"
        raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message)
    like = _onGridOfScan(images["regions"], volumeNode)
    blank = like.with_array(np.zeros(like.array.shape, np.uint8))
    placed = {key: _placed(image, like) for key, image in images.items()}
    return ResultFiles(
        study=replace(study, input=replace(study.input, files=_fileNames(volumeNode))),
        regions=_as(placed["regions"], np.uint8),
        infarct=_as(placed.get("infarct", blank), np.uint8),
        heatmap=_as(placed.get("heatmap", blank), np.float32),
        compared=_as(placed["compared"], np.uint8) if "compared" in placed else None,
    )


def _onGridOfScan(image: Volume, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Volume:
    """Give an image the very matrix of the scan: NIfTI keeps it in single precision only.

    An image that lies elsewhere, as after a transform was changed while the program ran, stays.
    """
    grid = worldGrid(volumeNode)
    isSame = image.size == tuple(grid.size) and areSameGrid(image.affine, grid.affine, grid.size)
    return Volume(image.array, grid.affine) if isSame else image


def _placed(image: Volume, like: Volume) -> Volume:
    if image.size != like.size or not areSameGrid(image.affine, like.affine, like.size):
        message = "expected all images of a result on one grid"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    return like.with_array(image.array)


def _as(volume: Volume, kind: type[np.generic]) -> Volume:
    return volume.with_array(volume.array.astype(kind, copy=False))


def _fileNames(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> tuple[str, ...]:
    """Return the names of the scan's own files, or of the volume, as it is called in the scene."""
    storage = volumeNode.GetStorageNode()
    if storage is None or not storage.GetFileName():
        return (volumeNode.GetName(),)
    others = (storage.GetNthFileName(index) for index in range(storage.GetNumberOfFileNames()))
    names = [Path(name).name for name in (storage.GetFileName(), *others) if name]
    named = [name for name in dict.fromkeys(names) if not _LIKE_A_UID.fullmatch(name)]
    return tuple(named) or (volumeNode.GetName(),)
