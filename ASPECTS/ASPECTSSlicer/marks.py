"""Words on the slice views: sides of the patient, title, and names of regions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from slicer.util import arrayFromVTKMatrix

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.geometry import apply_affine
from ASPECTSSlicer.planes import SliceGrid

_SIDES = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))
"""Words for the negative and the positive direction of R, A and S."""

_SIDE_SIZE, _TITLE_SIZE, _LABEL_SIZE = 16, 14, 12  # points
_EDGE = 0.015  # of the view, between its edge and a word
_HALF_SLICE = 0.5  # pixels of a slice view are as deep as the slices of its volume


_CAPTION_OPACITY = 0.75


class SideMarks:
    """The words "right" and "left" at the edges of a slice view, and its title above.

    The words are read from where the view looks at, so that they stay true however it is turned.
    They are drawn with the view's next rendering; the caller asks for one after `remove`.

    Parameters
    ----------
    renderer
        The renderer of the slice view.
    sliceNode
        The node of the slice view.
    title
        Called with the slice node at each change of it for what stands above.
    """

    def __init__(
        self,
        renderer: vtk.vtkRenderer,
        sliceNode: slicer.vtkMRMLSliceNode,
        title: Callable[[slicer.vtkMRMLSliceNode], str] | None = None,
    ) -> None:
        self._renderer, self._sliceNode, self._title = renderer, sliceNode, title
        self._start = _edgeText((_EDGE, 0.5), "Left", "Centered", _SIDE_SIZE)
        self._end = _edgeText((1.0 - _EDGE, 0.5), "Right", "Centered", _SIDE_SIZE)
        self._top = _edgeText((0.5, 1.0 - _EDGE), "Centered", "Top", _TITLE_SIZE)
        for actor in (self._start, self._end, self._top):
            renderer.AddViewProp(actor)
        self._observer = sliceNode.AddObserver(vtk.vtkCommand.ModifiedEvent, self.update)
        self.update()

    @property
    def texts(self) -> tuple[str, str, str]:
        """What stands at the left edge, at the right edge, and above."""
        return self._start.GetInput(), self._end.GetInput(), self._top.GetInput()

    def update(self, *_event: object) -> None:
        """Read the words from the slice node again."""
        toScreenRight = arrayFromVTKMatrix(self._sliceNode.GetSliceToRAS())[:3, 0]
        self._start.SetInput(sideName(-toScreenRight))
        self._end.SetInput(sideName(toScreenRight))
        self._top.SetInput(self._title(self._sliceNode) if self._title else "")

    def remove(self) -> None:
        """Take the words off the view and observe it no longer; doing it again changes nothing."""
        self._sliceNode.RemoveObserver(self._observer)
        for actor in (self._start, self._end, self._top):
            self._renderer.RemoveViewProp(actor)


class Caption:
    """A text of some lines at the lower left edge of a view, in a small size.

    Parameters
    ----------
    renderer
        The renderer of the slice view.
    text
        The lines.
    """

    def __init__(self, renderer: vtk.vtkRenderer, text: str) -> None:
        self._renderer = renderer
        self._actor = _edgeText((0.01, 0.01), "Left", "Bottom", _LABEL_SIZE)
        self._actor.SetInput(text.replace("→", "to"))  # VTK's own font has no arrows
        self._actor.GetTextProperty().SetBackgroundColor(0.0, 0.0, 0.0)
        self._actor.GetTextProperty().SetBackgroundOpacity(_CAPTION_OPACITY)
        renderer.AddViewProp(self._actor)

    def remove(self) -> None:
        """Take the text off the view."""
        self._renderer.RemoveViewProp(self._actor)


class Label(NamedTuple):
    """A word at a point of the world; `colour` is red, green and blue from 0 to 1."""

    text: str
    centreRas: tuple[float, float, float]
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)


class RegionLabels:
    """Words at points of the world, each shown where it lies in the slice of a view.

    Parameters
    ----------
    renderer
        The renderer of the slice view.
    sliceNode
        The node of the slice view.
    labels
        The words; see `regionLabels`.
    """

    def __init__(
        self,
        renderer: vtk.vtkRenderer,
        sliceNode: slicer.vtkMRMLSliceNode,
        labels: Sequence[Label] = (),
    ) -> None:
        self._renderer, self._sliceNode = renderer, sliceNode
        self._labels: Sequence[Label] = ()
        self._actors: list[vtk.vtkTextActor] = []
        self._observer = sliceNode.AddObserver(vtk.vtkCommand.ModifiedEvent, self.update)
        self.setLabels(labels)

    @property
    def texts(self) -> list[str]:
        """The words that are shown now."""
        return [actor.GetInput() for actor in self._actors if actor.GetVisibility()]

    def setLabels(self, labels: Sequence[Label]) -> None:
        """Show other words."""
        self._labels = tuple(labels)
        self.update()

    def update(self, *_event: object) -> None:
        """Place the words that lie in the slice shown and hide the others."""
        shown = list(self._labelsInSlice())
        while len(self._actors) < len(shown):
            actor = _text(_LABEL_SIZE, "Centered", "Centered")
            self._renderer.AddViewProp(actor)
            self._actors.append(actor)
        for actor, (label, x, y) in zip(self._actors, shown, strict=False):
            actor.SetInput(label.text)
            actor.GetTextProperty().SetColor(label.colour)
            actor.SetPosition(x, y)
        for order, actor in enumerate(self._actors):
            actor.SetVisibility(order < len(shown))

    def remove(self) -> None:
        """Take the words off the view and observe it no longer; doing it again changes nothing."""
        self._sliceNode.RemoveObserver(self._observer)
        for actor in self._actors:
            self._renderer.RemoveViewProp(actor)
        self._actors = []

    def _labelsInSlice(self) -> Iterator[tuple[Label, float, float]]:
        """Yield the labels in the slice shown, with their place in pixels."""
        if not self._labels:
            return
        rasToXy = np.linalg.inv(arrayFromVTKMatrix(self._sliceNode.GetXYToRAS()))
        centres = apply_affine(rasToXy, np.array([label.centreRas for label in self._labels]))
        for order in np.flatnonzero(np.abs(centres[:, 2]) < _HALF_SLICE):
            x, y, _ = centres[order].tolist()
            yield self._labels[order], x, y


def sideName(directionRas: NDArray[np.float64]) -> str:
    """Return the word for the side of the patient to which a direction points most."""
    axis = int(np.argmax(np.abs(directionRas)))
    return _SIDES[axis][int(directionRas[axis] > 0)]


def regionLabels(labels: NDArray[np.uint8], grid: SliceGrid) -> list[Label]:
    """Return the code of each region at its middle, in each slice in which it lies.

    Parameters
    ----------
    labels
        Label map, indexed [k, j, i], labels as in `ASPECTSLib.atlas.regions`.
    grid
        The slices of the label map in the world.
    """
    found = []
    for index, plane in enumerate(np.moveaxis(labels, 2 - grid.axis, 0)):
        places = np.argwhere(plane)
        values = plane[tuple(places.T)]
        for value in np.unique(values):
            kji = np.insert(_innermost(places[values == value]), 2 - grid.axis, index)
            centre = apply_affine(grid.affine, kji[::-1].astype(np.float64))
            found.append(Label(REGIONS[value - 1].code.value, tuple(centre.tolist())))
    return found


def _innermost(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the one of some voxels that is nearest to their middle, which may lie outside of them."""
    return places[np.argmin(((places - places.mean(axis=0)) ** 2).sum(axis=1))]


def _edgeText(
    position: tuple[float, float], horizontal: str, vertical: str, size: int
) -> vtk.vtkTextActor:
    actor = _text(size, horizontal, vertical)
    actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
    actor.SetPosition(*position)
    return actor


def _text(size: int, horizontal: str, vertical: str) -> vtk.vtkTextActor:
    actor = vtk.vtkTextActor()
    actor.SetPickable(False)
    style = actor.GetTextProperty()
    style.SetFontSize(size)
    style.SetColor(1.0, 1.0, 1.0)
    style.SetShadow(True)  # readable on bone as on air
    getattr(style, f"SetJustificationTo{horizontal}")()
    getattr(style, f"SetVerticalJustificationTo{vertical}")()
    return actor
