"""How a parameter and a widget exchange values, for the stand-in of `slicer.parameterNodeWrapper`."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ctk
import qt
import slicer

if TYPE_CHECKING:
    from collections.abc import Callable

    from slicer_standins.parameter_node import Parameter


class GuiConnector:
    """A widget with the names of its signal and of the property that holds the value."""

    def __init__(self, widget: Any, signal: str, value: str, choices: list[Any] | None) -> None:
        self._widget, self._signal, self._value = widget, signal, value
        self._choices = choices
        self._callback: Callable[..., None] | None = None

    def connect(self, callback: Callable[[], None]) -> None:
        """Call back when the user changes the value."""
        self._callback = lambda *_: callback()
        if self._signal:
            getattr(self._widget, self._signal).connect(self._callback)

    def disconnect(self) -> None:
        """Forget the callback."""
        if self._signal:
            getattr(self._widget, self._signal).disconnect(self._callback)

    def read(self) -> Any:
        """Return the widget's value."""
        if self._value == "currentNode":
            return self._widget.currentNode()
        value = getattr(self._widget, self._value)
        return value if self._choices is None else self._choices[value]

    def write(self, value: Any) -> None:
        """Show a value."""
        if self._value == "currentNode":
            self._widget.setCurrentNode(value)
            return
        shown = value if self._choices is None else self._choices.index(value)
        # Writing the same text again would move the cursor of a line that is typed into.
        if getattr(self._widget, self._value) != shown:
            setattr(self._widget, self._value, shown)


class _NumberConnector(GuiConnector):
    def __init__(self, widget: Any, signal: str, value: str, kind: type) -> None:
        super().__init__(widget, signal, value, None)
        self._kind = kind

    def read(self) -> Any:
        return self._kind(super().read())


class _PathConnector(GuiConnector):
    def read(self) -> pathlib.Path:
        return pathlib.Path(super().read())

    def write(self, value: pathlib.Path) -> None:
        super().write(str(value))


@dataclass(frozen=True)
class _Kind:
    """Widgets of one kind: their types, those of the values, the signal and the property."""

    widgets: tuple[type, ...]
    values: tuple[type, ...]
    signal: str
    value: str


_KINDS = (
    _Kind((qt.QCheckBox,), (bool,), "toggled", "checked"),
    _Kind((qt.QPushButton,), (bool,), "toggled", "checked"),
    _Kind((qt.QSlider, qt.QSpinBox), (int,), "valueChanged", "value"),
    _Kind(
        (qt.QDoubleSpinBox, ctk.ctkSliderWidget, ctk.ctkDoubleSpinBox),
        (float, int),
        "valueChanged",
        "value",
    ),
    _Kind((qt.QComboBox,), (str, int, float, bool), "currentIndexChanged", "currentIndex"),
    _Kind((qt.QLineEdit,), (str,), "textChanged", "text"),
    _Kind((qt.QLabel,), (str,), "", "text"),
    _Kind((ctk.ctkPathLineEdit,), (pathlib.Path,), "currentPathChanged", "currentPath"),
)
_MUST_BE_BOUNDED = (qt.QSlider, ctk.ctkSliderWidget)


def make_connector(widget: Any, parameter: Parameter) -> GuiConnector:
    """Return the connector of a widget and a parameter; a pair that Slicer cannot connect is an error."""
    if parameter.is_node and type(widget) is slicer.qMRMLNodeComboBox:
        widget.nodeTypes = [parameter.value_type().GetClassName()]
        return GuiConnector(widget, "currentNodeChanged", "currentNode", None)
    for kind in _KINDS:
        if type(widget) in kind.widgets and parameter.value_type in kind.values:
            return _make(kind, widget, parameter)
    message = f"a {type(widget).__name__} cannot show {parameter.name!r} of {parameter.type}"
    raise RuntimeError(message)


def _make(kind: _Kind, widget: Any, parameter: Parameter) -> GuiConnector:
    if kind.value == "value":
        _set_range(widget, parameter)
        return _NumberConnector(widget, kind.signal, kind.value, parameter.value_type)
    if kind.value == "currentPath":
        return _PathConnector(widget, kind.signal, kind.value, None)
    choices = _choices(parameter) if kind.value == "currentIndex" else None
    if choices is not None:
        widget.clear()
        widget.addItems([str(choice) for choice in choices])
    if type(widget) is qt.QPushButton:
        widget.checkable = True
    return GuiConnector(widget, kind.signal, kind.value, choices)


def _choices(parameter: Parameter) -> list[Any]:
    for annotation in parameter.annotations:
        if hasattr(annotation, "choices"):
            return list(annotation.choices)
    message = f"a QComboBox needs the annotation Choice on {parameter.name!r}"
    raise RuntimeError(message)


def _set_range(widget: Any, parameter: Parameter) -> None:
    """Give the widget the range of the annotations, and an integer no decimals."""
    bounds = [a for a in parameter.annotations if hasattr(a, "minimum")]
    low = max((bound.minimum for bound in bounds), default=float("-inf"))
    high = min((bound.maximum for bound in bounds), default=float("inf"))
    if type(widget) in _MUST_BE_BOUNDED and float("inf") in (-low, high):
        message = (
            f"a {type(widget).__name__} needs the annotation WithinRange on {parameter.name!r}"
        )
        raise RuntimeError(message)
    if type(widget) in (qt.QSlider, qt.QSpinBox):
        low, high = int(max(low, -(2**31))), int(min(high, 2**31 - 1))
    else:
        low, high = max(low, -1e300), min(high, 1e300)
        if parameter.value_type is int:
            widget.decimals = 0
    widget.minimum, widget.maximum = low, high
