"""A tiny scripted module with a form of its own, on which the stand-ins for Slicer are tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
import qt
import slicer
import vtk
from typing import Annotated, Optional

from slicer import vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin


class Tiny(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "Tiny"


@parameterNodeWrapper
class TinyParameterNode:
    scan: Optional[vtkMRMLScalarVolumeNode]
    other: vtkMRMLScalarVolumeNode
    age: Annotated[int, WithinRange(0, 120)] = 60
    cutoff: Annotated[float, WithinRange(-5, 10), Default(2.5)]
    method: Annotated[str, Choice(["auto", "classical"])] = "auto"
    outlines: bool = True
    reader: str


class TinyWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.calls = []

    def setup(self):
        super().setup()
        panel = slicer.util.loadUI(self.resourcePath("UI/Tiny.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = TinyLogic()
        self.parameters = self.logic.getParameterNode()
        self.tag = self.parameters.connectGui(self.ui)
        self.ui.button.connect("clicked(bool)", self.onButton)
        self.calls.append("setup")

    def enter(self):
        self.calls.append("enter")

    def exit(self):
        self.calls.append("exit")

    def cleanup(self):
        self.calls.append("cleanup")
        self.parameters.disconnectGui(self.tag)
        self.removeObservers()

    def onButton(self):
        self.calls.append("button")


class TinyLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return TinyParameterNode(super().getParameterNode())
"""

WIDGETS: dict[str, tuple[str, dict[str, bool]]] = {
    "scan": (
        "qMRMLNodeComboBox",
        {"noneEnabled": True, "addEnabled": False, "removeEnabled": False},
    ),
    "age": ("QSpinBox", {}),
    "cutoff": ("ctkSliderWidget", {}),
    "method": ("QComboBox", {}),
    "outlines": ("QCheckBox", {}),
    "reader": ("QLineEdit", {}),
}


def write_module(folder: Path) -> None:
    """Write the module Tiny and its form to a folder."""
    (folder / "Resources" / "UI").mkdir(parents=True)
    (folder / "Tiny.py").write_text(MODULE)
    items = [
        widget_xml(kind, name, properties, parameter=name)
        for name, (kind, properties) in WIDGETS.items()
    ]
    form = form_xml("".join(items) + widget_xml("QPushButton", "button", {}), {"scan"})
    (folder / "Resources" / "UI" / "Tiny.ui").write_text(form)


def load_form(folder: Path, widgets: str) -> Any:
    """Return the form that has the widgets."""
    import slicer

    (folder / "form.ui").write_text(form_xml(widgets, set()))
    return slicer.util.loadUI(str(folder / "form.ui"))


def widget_xml(
    kind: str, name: str, properties: dict[str, bool], parameter: str | None = None
) -> str:
    """Return a widget of a form; `parameter` is the one that it shows."""
    described = "".join(
        f'<property name="{key}"><bool>{str(value).lower()}</bool></property>'
        for key, value in properties.items()
    )
    if parameter:
        described += f'<property name="SlicerParameterName" stdset="0"><string>{parameter}</string></property>'
    return f'<widget class="{kind}" name="{name}">{described}</widget>'


def form_xml(widgets: str, of_scene: set[str]) -> str:
    """Return a form; the widgets named in `of_scene` get its scene."""
    connections = "".join(
        f"<connection><sender>form</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>"
        f"<receiver>{name}</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection>"
        for name in of_scene
    )
    return (
        f'<ui version="4.0"><class>Form</class><widget class="qMRMLWidget" name="form">{widgets}'
        f"</widget><connections>{connections}</connections></ui>"
    )


def add_volume(name: str) -> Any:
    """Return a volume of 4 slices, 6 rows and 5 columns in the scene."""
    import slicer

    voxels = np.arange(4 * 6 * 5, dtype=np.int16).reshape(4, 6, 5)
    return slicer.util.addVolumeFromArray(voxels, name=name)
