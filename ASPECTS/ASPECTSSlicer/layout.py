"""The arrangement of four slice views: both key slices, each plain and annotated."""

from __future__ import annotations

from typing import NamedTuple

import slicer

from ASPECTSLib.atlas.regions import Level

LAYOUT_ID = 27351
"""Number of the arrangement; Slicer's own end at 100, the examples of its documentation use 501 and 567."""


class ViewPair(NamedTuple):
    """Names of the two views of one level, which are the singleton tags of their nodes."""

    plain: str
    annotated: str


VIEW_PAIRS: dict[Level, ViewPair] = {
    Level.GANGLIONIC: ViewPair("ASPECTSGanglionic", "ASPECTSGanglionicAnnotated"),
    Level.SUPRAGANGLIONIC: ViewPair("ASPECTSSupraganglionic", "ASPECTSSupraganglionicAnnotated"),
}

VIEW_NAMES: tuple[str, ...] = tuple(name for pair in VIEW_PAIRS.values() for name in pair)
"""All four views: from left to right, then from top to bottom."""

# Linked views follow one another within their group only: the levels must not.
_VIEW_GROUPS = {Level.GANGLIONIC: 27351, Level.SUPRAGANGLIONIC: 27352}
_LABELS = {Level.GANGLIONIC: ("G", "G+"), Level.SUPRAGANGLIONIC: ("S", "S+")}
_COLOURS = {Level.GANGLIONIC: "#56B4E9", Level.SUPRAGANGLIONIC: "#E69F00"}


def registerLayout(layoutNode: slicer.vtkMRMLLayoutNode) -> None:
    """Make the arrangement known to the layout node; doing it again changes nothing.

    A scene that is saved with the arrangement shown comes up without views where it is unknown:
    register it when the application starts, not when the module is first opened.
    """
    if not layoutNode.IsLayoutDescription(LAYOUT_ID):
        layoutNode.AddLayoutDescription(LAYOUT_ID, layoutDescription())


def showLayout(layoutNode: slicer.vtkMRMLLayoutNode) -> int:
    """Show the four views, and return the number of the arrangement that they replace.

    Where they are shown already, as in a scene that was saved so, it is that of Slicer's own
    four views.
    """
    registerLayout(layoutNode)
    previous = layoutNode.GetViewArrangement()
    layoutNode.SetViewArrangement(LAYOUT_ID)
    return slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView if previous == LAYOUT_ID else previous


def restoreLayout(layoutNode: slicer.vtkMRMLLayoutNode, previous: int) -> None:
    """Bring an arrangement back, unless the user has chosen another one than ours meanwhile."""
    if layoutNode.GetViewArrangement() == LAYOUT_ID:
        layoutNode.SetViewArrangement(previous)


def sliceNodeOf(scene: slicer.vtkMRMLScene, viewName: str) -> slicer.vtkMRMLSliceNode:
    """Return the slice node of one of the four views.

    Raises
    ------
    LookupError
        If the arrangement was never shown in this scene: showing it makes the nodes.
    """
    node = scene.GetSingletonNode(viewName, "vtkMRMLSliceNode")
    if node is None:
        message = f"expected the view {viewName} in the scene: show the layout first"
        raise LookupError(message)
    return node


def levelOf(sliceNode: slicer.vtkMRMLSliceNode) -> Level:
    """Return the level that one of the four views shows; a LookupError if it is another view."""
    levels = {viewName: level for level, pair in VIEW_PAIRS.items() for viewName in pair}
    return levels[sliceNode.GetLayoutName()]


def layoutDescription() -> str:
    """Return the arrangement as the XML that Slicer's layout logic makes slice nodes from."""
    rows = "".join(f"<item>{_row(level)}</item>" for level in VIEW_PAIRS)
    return f'<layout type="vertical" split="true">{rows}</layout>'


def _row(level: Level) -> str:
    views = zip(VIEW_PAIRS[level], _LABELS[level], strict=True)
    items = "".join(f"<item>{_view(level, name, label)}</item>" for name, label in views)
    return f'<layout type="horizontal" split="true">{items}</layout>'


def _view(level: Level, name: str, label: str) -> str:
    properties = {
        "orientation": "Axial",
        "viewlabel": label,
        "viewcolor": _COLOURS[level],
        "viewgroup": str(_VIEW_GROUPS[level]),
    }
    # "default" is applied once, when the node is made: what the user changes later stays.
    inside = "".join(
        f'<property name="{key}" action="default">{value}</property>'
        for key, value in properties.items()
    )
    return f'<view class="vtkMRMLSliceNode" singletontag="{name}">{inside}</view>'
