"""A Slicer without the desktop, for tests: PySide6 in place of PythonQt, slicer-core's real scene and logics.

`install()` makes `qt`, `ctk`, `slicer.app` and what else a scripted module imports; `load_module(path)` loads the
module as Slicer does, `make_widget(module, name)` opens its panel. What has no stand-in raises an error. See
README.md in this folder for what differs from Slicer.
"""

from __future__ import annotations

from slicer_standins.installation import install
from slicer_standins.panels import close_widget, enter, leave, load_module, make_widget

__all__ = ["close_widget", "enter", "install", "leave", "load_module", "make_widget"]
