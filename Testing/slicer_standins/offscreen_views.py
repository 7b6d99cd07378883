"""Slice views without a screen: Slicer's own slice logic and displayable managers, drawn into memory."""

from __future__ import annotations

import functools
import subprocess
import sys

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

# What a slice view of the application draws; classes that a build lacks are left out.
_DISPLAYABLE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager2D",
)

_PROBE = """
import vtk
window = vtk.vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(8, 8)
renderer = vtk.vtkRenderer()
renderer.SetBackground(1, 0, 0)
window.AddRenderer(renderer)
grabber = vtk.vtkWindowToImageFilter()
grabber.SetInput(window)
grabber.ReadFrontBufferOff()
grabber.Update()
raise SystemExit(grabber.GetOutput().GetScalarComponentAsDouble(4, 4, 0, 0) != 255)
"""


@functools.cache
def rendering_available() -> bool:
    """Tell whether pictures can be drawn here; tried in a process of its own, for VTK may abort."""
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return probe.returncode == 0


class OffscreenSliceView:
    """One slice view: its logic, its render window, and all that Slicer draws into it.

    Parameters
    ----------
    slice_node
        The view's node, in a scene.
    application_logic
        Logic of the application, with a collection of slice logics.
    size
        Width and height in pixels.
    """

    def __init__(
        self,
        slice_node: slicer.vtkMRMLSliceNode,
        application_logic: slicer.vtkMRMLApplicationLogic,
        size: tuple[int, int],
    ) -> None:
        self.node, self._application_logic = slice_node, application_logic
        self._make_window(size)
        self._add_image_actor()
        self._make_displayable_managers()
        self._make_logic()
        self._connect_interactor()
        self.logic.ResizeSliceNode(*size)

    def render(self) -> None:
        """Draw the view as it is now."""
        self.window.Render()

    def picture(self) -> NDArray[np.uint8]:
        """Return what the view shows, shape (height, width, 3), the top row first."""
        self.render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self.window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        image = grabber.GetOutput()
        width, height, _ = image.GetDimensions()
        pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)
        return pixels[::-1].copy()

    def resize(self, size: tuple[int, int]) -> None:
        """Give the view another size, as when the user enlarges the application."""
        self.window.SetSize(*size)
        self.logic.ResizeSliceNode(*size)

    def pixel_of(self, point_ras: tuple[float, float, float]) -> tuple[int, int]:
        """Return row and column of the picture that show a point of the world."""
        ras_to_xy = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.node.GetXYToRAS(), ras_to_xy)
        x, y, _, _ = ras_to_xy.MultiplyPoint((*point_ras, 1.0))
        return self.window.GetSize()[1] - 1 - round(y), round(x)

    def close(self) -> None:
        """Take the view off the scene, which it would otherwise listen to for as long as it lives."""
        self.displayable_managers.SetMRMLDisplayableNode(None)
        self._style.SetDisplayableManagers(None)
        self._application_logic.GetSliceLogics().RemoveItem(self.logic)
        self.logic.SetMRMLScene(None)

    def _make_window(self, size: tuple[int, int]) -> None:
        self.renderer = vtk.vtkRenderer()
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.window.AddRenderer(self.renderer)
        self.window.SetSize(*size)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()

    def _add_image_actor(self) -> None:
        """Add what CTK's slice view draws the reformatted image with.

        It must be the renderer's first prop: the fill of a segment writes depth, and an image that
        is drawn after it is hidden there.
        """
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._image_actor = vtk.vtkActor2D()
        self._image_actor.SetMapper(self._mapper)
        self._image_actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(self._image_actor)
        self.window.AddObserver(vtk.vtkCommand.StartEvent, self._connect_image)

    def _connect_image(self, *_event: object) -> None:
        """Draw what the logic makes now: it makes another image when layers come or go."""
        connection = self.logic.GetImageDataConnection()
        self._mapper.SetInputConnection(connection)
        self._image_actor.SetVisibility(connection is not None)

    def _make_displayable_managers(self) -> None:
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(self._application_logic)
        for name in _DISPLAYABLE_MANAGERS:
            if hasattr(slicer, name) and not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.displayable_managers = slicer.vtkMRMLDisplayableManagerGroup()
        self.displayable_managers.SetRenderer(self.renderer)
        self.displayable_managers.Initialize(factory, self.renderer)

    def _make_logic(self) -> None:
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(self._application_logic)
        self._application_logic.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(self.node.GetScene())
        self.logic.SetSliceNode(self.node)
        self.displayable_managers.SetMRMLDisplayableNode(self.node)

    def _connect_interactor(self) -> None:
        """Give the displayable managers their interactor style, without which they crash on events."""
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetSliceLogic(self.logic)
        self._style.SetDisplayableManagers(self.displayable_managers)
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._style.SetInteractor(self.interactor)
