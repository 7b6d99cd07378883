"""Scenes with the four slice views and scans to show in them, for tests; needs `slicer-core`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import slicer
import vtk
from axis_orders import reordered
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import Level
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.report.result import KeySlicesInfo
from ASPECTSSlicer.appearance import Window
from ASPECTSSlicer.grids import fillVolume
from ASPECTSSlicer.layout import VIEW_PAIRS, showLayout

if TYPE_CHECKING:
    from slicer_standins.layout_manager import LayoutManager
    from slicer_standins.offscreen_views import OffscreenSliceView

SIZE_IJK = (40, 50, 12)
SPACING_MM = np.array([4.0, 4.0, 6.0])
GANGLIONIC, SUPRAGANGLIONIC = 4, 8
KEY_SLICES = KeySlicesInfo(axis=2, ganglionic=GANGLIONIC, supraganglionic=SUPRAGANGLIONIC)

LEFT_VALUE, FRONT_VALUE = 200, 250
LEFT_RAS, FRONT_RAS = (-60.0, 0.0, 0.0), (0.0, 80.0, 0.0)
GREY_AS_IS = Window("grey", 255.0, 127.5)
"""Shows voxels of 0 to 255 as pixels of the same value."""


def slice_value(index: int) -> int:
    """Return the value of a slice of the phantom, unlike that of any other slice."""
    return 20 + 10 * index


def phantom() -> Volume:
    """Return a scan in RAS order: slices of their own value, a block on the left, one in front."""
    size_i, size_j, size_k = SIZE_IJK
    array = np.empty((size_k, size_j, size_i), np.int16)
    array[:] = np.array([slice_value(k) for k in range(size_k)])[:, None, None]
    array[:, 22:28, 2:8] = LEFT_VALUE  # low i is the patient's left
    array[:, 42:48, 17:23] = FRONT_VALUE
    return Volume(array, centred_affine(array.shape, SPACING_MM))


def reordered_phantom(
    order: tuple[int, ...], flips: tuple[bool, ...]
) -> tuple[Volume, KeySlicesInfo]:
    """Return the phantom with its voxels stored in another order, and where its key slices are."""
    place = order.index(0)  # of the array axis that runs to the head
    lower, upper = (SIZE_IJK[2] - 1 - k if flips[0] else k for k in (GANGLIONIC, SUPRAGANGLIONIC))
    return reordered(phantom(), order, flips), KeySlicesInfo(2 - place, lower, upper)


def tilted(volume: Volume, degrees: float = 20.0) -> Volume:
    """Return a scan turned about all three axes of the world, voxels and all."""
    rotation = vtk.vtkTransform()
    rotation.RotateX(degrees)
    rotation.RotateY(degrees / 2)
    rotation.RotateZ(-degrees / 2)
    matrix = slicer.util.arrayFromVTKMatrix(rotation.GetMatrix())
    return Volume(volume.array, matrix @ volume.affine)


def add_volume(
    scene: slicer.vtkMRMLScene, volume: Volume, name: str = "scan"
) -> slicer.vtkMRMLScalarVolumeNode:
    """Add a volume to a scene, shown in grey from 0 to 255."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    fillVolume(node, volume)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(GREY_AS_IS.width, GREY_AS_IS.level)
    node.GetDisplayNode().SetInterpolate(False)
    return node


def add_transform(
    scene: slicer.vtkMRMLScene, volume_node: slicer.vtkMRMLScalarVolumeNode
) -> NDArray[np.float64]:
    """Put a volume under a transform that turns and moves it; return the transform's matrix."""
    transform = vtk.vtkTransform()
    transform.Translate(30.0, -20.0, 15.0)
    transform.RotateX(15.0)
    transform.RotateZ(10.0)
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(transform.GetMatrix())
    volume_node.SetAndObserveTransformNodeID(node.GetID())
    return slicer.util.arrayFromVTKMatrix(transform.GetMatrix())


def scene_with_layout() -> tuple[slicer.vtkMRMLScene, slicer.vtkMRMLLayoutLogic]:
    """Return a scene whose layout logic shows the four views, which nothing draws."""
    vtk.vtkObject.GlobalWarningDisplayOff()
    scene = slicer.vtkMRMLScene()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    logic = slicer.vtkMRMLLayoutLogic()
    logic.SetMRMLScene(scene)
    showLayout(logic.GetLayoutNode())
    return scene, logic


def skip_without_rendering() -> None:
    """Skip the test where nothing can be drawn."""
    offscreen = pytest.importorskip("slicer_standins.offscreen_views", reason="needs PySide6")
    if not offscreen.rendering_available():
        pytest.skip("needs offscreen rendering: libegl1 with libgl1-mesa-dri, or libosmesa6")


@dataclass
class DrawnViews:
    """A scene whose views are drawn into memory, ours shown."""

    scene: slicer.vtkMRMLScene
    manager: LayoutManager

    def view(self, level: Level, *, annotated: bool = False) -> OffscreenSliceView:
        return self.manager.sliceWidget(VIEW_PAIRS[level][annotated]).view

    def picture(self, level: Level, *, annotated: bool = False) -> NDArray[np.uint8]:
        return self.view(level, annotated=annotated).picture()


@contextmanager
def drawn_views(size: tuple[int, int] = (160, 200)) -> Iterator[DrawnViews]:
    """Make a scene with drawn views of that width and height, or skip the test where none can be drawn."""
    skip_without_rendering()
    from slicer_standins.layout_manager import LayoutManager

    vtk.vtkObject.GlobalWarningDisplayOff()
    scene = slicer.vtkMRMLScene()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.GetColorLogic().SetMRMLScene(scene)
    application.GetColorLogic().AddDefaultColorNodes()
    manager = LayoutManager(scene, application, size)
    showLayout(manager.layoutLogic().GetLayoutNode())
    try:
        yield DrawnViews(scene, manager)
    finally:
        manager.close()
