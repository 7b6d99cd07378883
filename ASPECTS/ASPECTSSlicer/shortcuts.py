"""Keys that work while the panel has the focus, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt

Keys = Mapping[str, Callable[[], None]]
"""What is done, by the key as Qt writes it."""


def addShortcuts(panel: Any, table: Any, panelKeys: Keys, tableKeys: Keys) -> None:
    """Let keys do something.

    Parameters
    ----------
    panel, table
        The panel, and the table in it.
    panelKeys
        Work in the whole panel, where nothing is being typed.
    tableKeys
        Work in the table alone: a space typed elsewhere must not switch a region.
    """
    for keys, widget, context in (
        (panelKeys, panel, qt.Qt.WidgetWithChildrenShortcut),
        (tableKeys, table, qt.Qt.WidgetShortcut),
    ):
        for key, action in keys.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), widget)
            shortcut.setContext(context)
            shortcut.setAutoRepeat(
                False
            )  # a key that is held must not switch a call back and forth
            shortcut.connect("activated()", action)
