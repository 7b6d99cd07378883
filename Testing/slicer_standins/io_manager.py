"""`slicer.app.coreIOManager()`: what `slicer.util.loadVolume`, `saveNode`, `loadScene` and `saveScene` need."""

# ruff: noqa: N802
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import slicer
    import vtk

    from slicer_standins.application import Application

_SCENE_SUFFIXES = (".mrml", ".mrb")
_SEGMENTATION_SUFFIXES = (".seg.nrrd", ".seg.nii.gz")


class CoreIOManager:
    """Reads and writes volumes, segmentations and scenes with slicer-core's storage nodes and logics."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def fileType(self, file_name: str) -> str:
        """Return the kind of a file, by its suffix."""
        name = str(file_name).lower()
        if name.endswith(_SCENE_SUFFIXES):
            return "SceneFile"
        return "SegmentationFile" if name.endswith(_SEGMENTATION_SUFFIXES) else "VolumeFile"

    def loadNodes(
        self,
        file_type: str,
        properties: dict[str, Any],
        loaded: vtk.vtkCollection,
        _messages: object = None,
    ) -> bool:
        """Load a file into the scene; False if that failed."""
        path = Path(properties["fileName"])
        if not path.is_file():
            return False
        if file_type == "SceneFile":
            return self._load_scene(path, properties)
        node = self._load_node(file_type, path, properties)
        if node is None:
            return False
        loaded.AddItem(node)
        return True

    def _load_node(
        self, file_type: str, path: Path, properties: dict[str, Any]
    ) -> slicer.vtkMRMLNode | None:
        name = properties.get("name") or path.name.split(".")[0]
        if file_type == "SegmentationFile":
            logic = self._application.module_logic("Segmentations")
            return logic.LoadSegmentationFromFile(str(path), True, name)
        if file_type != "VolumeFile":
            message = f"files of type {file_type} have no stand-in"
            raise NotImplementedError(message)
        is_label_map = int(bool(properties.get("labelmap")))
        logic = self._application.module_logic("Volumes")
        node = logic.AddArchetypeVolume(str(path), name, is_label_map)
        if node is not None and properties.get("show", True):
            self._show(node)
        return node

    def _show(self, node: slicer.vtkMRMLVolumeNode) -> None:
        application_logic = self._application.applicationLogic()
        selection = application_logic.GetSelectionNode()
        if node.IsA("vtkMRMLLabelMapVolumeNode"):
            selection.SetActiveLabelVolumeID(node.GetID())
        else:
            selection.SetActiveVolumeID(node.GetID())
        application_logic.PropagateVolumeSelection()

    def _load_scene(self, path: Path, properties: dict[str, Any]) -> bool:
        scene = self._application.mrmlScene()
        if properties.get("clear"):
            scene.Clear(False)
        if path.suffix == ".mrb":
            return bool(scene.ReadFromMRB(str(path)))
        scene.SetURL(str(path))
        return bool(scene.Import(None))

    def saveNodes(
        self, file_type: str, properties: dict[str, Any], _messages: object = None
    ) -> bool:
        """Write the scene, or one node by its storage node; False if that failed."""
        scene = self._application.mrmlScene()
        path = str(properties["fileName"])
        if file_type != "SceneFile":
            return _save_node(scene.GetNodeByID(properties["nodeID"]), path, properties)
        scene.SetRootDirectory(str(Path(path).parent))
        scene.SetURL(path)
        return bool(scene.WriteToMRB(path) if path.endswith(".mrb") else scene.Commit(path))

    def fileWriterFileType(self, node: slicer.vtkMRMLNode) -> str:
        """Return the kind of file that a node is written to; the storage node knows the rest."""
        return node.GetClassName()


def _save_node(node: slicer.vtkMRMLStorableNode, path: str, properties: dict[str, Any]) -> bool:
    if node.GetStorageNode() is None:
        node.AddDefaultStorageNode(path)
    storage = node.GetStorageNode()
    storage.SetFileName(path)
    if "useCompression" in properties:
        storage.SetUseCompression(int(properties["useCompression"]))
    return bool(storage.WriteData(node))
