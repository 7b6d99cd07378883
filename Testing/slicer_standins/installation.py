"""Puts the stand-ins where a scripted module looks for `qt`, `ctk`, `slicer.app` and Slicer's Python layer."""

from __future__ import annotations

import os
import shlex
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

import slicer
import slicer.util
import vtk

from slicer_standins import ui_loader
from slicer_standins.ctk_widgets import make_ctk_module, only_a_name
from slicer_standins.python_qt import make_qt_module

if TYPE_CHECKING:
    from slicer_standins.application import Application

# Names a folder Base/Python of Slicer's sources, whose layer is used in place of the stand-ins for it.
BASE_PYTHON = "SLICER_BASE_PYTHON"
_ONLY_NAMES = ("qMRMLRangeWidget", "qMRMLSliderWidget", "qMRMLSpinBox")


def install(*, views: bool = False) -> Application:
    """Make a Slicer of this process and return `slicer.app`; a second call adds the views at most."""
    if not hasattr(slicer, "app"):
        # Reading segmentations without the application's terminologies warns hundreds of times.
        vtk.vtkObject.GlobalWarningDisplayOff()
        _install_widgets()
        from slicer_standins.application import make_application

        application = make_application()
        _install_python_layer()
        _put_python_slicer_on_path(Path(application.temporaryPath) / "bin")
    if views:
        slicer.app.add_views()
    return slicer.app


def _install_widgets() -> None:
    make_qt_module().QUiLoader = ui_loader.QUiLoader
    make_ctk_module()
    from slicer_standins.mrml_widgets import qMRMLWidget
    from slicer_standins.node_selector import qMRMLNodeComboBox
    from slicer_standins.segment_editor import qMRMLSegmentEditorWidget

    for widget in (qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentEditorWidget):
        ui_loader.register_widget(widget)
        setattr(slicer, widget.__name__, widget)
    for name in _ONLY_NAMES:
        setattr(slicer, name, only_a_name(name))


def _install_python_layer() -> None:
    from slicer_standins import packages

    sys.modules["SampleData"] = packages.make_sample_data_module()
    if folder := os.environ.get(BASE_PYTHON):
        slicer.__path__.append(str(Path(folder, "slicer").resolve(strict=True)))
        from slicer import packaging

        packaging.pip_install = packages.record_pip_install
        return
    _add_to_slicer(packages.make_i18n_module())
    _add_to_slicer(packages.make_packaging_module())
    from slicer_standins import parameter_node, scripted_module

    _add_to_slicer(_public_part(scripted_module, "slicer.ScriptedLoadableModule"))
    _add_to_slicer(_public_part(parameter_node, "slicer.parameterNodeWrapper"))


def _public_part(source: types.ModuleType, name: str) -> types.ModuleType:
    """Return a module with the classes and functions that another one defines."""
    public = {
        key: value
        for key, value in vars(source).items()
        if getattr(value, "__module__", None) == source.__name__ and not key.startswith("_")
    }
    module = types.ModuleType(name, source.__doc__)
    vars(module).update(public, __all__=list(public))
    return module


def _add_to_slicer(module: types.ModuleType) -> None:
    sys.modules[module.__name__] = module
    setattr(slicer, module.__name__.removeprefix("slicer."), module)


# As Slicer's launcher: a process of its own above Python, which turns a killed one into exit code 1.
_LAUNCHER = """#!/bin/sh
{python} "$@"
code=$?
if [ "$code" -gt 130 ]; then
  echo "error: [python-real] exit abnormally - Report the problem." >&2
  exit 1
fi
exit "$code"
"""


def _put_python_slicer_on_path(folder: Path) -> None:
    """Make an executable PythonSlicer that is this Python, first on the PATH as in Slicer."""
    folder.mkdir()
    if os.name == "nt":
        (folder / "PythonSlicer.bat").write_text(f'@"{sys.executable}" %*\n')
    else:
        script = folder / "PythonSlicer"
        script.write_text(_LAUNCHER.format(python=shlex.quote(sys.executable)))
        script.chmod(0o755)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
