"""Volumes of the scene as files, and back."""

from __future__ import annotations

from pathlib import Path

import slicer


def writeVolume(volumeNode: slicer.vtkMRMLScalarVolumeNode, path: Path) -> None:
    """Write a volume on its own grid, without its parent transform; the scene stays as it is.

    A storage node of its own is used, so that the name under which the user saves the volume does
    not change.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    if not storage.WriteData(volumeNode):
        message = f"expected to write the volume as {path.name}, got an error"
        raise OSError(message)


def readLabelMap(path: Path) -> slicer.vtkMRMLLabelMapVolumeNode:
    """Read a label map into a node that belongs to no scene.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    labelMapNode = slicer.vtkMRMLLabelMapVolumeNode()
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    if not storage.ReadData(labelMapNode):
        message = f"expected a label map in {path.name}, got an error"
        raise OSError(message)
    return labelMapNode
