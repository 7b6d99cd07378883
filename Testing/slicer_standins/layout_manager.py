"""What `slicer.app.layoutManager()` returns, on views without a screen and with Slicer's layout logic.

As in the application there is a view for each slice node of the scene, shown or not, and a change of
the layout node maps those of the arrangement. 3D, table and plot views are left out.
"""

# ruff: noqa: N802 - the names are Slicer's

from __future__ import annotations

import slicer
import vtk

from slicer_standins.offscreen_views import OffscreenSliceView

VIEW_SIZE = (400, 400)


class SliceView:
    """What `sliceWidget.sliceView()` returns."""

    def __init__(self, view: OffscreenSliceView) -> None:
        self._view = view

    def renderWindow(self) -> vtk.vtkRenderWindow:
        return self._view.window

    def interactor(self) -> vtk.vtkRenderWindowInteractor:
        return self._view.interactor

    def forceRender(self) -> None:
        self._view.render()

    def scheduleRender(self) -> None:
        """Draw at once: there is no event loop that could do it later."""
        self._view.render()


class SliceController:
    """What `sliceWidget.sliceController()` returns."""

    def __init__(self, view: OffscreenSliceView) -> None:
        self._view = view

    def fitSliceToBackground(self) -> None:
        logic = self._view.logic
        logic.StartSliceNodeInteraction(slicer.vtkMRMLSliceNode.ResetFieldOfViewFlag)
        logic.FitSliceToBackground()
        self._view.node.UpdateMatrices()
        logic.EndSliceNodeInteraction()


class SliceWidget:
    """What `layoutManager.sliceWidget(name)` returns; `view` is the stand-in's own, for tests."""

    def __init__(self, view: OffscreenSliceView) -> None:
        self.view = view
        self._slice_view, self._controller = SliceView(view), SliceController(view)

    def sliceLogic(self) -> slicer.vtkMRMLSliceLogic:
        return self.view.logic

    def mrmlSliceNode(self) -> slicer.vtkMRMLSliceNode:
        return self.view.node

    def mrmlSliceCompositeNode(self) -> slicer.vtkMRMLSliceCompositeNode:
        return self.view.logic.GetSliceCompositeNode()

    def sliceView(self) -> SliceView:
        return self._slice_view

    def sliceController(self) -> SliceController:
        return self._controller


class LayoutManager:
    """The views of an application.

    Parameters
    ----------
    scene
        The scene, in which the layout logic makes its nodes at once.
    application_logic
        Logic of the application; it gets a collection of slice logics where it has none.
    size
        Width and height of each view in pixels.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        application_logic: slicer.vtkMRMLApplicationLogic,
        size: tuple[int, int] = VIEW_SIZE,
    ) -> None:
        self._scene, self._application_logic, self._size = scene, application_logic, size
        self._widgets: dict[str, SliceWidget] = {}
        if application_logic.GetSliceLogics() is None:
            application_logic.SetSliceLogics(vtk.vtkCollection())
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(scene)
        self._observer = self._layout_node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._update)
        self._update()

    @property
    def layout(self) -> int:
        return self._layout_node.GetViewArrangement()

    def setLayout(self, arrangement: int) -> None:
        if not self._layout_node.IsLayoutDescription(arrangement):
            arrangement = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
        self._layout_node.SetViewArrangement(arrangement)

    def layoutLogic(self) -> slicer.vtkMRMLLayoutLogic:
        return self._logic

    def mrmlSliceLogics(self) -> vtk.vtkCollection:
        return self._application_logic.GetSliceLogics()

    def sliceViewNames(self) -> tuple[str, ...]:
        return tuple(self._widgets)

    def sliceWidget(self, name: str) -> SliceWidget | None:
        return self._widgets.get(name)

    def close(self) -> None:
        """Let go of the scene; views that outlive it crash at its next event."""
        self._layout_node.RemoveObserver(self._observer)
        for widget in self._widgets.values():
            widget.view.close()
        self._widgets.clear()
        self._logic.SetMRMLScene(None)

    @property
    def _layout_node(self) -> slicer.vtkMRMLLayoutNode:
        return self._logic.GetLayoutNode()

    def _update(self, *_event: object) -> None:
        mapped = self._logic.GetViewNodes()
        for order in range(self._scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
            node = self._scene.GetNthNodeByClass(order, "vtkMRMLSliceNode")
            if node.GetName() not in self._widgets:
                view = OffscreenSliceView(node, self._application_logic, self._size)
                self._widgets[node.GetName()] = SliceWidget(view)
            node.SetMappedInLayout(bool(mapped.IsItemPresent(node)))
