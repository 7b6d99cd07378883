"""Loads scripted modules and opens their panels, as the application does."""

# ruff: noqa: N801, N815
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shiboken6
import slicer
from PySide6 import QtCore, QtWidgets

from slicer_standins.application import Module
from slicer_standins.mrml_widgets import qMRMLWidget
from slicer_standins.python_qt import native

if TYPE_CHECKING:
    from types import ModuleType

_PANEL_SIZE = (500, 1000)


class ScriptedModule(Module):
    """What a module class gets as its parent; it takes the attributes that Slicer knows."""

    title = helpText = acknowledgementText = ""
    categories: tuple[str, ...] | list[str] = ()
    contributors: tuple[str, ...] | list[str] = ()
    dependencies: tuple[str, ...] | list[str] = ()
    associatedNodeTypes: tuple[str, ...] | list[str] = ()
    icon: Any = None
    hidden = False
    index = -1

    def __setattr__(self, name: str, value: object) -> None:
        if (
            not name.startswith("_")
            and not hasattr(type(self), name)
            and name not in ("name", "path")
        ):
            message = f"a scripted module has no attribute {name!r}"
            raise AttributeError(message)
        super().__setattr__(name, value)


@native
class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The widget that a module's widget class builds its panel in."""

    def __init__(self) -> None:
        super().__init__()
        self._is_entered = False
        self._panel: Any = None
        QtWidgets.QVBoxLayout(self)

    isEntered = QtCore.Property(bool, lambda self: self._is_entered)

    def enter(self) -> None:
        """Open the module."""
        self._is_entered = True
        self._call("enter")

    def exit(self) -> None:
        """Leave the module."""
        self._is_entered = False
        self._call("exit")

    def _call(self, method: str) -> None:
        if hasattr(self._panel, method):
            getattr(self._panel, method)()


def load_module(path: Path) -> ModuleType:
    """Load a scripted module's file and make `slicer.modules.<name>`; return the Python module."""
    path = Path(path).resolve(strict=True)
    name = path.stem
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    parent = ScriptedModule(name, slicer.vtkSlicerScriptedLoadableModuleLogic(), str(path))
    slicer.app.add_module(name, parent)
    setattr(slicer.modules, f"{name}Instance", getattr(module, name)(parent))
    return module


def make_widget(module: ModuleType, name: str) -> Any:
    """Return the object of the module's widget class, its panel built and shown in the main window."""
    parent = qSlicerScriptedLoadableModuleWidget()
    parent.setMRMLScene(slicer.mrmlScene)
    window = slicer.app.main_window
    window.setCentralWidget(parent)
    window.resize(*_PANEL_SIZE)
    widget = getattr(module, f"{name}Widget")(parent)
    parent._panel = widget
    setattr(slicer.modules, f"{name}Widget", widget)
    widget.setup()
    window.activateWindow()
    slicer.app.processEvents()
    return widget


def enter(widget: Any) -> None:
    """Open the module, as choosing it does."""
    widget.parent.enter()


def leave(widget: Any) -> None:
    """Leave the module, as choosing another one does."""
    widget.parent.exit()


def close_widget(widget: Any) -> None:
    """Unload the panel as the application does at its end: leave, `cleanup`, delete."""
    parent = widget.parent
    if parent.isEntered:
        parent.exit()
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(widget.moduleName)
    delattr(slicer.modules, f"{widget.moduleName}Widget")
    parent._panel = None
    if shiboken6.isValid(parent):
        shiboken6.delete(parent)
