"""Grey windows of a scan, and the colours of the heat map and of the voxels that were used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import slicer
from numpy.typing import NDArray

from ASPECTSLib.io.modality import Modality
from ASPECTSLib.report.looks import HeatLook, heat_look_of, look_of


@dataclass(frozen=True)
class Window:
    """The range of grey values, in HU for CT.

    Parameters
    ----------
    name
        What it is for, in a word.
    width, level
        From black to white, and the middle between them.
    multiples
        Black and white as multiples of the brain's median, for scans without a unit.
    """

    name: str
    width: float
    level: float
    multiples: tuple[float, float] | None = None

    def __str__(self) -> str:
        """Return it as a person reads it."""
        if self.multiples is None:
            return f"{self.name} {self.width:g}/{self.level:g}"
        return f"{self.name} {self.multiples[0]:g}–{self.multiples[1]:g} ×"


WINDOWS: dict[int, Window] = {
    1: Window("stroke", 40.0, 40.0),
    2: Window("brain", 80.0, 40.0),
    3: Window("narrow", 30.0, 35.0),
    4: Window("subdural", 200.0, 75.0),
    5: Window("bone", 2800.0, 600.0),
}
"""The presets of CT by the key that chooses them. 2 is the window for CT angiography too."""

RELATIVE_WINDOWS: dict[int, tuple[str, tuple[float, float]]] = {
    1: ("infarct", look_of(Modality.DWI).window),
    2: ("wide", (0.0, 4.5)),
    3: ("narrow", (0.5, 1.7)),
}
"""The presets of scans without a unit, as multiples of the brain's median: old and bright infarcts lie above 2.2
times, those of the first hours at 1.2 to 1.5 times."""

COMPARED_COLOUR = (40, 110, 255)
LEFT_OUT_COLOUR = (255, 230, 0)
"""Blue and yellow, which everyone can tell apart."""

Entry = tuple[str, float, float, float, float]
"""Of a colour table: name, then red, green and blue from 0 to 1, and 1 if it is painted at all, else 0."""

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
# "inferno" of matplotlib (N. Smith and S. van der Walt, CC0, https://bids.github.io/colormap), as in the report.
_BLACK_TO_YELLOW = (
    (0, 0, 4),
    (11, 7, 36),
    (33, 12, 74),
    (61, 9, 101),
    (87, 16, 110),
    (113, 25, 110),
    (138, 34, 106),
    (163, 44, 97),
    (188, 55, 84),
    (210, 70, 68),
    (228, 90, 49),
    (241, 115, 29),
    (249, 142, 9),
    (252, 172, 17),
    (249, 203, 53),
    (242, 234, 105),
    (252, 255, 164),
)
_COLOURS = 256


@dataclass(frozen=True)
class _ColourMap:
    """Colours of a heat map, from lowest to highest, and the tag of their table."""

    tag: str
    anchors: tuple[tuple[int, int, int], ...]


_COLOUR_MAPS: Mapping[str, _ColourMap] = {
    "RdBu_r": _ColourMap("ASPECTSHeatmapColours", _BLUE_TO_RED),
    "inferno": _ColourMap("ASPECTSProbabilityColours", _BLACK_TO_YELLOW),
}
"""By the name that matplotlib has for them."""


def presetWindows(
    modality: str, scan: NDArray[np.generic], brain: NDArray[np.bool_] | None = None
) -> dict[int, Window]:
    """Return the presets for a scan by the key that chooses them; the first is the one to begin with.

    Parameters
    ----------
    modality
        As results name it.
    scan
        Voxels.
    brain
        Mask on the grid of the scan. Where it is left out, what is brighter than the mean stands for the brain.
    """
    look = look_of(modality)
    if not look.is_relative:
        return WINDOWS
    inside = scan > scan.mean() if brain is None or not brain.any() else brain
    windows = {}
    for key, (name, multiples) in RELATIVE_WINDOWS.items():
        low, high = replace(look, window=multiples).window_of(scan, inside)
        windows[key] = Window(name, high - low, (high + low) / 2.0, multiples)
    return windows


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


def colourHeatmap(heatmapNode: slicer.vtkMRMLScalarVolumeNode, kind: str | None) -> None:
    """Colour a heat map as the report does.

    What is 0, which means not compared or no difference, is not painted at all, nor are small probabilities.

    Parameters
    ----------
    heatmapNode
        Differences in HU (blue darker, red brighter than the other side), or probabilities of infarct.
    kind
        What it holds, as results name it.
    """
    look = heat_look_of(kind)
    low, high = look.limits
    setWindow(heatmapNode, Window("heat map", high - low, (low + high) / 2.0))
    colours = _COLOUR_MAPS[look.colours]
    table = _colourTable(
        heatmapNode.GetScene(), colours.tag, _heatmapEntries(look, colours.anchors)
    )
    heatmapNode.GetDisplayNode().SetAndObserveColorNodeID(table.GetID())


def colourCompared(comparedNode: slicer.vtkMRMLLabelMapVolumeNode) -> None:
    """Colour a label map of voxels that were used (1) and brain voxels left out (2)."""
    comparedNode.CreateDefaultDisplayNodes()
    colours = (("outside", (0, 0, 0)), ("compared", COMPARED_COLOUR), ("left out", LEFT_OUT_COLOUR))
    entries = [
        (name, *(channel / 255 for channel in rgb), float(name != "outside"))
        for name, rgb in colours
    ]
    table = _colourTable(comparedNode.GetScene(), "ASPECTSComparedColours", entries)
    comparedNode.GetDisplayNode().SetAndObserveColorNodeID(table.GetID())


def _heatmapEntries(look: HeatLook, anchors: Sequence[tuple[int, int, int]]) -> list[Entry]:
    """Return the colours of a table; small values are not painted: views know no half-painted colours."""
    stops, places = np.linspace(0, 1, len(anchors)), np.linspace(0, 1, _COLOURS)
    channels = [np.interp(places, stops, channel) for channel in np.transpose(anchors)]
    isPainted = np.abs(np.interp(places, (0, 1), look.limits)) >= look.unpainted
    entries = np.column_stack([np.transpose(channels) / 255.0, isPainted.astype(float)]).tolist()
    return [(f"{n}", *entry) for n, entry in enumerate(entries)]


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
    for number, entry in enumerate(entries):
        node.SetColor(number, *entry)
    return scene.AddNode(node)
