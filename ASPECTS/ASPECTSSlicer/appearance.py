"""Grey windows of a scan, and the colours of the heat map and of the voxels that were compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import slicer

from ASPECTSLib.report.figure import HEATMAP_LIMIT_HU


@dataclass(frozen=True)
class Window:
    """The range of grey values, in HU for CT.

    Parameters
    ----------
    name
        What it is for, in a word.
    width, level
        From black to white, and the middle between them.
    """

    name: str
    width: float
    level: float


WINDOWS: dict[int, Window] = {
    1: Window("stroke", 40.0, 40.0),
    2: Window("brain", 80.0, 40.0),
    3: Window("narrow", 30.0, 35.0),
    4: Window("subdural", 200.0, 75.0),
    5: Window("bone", 2800.0, 600.0),
}
"""The presets by the key that chooses them. 2 is the window for CT angiography too."""

COMPARED_COLOUR = (40, 110, 255)
LEFT_OUT_COLOUR = (255, 230, 0)
"""Blue and yellow, which everyone can tell apart."""

Entry = tuple[str, float, float, float, bool]
"""Of a colour table: name, red, green and blue from 0 to 1, and whether it is painted at all."""

# RdBu of ColorBrewer 2.0 (Brewer and Harrower, https://colorbrewer2.org), from blue to red, as in the
# picture of the report.
_BLUE_TO_RED = (
    (5, 48, 97),
    (33, 102, 172),
    (67, 147, 195),
    (146, 197, 222),
    (209, 229, 240),
    (247, 247, 247),
    (253, 219, 199),
    (244, 165, 130),
    (214, 96, 77),
    (178, 24, 43),
    (103, 0, 31),
)
_COLOURS = 256
_NOTHING = 127  # the entry of 0 in a window around 0, and of ±0.03 HU: one in 255 of the window


def setWindow(volumeNode: slicer.vtkMRMLScalarVolumeNode, window: Window | None) -> None:
    """Set the grey window of a volume in all views; None lets Slicer choose one."""
    volumeNode.CreateDefaultDisplayNodes()
    display = volumeNode.GetDisplayNode()
    modifying = display.StartModify()
    display.SetAutoWindowLevel(window is None)
    if window:
        display.SetWindowLevel(window.width, window.level)
    display.EndModify(modifying)


def windowOf(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Window | None:
    """Return the grey window of a volume, for `setWindow` to bring back; None if Slicer chose it."""
    display = volumeNode.GetDisplayNode()
    if display is None or display.GetAutoWindowLevel():
        return None
    return Window("own", display.GetWindow(), display.GetLevel())


def colourHeatmap(heatmapNode: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Colour a heat map as the report does: blue darker, red brighter than the other side.

    What is 0, which means not compared or no difference, is not painted at all.
    """
    setWindow(heatmapNode, Window("heat map", 2.0 * HEATMAP_LIMIT_HU, 0.0))
    table = _colourTable(heatmapNode.GetScene(), "ASPECTSHeatmapColours", _heatmapEntries())
    heatmapNode.GetDisplayNode().SetAndObserveColorNodeID(table.GetID())


def colourCompared(comparedNode: slicer.vtkMRMLLabelMapVolumeNode) -> None:
    """Colour a label map of voxels that were compared (1) and brain voxels left out (2)."""
    comparedNode.CreateDefaultDisplayNodes()
    colours = (("outside", (0, 0, 0)), ("compared", COMPARED_COLOUR), ("left out", LEFT_OUT_COLOUR))
    entries = [
        (name, *(channel / 255 for channel in rgb), name != "outside") for name, rgb in colours
    ]
    table = _colourTable(comparedNode.GetScene(), "ASPECTSComparedColours", entries)
    comparedNode.GetDisplayNode().SetAndObserveColorNodeID(table.GetID())


def _heatmapEntries() -> list[Entry]:
    anchors, places = np.linspace(0, 1, len(_BLUE_TO_RED)), np.linspace(0, 1, _COLOURS)
    channels = [np.interp(places, anchors, channel) for channel in np.transpose(_BLUE_TO_RED)]
    colours = (np.transpose(channels) / 255.0).tolist()
    return [(f"{n}", *colour, n != _NOTHING) for n, colour in enumerate(colours)]


def _colourTable(
    scene: slicer.vtkMRMLScene, tag: str, entries: Sequence[Entry]
) -> slicer.vtkMRMLColorTableNode:
    """Return the colour table with this tag, which a scene has once and does not save."""
    node = scene.GetSingletonNode(tag, "vtkMRMLColorTableNode")
    if node:
        return node
    node = slicer.vtkMRMLColorTableNode()
    node.SetSingletonTag(tag)
    node.SetName(tag)
    node.SetTypeToUser()
    node.SetSaveWithScene(False)
    node.SetNumberOfColors(len(entries))
    for number, (name, red, green, blue, isPainted) in enumerate(entries):
        node.SetColor(number, name, red, green, blue, float(isPainted))
    return scene.AddNode(node)
