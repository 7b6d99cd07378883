"""The module `ctk`: Qt widgets with the properties and signals of the few CTK widgets that the panel uses.

Names that Slicer's parameter node layer only compares types with exist too, and refuse to be made.
"""

# ruff: noqa: N801, N802, N815
from __future__ import annotations

import sys
import types

from PySide6 import QtCore, QtGui, QtWidgets

from slicer_standins.python_qt import native
from slicer_standins.ui_loader import register_widget

Property, Signal = QtCore.Property, QtCore.Signal

_SLIDER_STEPS = 1000
_LARGEST = 1e300  # a spin box takes no infinity
_NO_MAXIMUM_HEIGHT = 16777215  # QWIDGETSIZE_MAX

_ONLY_NAMES = (
    "ctkCheckBox",
    "ctkCheckablePushButton",
    "ctkColorPickerButton",
    "ctkComboBox",
    "ctkDirectoryButton",
    "ctkDoubleRangeSlider",
    "ctkDoubleSlider",
    "ctkRangeWidget",
)


@native
class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A titled section that folds; folded, its contents are hidden."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: object) -> None:
        texts = [argument for argument in arguments if isinstance(argument, str)]
        parents = [argument for argument in arguments if not isinstance(argument, str)]
        super().__init__(*parents)
        self._collapsed = False
        self._hidden_by_folding: list[QtWidgets.QWidget] = []
        self.setText("".join(texts))
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(0, self._title_height(), 0, 0)
        self.toggled.connect(self._fold_unless)

    def setCollapsed(self, collapsed: bool) -> None:
        """Fold or unfold."""
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self.setChecked(not collapsed)
        if collapsed:
            contents = self.findChildren(
                QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly
            )
            self._hidden_by_folding = [widget for widget in contents if not widget.isHidden()]
        for widget in self._hidden_by_folding:
            widget.setVisible(not collapsed)
        self.setMaximumHeight(self._title_height() if collapsed else _NO_MAXIMUM_HEIGHT)
        self.contentsCollapsed.emit(collapsed)

    collapsed = Property(bool, lambda self: self._collapsed, setCollapsed)

    def _fold_unless(self, checked: bool) -> None:
        self.setCollapsed(not checked)

    def sizeHint(self) -> QtCore.QSize:
        """Return the size of the title with the contents; asked by Qt."""
        layout = self.layout()
        if layout is None or self._collapsed:
            return QtCore.QSize(120, self._title_height())
        return layout.totalSizeHint()

    minimumSizeHint = sizeHint

    def paintEvent(self, _event: object) -> None:
        """Draw the title with an arrow, plainer than CTK does; asked by Qt."""
        painter = QtGui.QPainter(self)
        title = QtCore.QRect(0, 0, self.width, self._title_height())
        painter.fillRect(title, self.palette.color(QtGui.QPalette.Midlight))
        arrow = "▸" if self._collapsed else "▾"
        words = f"{arrow} {self.text}"
        painter.drawText(title.adjusted(6, 0, 0, 0), int(QtCore.Qt.AlignVCenter), words)
        painter.end()

    def _title_height(self) -> int:
        return self.fontMetrics().height() + 8


class _NumberWidget(QtWidgets.QWidget):
    """A spin box for a real number, with a slider or without."""

    valueChanged = Signal(float)

    def __init__(self, parent: QtWidgets.QWidget | None, with_slider: bool) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        self._spin_box = QtWidgets.QDoubleSpinBox()
        self._spin_box.setRange(0.0, 99.0)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal) if with_slider else None
        if self._slider is not None:
            self._slider.setRange(0, _SLIDER_STEPS)
            self._slider.valueChanged.connect(self._take_from_slider)
            layout.addWidget(self._slider)
        layout.addWidget(self._spin_box)
        self._spin_box.valueChanged.connect(self._announce)

    def setValue(self, value: float) -> None:
        """Set the number, within the range."""
        self._spin_box.setValue(float(value))

    def setMinimum(self, minimum: float) -> None:
        """Set the lowest number."""
        self._spin_box.setMinimum(max(float(minimum), -_LARGEST))

    def setMaximum(self, maximum: float) -> None:
        """Set the highest number."""
        self._spin_box.setMaximum(min(float(maximum), _LARGEST))

    def setRange(self, minimum: float, maximum: float) -> None:
        """Set the lowest and the highest number."""
        self.setMinimum(minimum)
        self.setMaximum(maximum)

    def _announce(self, value: float) -> None:
        if self._slider is not None:
            low, high = self.minimum, self.maximum
            fraction = (value - low) / (high - low) if high > low else 0.0
            blocker = QtCore.QSignalBlocker(self._slider)
            self._slider.setValue(round(_SLIDER_STEPS * fraction))
            blocker.unblock()
        self.valueChanged.emit(value)

    def _take_from_slider(self, position: int) -> None:
        span = self.maximum - self.minimum
        self.setValue(self.minimum + position / _SLIDER_STEPS * span)

    value = Property(float, lambda self: self._spin_box.value, setValue)
    minimum = Property(float, lambda self: self._spin_box.minimum, setMinimum)
    maximum = Property(float, lambda self: self._spin_box.maximum, setMaximum)
    decimals = Property(
        int, lambda self: self._spin_box.decimals, lambda self, n: self._spin_box.setDecimals(n)
    )
    singleStep = Property(
        float,
        lambda self: self._spin_box.singleStep,
        lambda self, step: self._spin_box.setSingleStep(step),
    )
    suffix = Property(
        str, lambda self: self._spin_box.suffix, lambda self, text: self._spin_box.setSuffix(text)
    )
    prefix = Property(
        str, lambda self: self._spin_box.prefix, lambda self, text: self._spin_box.setPrefix(text)
    )


@native
class ctkSliderWidget(_NumberWidget):
    """A slider beside a spin box."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent, with_slider=True)
        self._page_step = 10.0

    pageStep = Property(
        float,
        lambda self: self._page_step,
        lambda self, step: vars(self).update(_page_step=step),
    )


@native
class ctkDoubleSpinBox(_NumberWidget):
    """A spin box for a real number."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent, with_slider=False)


@native
class ctkPathLineEdit(QtWidgets.QWidget):
    """A path that can be typed or chosen."""

    currentPathChanged = Signal(str)
    # The values of QDir::Filter.
    Dirs, Files, Readable, Writable, Executable = 0x1, 0x2, 0x10, 0x20, 0x40

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._line = QtWidgets.QLineEdit()
        self._filters = self.Dirs | self.Files
        self._name_filters: list[str] = []
        self._setting_key = ""
        QtWidgets.QHBoxLayout(self).addWidget(self._line)
        self._line.textChanged.connect(self.currentPathChanged)

    def setCurrentPath(self, path: str) -> None:
        """Set the path."""
        self._line.setText(path)

    def browse(self) -> None:
        """Ask for a path as the button does; cancelled, nothing changes."""
        dialog = QtWidgets.QFileDialog
        wants_folder = not self._filters & self.Files
        ask = dialog.getExistingDirectory if wants_folder else dialog.getOpenFileName
        if path := ask(self, "Select a file to save"):
            self.setCurrentPath(path)

    def addCurrentPathToHistory(self) -> None:
        """Do nothing: the history is not kept."""

    currentPath = Property(str, lambda self: self._line.text, setCurrentPath)
    filters = Property(
        int, lambda self: self._filters, lambda self, value: setattr(self, "_filters", int(value))
    )
    nameFilters = Property(
        "QStringList",
        lambda self: self._name_filters,
        lambda self, names: setattr(self, "_name_filters", list(names)),
    )
    settingKey = Property(
        str, lambda self: self._setting_key, lambda self, key: setattr(self, "_setting_key", key)
    )


@native
class ctkMessageBox(QtWidgets.QMessageBox):
    """What `slicer.util.messageBox` shows; "don't show again" is left out."""


def make_ctk_module() -> types.ModuleType:
    """Return the module `ctk`, made once for the process."""
    if "ctk" in sys.modules:
        return sys.modules["ctk"]
    ctk = types.ModuleType("ctk", __doc__)
    classes = (ctkCollapsibleButton, ctkDoubleSpinBox, ctkPathLineEdit, ctkSliderWidget)
    for cls in classes:
        register_widget(cls)
    for cls in (*classes, ctkMessageBox):
        setattr(ctk, cls.__name__, cls)
    for name in _ONLY_NAMES:
        setattr(ctk, name, only_a_name(name))
    sys.modules["ctk"] = ctk
    return ctk


def only_a_name(name: str) -> type:
    """Return a class that types can be compared with and that cannot be instantiated."""

    def refuse(_self: object, *_arguments: object) -> None:
        message = f"{name} has no stand-in"
        raise NotImplementedError(message)

    return type(name, (), {"__init__": refuse})
