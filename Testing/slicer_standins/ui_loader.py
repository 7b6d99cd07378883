"""Slicer's loader of .ui files: it knows the CTK and MRML widgets and refuses what has no stand-in."""

# ruff: noqa: N802, N803
from __future__ import annotations

import inspect
import xml.etree.ElementTree as ET
from typing import Any

from PySide6 import QtCore, QtUiTools, QtWidgets

_known_widgets: dict[str, type] = {}
# Written as properties in forms, and none of the widget.
_OF_FORMS = ("buddy",)


def register_widget(cls: type) -> None:
    """Let .ui files name the class."""
    _known_widgets[cls.__name__] = cls


class QUiLoader(QtUiTools.QUiLoader):
    """Loads forms; unknown classes, properties and receivers raise a RuntimeError.

    Qt itself makes a plain QWidget of an unknown class and drops what it cannot set.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made: list[QtWidgets.QWidget] = []

    def createWidget(
        self, className: str, parent: QtWidgets.QWidget | None = None, name: str = ""
    ) -> QtWidgets.QWidget:
        """Make a widget that the form names; called by Qt."""
        if className not in _known_widgets:
            return super().createWidget(className, parent, name)
        widget = _known_widgets[className](parent)
        widget.setObjectName(name)
        self._made.append(widget)
        return widget

    def load(
        self, file: QtCore.QFile, parent: QtWidgets.QWidget | None = None
    ) -> QtWidgets.QWidget:
        """Return the widget that the form describes."""
        form = ET.fromstring(bytes(file.readAll().data()))
        self._refuse_unknown(form)
        _number_enumerators(form)
        connections = _take_mrml_connections(form)
        buffer = QtCore.QBuffer()
        buffer.setData(ET.tostring(form))
        buffer.open(QtCore.QIODevice.ReadOnly)
        widget = super().load(buffer, parent)
        # Qt owns the C++ side only: without a reference the Python side of a stand-in would go.
        vars(widget)["_stand_ins_of_form"] = self._made
        for connection in connections:
            _make_connection(widget, connection)
        return widget

    def _refuse_unknown(self, form: ET.Element) -> None:
        available = {*_known_widgets, *self.availableWidgets(), "Line"}
        for widget in form.iter("widget"):
            class_name = widget.get("class", "")
            if class_name not in available:
                message = f"no stand-in for the widget class {class_name}"
                raise RuntimeError(message)
            if class_name != "Line":
                _refuse_unknown_properties(class_name, widget)


def _refuse_unknown_properties(class_name: str, widget: ET.Element) -> None:
    cls = _known_widgets.get(class_name) or getattr(QtWidgets, class_name)
    for described in widget.findall("property"):
        name = described.get("name", "")
        # Not asked of cls.staticMetaObject: PySide takes it away with the first widget that is deleted.
        kind = type(inspect.getattr_static(cls, name, None))
        if (
            kind not in (property, QtCore.Property)
            and name not in _OF_FORMS
            and described.get("stdset") != "0"
        ):
            message = f"{class_name} has no property {name!r}, or none in its stand-in"
            raise RuntimeError(message)


def _number_enumerators(form: ET.Element) -> None:
    """Write `ctkPathLineEdit::Dirs|...` as a number: Qt does not know enumerators of Python classes."""
    for described in form.iter("property"):
        for kind in ("set", "enum"):
            value = described.find(kind)
            if value is None or value.text.split("::")[0] not in _known_widgets:
                continue
            owner = _known_widgets[value.text.split("::")[0]]
            names = [word.split("::")[-1] for word in value.text.split("|")]
            described.remove(value)
            number = ET.SubElement(described, "number")
            number.text = str(sum(int(getattr(owner, name)) for name in names))


def _take_mrml_connections(form: ET.Element) -> list[ET.Element]:
    """Remove the connections that carry MRML objects, which Qt cannot make here, and return them."""
    connections = form.find("connections")
    if connections is None:
        return []
    taken = [c for c in connections if "vtkMRML" in c.findtext("signal", "")]
    for connection in taken:
        connections.remove(connection)
    return taken


def _make_connection(form: QtWidgets.QWidget, connection: ET.Element) -> None:
    objects: dict[str, Any] = {form.objectName: form}
    for child in form.findChildren(QtCore.QObject):
        objects.setdefault(child.objectName, child)
    ends = [connection.findtext(key, "") for key in ("sender", "signal", "receiver", "slot")]
    sender, signal, receiver, slot = ends
    for name in (sender, receiver):
        if name not in objects:
            message = f"the form connects {name!r}, which it does not have"
            raise RuntimeError(message)
    objects[sender].connect(signal, objects[receiver], slot)
