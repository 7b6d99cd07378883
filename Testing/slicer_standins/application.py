"""`slicer.app`, `slicer.mrmlScene` and `slicer.modules` around the real scene and logics of slicer-core."""

# ruff: noqa: N801, N802, N815
from __future__ import annotations

import atexit
import importlib.metadata
import os
import shutil
import sys
import tempfile
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets

from slicer_standins.dialogs import Dialogs
from slicer_standins.io_manager import CoreIOManager
from slicer_standins.python_qt import native

if TYPE_CHECKING:
    from collections.abc import Callable

# Modules with the class of their logic in slicer-core; the names are those that application logic looks them up by.
_LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Texts": "vtkSlicerTextsLogic",
}
# What qSlicerApplication has from QApplication and a module may ask for.
_OF_QT = (
    "clipboard",
    "focusWidget",
    "installEventFilter",
    "keyboardModifiers",
    "processEvents",
    "removeEventFilter",
    "restoreOverrideCursor",
    "setOverrideCursor",
    "topLevelWidgets",
)
_SIGNALS = ("startupCompleted()", "aboutToQuit()")


class Module:
    """A module as `slicer.modules.<name>` shows it: a name, a path and one logic."""

    def __init__(self, name: str, logic: slicer.vtkMRMLAbstractLogic, path: str = "") -> None:
        self.name = name
        self.path = path
        self._logic = logic

    def logic(self) -> slicer.vtkMRMLAbstractLogic:
        """Return the module's only logic."""
        return self._logic


@native
class ModuleManager(QtCore.QObject):
    """Tells modules that they go."""

    moduleAboutToBeUnloaded = QtCore.Signal(str)

    def module(self, name: str) -> Module | None:
        """Return a loaded module."""
        return getattr(slicer.modules, name.lower(), None)


@native
class qSlicerMainWindow(QtWidgets.QMainWindow):
    """The main window; it shows nothing but the module's panel."""


@dataclass
class Records:
    """What the module asked for and did not get here."""

    pip_installs: list[str] = field(default_factory=list)
    sample_data: list[dict[str, Any]] = field(default_factory=list)
    slot_errors: list[BaseException] = field(default_factory=list)


class Application:
    """`slicer.app`; names in snake_case are for tests and do not exist in Slicer."""

    applicationName = mainApplicationName = "Slicer"
    applicationVersion = importlib.metadata.version("slicer-core").rsplit(".", 1)[0]
    majorVersion, minorVersion = map(int, applicationVersion.split(".")[:2])

    def __init__(self) -> None:
        self._environment_at_start = dict(os.environ)
        self.temporaryPath = tempfile.mkdtemp(prefix="slicer-standins-")
        atexit.register(shutil.rmtree, self.temporaryPath, ignore_errors=True)
        self.qt_application = _make_qt_application(self.temporaryPath)
        self.dialogs, self.records = Dialogs(), Records()
        self._slots: dict[str, list[Callable[[], None]]] = {signal: [] for signal in _SIGNALS}
        self._module_manager = ModuleManager()
        self._layout_manager: Any = None
        self._scene = slicer.vtkMRMLScene()
        self._logic = _make_application_logic(self._scene, self.temporaryPath)
        self._remote_io = _enable_scene_files(self._scene, self._logic, self.temporaryPath)
        self._io_manager = CoreIOManager(self)
        self.main_window = qSlicerMainWindow()
        self.main_window.setObjectName("qSlicerMainWindow")

    def __getattr__(self, name: str) -> Any:
        if name in _OF_QT:
            return getattr(self.qt_application, name)
        message = f"slicer.app has no stand-in for {name!r}"
        raise AttributeError(message)

    # Slicer's own

    def mrmlScene(self) -> slicer.vtkMRMLScene:
        """Return the scene."""
        return self._scene

    def applicationLogic(self) -> slicer.vtkSlicerApplicationLogic:
        """Return the application logic."""
        return self._logic

    def coreIOManager(self) -> CoreIOManager:
        """Return what reads and writes files."""
        return self._io_manager

    ioManager = coreIOManager

    def moduleManager(self) -> ModuleManager:
        """Return what knows the modules."""
        return self._module_manager

    def layoutManager(self) -> Any:
        """Return the views; None without views, as in a Slicer without main window."""
        return self._layout_manager

    def testingEnabled(self) -> bool:
        """Return False, so that dialogs are shown (and recorded) as to a user."""
        return False

    def userSettings(self) -> QtCore.QSettings:
        """Return the settings, which last as long as the process."""
        return QtCore.QSettings()

    settings = userSettings

    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        """Return the environment without what Slicer (here: `install`) put into it."""
        environment = QtCore.QProcessEnvironment()
        for name, value in self._environment_at_start.items():
            environment.insert(name, value)
        return environment

    def translate(self, _context: str, text: str) -> str:
        """Return the text: no language is installed."""
        return text

    def connect(self, signal: str, function: Callable[[], None]) -> bool:
        """Keep a function for `complete_startup`."""
        self._slots[signal].append(function)
        return True

    def disconnect(self, signal: str, function: Callable[[], None]) -> bool:
        """Forget a function."""
        self._slots[signal].remove(function)
        return True

    # For tests

    def complete_startup(self) -> None:
        """Call what waits for the end of the application's start, once."""
        waiting, self._slots["startupCompleted()"] = self._slots["startupCompleted()"], []
        for function in waiting:
            function()

    def module_logic(self, name: str) -> slicer.vtkMRMLAbstractLogic:
        """Return the logic of a loadable module."""
        return getattr(slicer.modules, name.lower()).logic()

    def add_module(self, name: str, module: Module) -> None:
        """Make a module known as `slicer.modules.<name>`."""
        module.logic().SetMRMLApplicationLogic(self._logic)
        module.logic().SetMRMLScene(self._scene)
        self._logic.SetModuleLogic(name, module.logic())
        setattr(slicer.modules, name.lower(), module)
        setattr(slicer.moduleNames, name, name)

    def add_views(self) -> None:
        """Make the offscreen views, unless they are there."""
        if self._layout_manager is None:
            from slicer_standins.layout_manager import LayoutManager

            self._layout_manager = LayoutManager(self._scene, self._logic)

    def forget(self) -> None:
        """Start a new test: nothing shown, asked for or gone wrong; settings and clipboard empty."""
        self.dialogs.clear()
        for record in vars(self.records).values():
            record.clear()
        self.userSettings().clear()
        QtGui.QGuiApplication.clipboard().clear()


def make_application() -> Application:
    """Return the application, with Slicer's names for it set in the package `slicer`."""
    application = Application()
    slicer.app = application
    slicer.mrmlScene = application.mrmlScene()
    for name in ("modules", "moduleNames"):
        module = types.ModuleType(f"slicer.{name}")
        sys.modules[module.__name__] = module
        setattr(slicer, name, module)
    for name, class_name in _LOGICS.items():
        application.add_module(name, Module(name, getattr(slicer, class_name)()))
    application.dialogs.install()
    sys.excepthook = _recording_hook(application.records.slot_errors)
    application.main_window.show()
    return application


def _make_qt_application(folder: str) -> QtWidgets.QApplication:
    settings = QtCore.QSettings
    settings.setDefaultFormat(settings.IniFormat)
    settings.setPath(settings.IniFormat, settings.UserScope, folder)
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["Slicer"])
    application.setOrganizationName("standins")
    application.setApplicationName("Slicer")
    application.setQuitOnLastWindowClosed(False)
    return application


def _make_application_logic(
    scene: slicer.vtkMRMLScene, folder: str
) -> slicer.vtkSlicerApplicationLogic:
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    logic.SetTemporaryPath(folder)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    return logic


def _enable_scene_files(
    scene: slicer.vtkMRMLScene, logic: slicer.vtkSlicerApplicationLogic, folder: str
) -> slicer.vtkMRMLRemoteIOLogic:
    """Give the scene the cache and the data manager without which .mrb and .mrml cannot be read."""
    remote_io = slicer.vtkMRMLRemoteIOLogic()
    remote_io.SetMRMLScene(scene)
    remote_io.SetMRMLApplicationLogic(logic)
    remote_io.GetCacheManager().SetRemoteCacheDirectory(folder)
    remote_io.AddDataIOToScene()
    return remote_io


def _recording_hook(errors: list[BaseException]) -> Callable[..., None]:
    """Return an exception hook: Qt and VTK hand it what a slot or an observer raised, and go on."""
    previous = sys.excepthook

    def record(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        errors.append(error)
        previous(kind, error, traceback)

    return record
