"""One run of the panel on a scan of real size, written down for the tests that look at it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from panel_steps import (
    AGE,
    Alive,
    all_texts,
    choose,
    count_nodes,
    load_scan,
    run_files,
    watch_interface,
)

from ASPECTSLib.report.result import StudyResult

_TIMEOUT_S = 120.0


@dataclass
class RealRun:
    """What was seen before, during and after a run.

    Parameters
    ----------
    states
        What the progress bar showed: text, value, and whether it was visible; only changes.
    before, after
        How many nodes of each class there were.
    texts
        What labels said at the end, by the name of the widget.
    """

    hint: str = ""
    states: list[tuple[str, int, bool]] = field(default_factory=list)
    enabled_during: dict[str, bool] = field(default_factory=dict)
    enabled_after: dict[str, bool] = field(default_factory=dict)
    files_during: list[str] = field(default_factory=list)
    alive: Alive = field(default_factory=Alive)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    errors: list[BaseException] = field(default_factory=list)
    dialogs: list[Any] = field(default_factory=list)
    table: list[list[str]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    bar_is_visible: bool = True
    files_left: list[Path] = field(default_factory=list)
    study: StudyResult | None = None
    labels: np.ndarray | None = None
    heatmap: np.ndarray | None = None
    compared: np.ndarray | None = None
    segment_ids: dict[str, tuple[str, ...]] = field(default_factory=dict)
    table_rows: int = 0
    exported: Path | None = None


def run_real_scan(application: Any, widget: Any, path: Path, folder: Path) -> RealRun:
    """Load a scan, score it by the panel's button, export it to a folder, and return what was seen."""
    seen = RealRun()
    scan = load_scan(path)
    choose(widget, scan)
    widget.ui.ageSpinBox.value = AGE
    seen.hint = widget.ui.messageLabel.text
    seen.before = count_nodes(scan.GetScene())
    widget.ui.scoreButton.click()
    seen.alive, timer = watch_interface()
    _wait(application, lambda: _note_progress(seen, application, widget))
    timer.stop()
    seen.after = count_nodes(scan.GetScene())
    _note_result(seen, widget, scan)
    _export(seen, widget, folder)
    seen.files_left = run_files(application)
    seen.errors = list(application.records.slot_errors)
    seen.dialogs = list(application.dialogs.shown)
    return seen


def _wait(application: Any, has_ended: Callable[[], bool]) -> None:
    end = time.monotonic() + _TIMEOUT_S
    while not has_ended():
        if time.monotonic() > end:
            raise TimeoutError
        application.processEvents()
        time.sleep(0.01)
    application.processEvents()


def _note_progress(seen: RealRun, application: Any, widget: Any) -> bool:
    ui = widget.ui
    if not ui.cancelButton.enabled:
        return True
    bar = ui.progressBar
    state = (bar.format, bar.value, bar.visible)
    if state not in seen.states[-1:]:
        seen.states.append(state)
    seen.enabled_during = _enabled(ui)
    for run in run_files(application):
        seen.files_during = sorted({*seen.files_during, *(one.name for one in run.iterdir())})
    return False


def _note_result(seen: RealRun, widget: Any, scan: Any) -> None:
    import slicer

    from ASPECTSSlicer.layers import regionLabels
    from ASPECTSSlicer.results import findResult

    nodes = findResult(scan.GetScene(), scan)
    seen.table = all_texts(widget)
    names = ("messageLabel", "scoreLabel", "sideLabel", "coreLabel", "totalsLabel")
    seen.texts = {name: getattr(widget.ui, name).text for name in names}
    seen.enabled_after, seen.bar_is_visible = _enabled(widget.ui), widget.ui.progressBar.visible
    seen.study = StudyResult.from_json(nodes.text.GetText())
    seen.labels = regionLabels(nodes.regions, nodes.heatmap)
    seen.heatmap = slicer.util.arrayFromVolume(nodes.heatmap).copy()
    seen.compared = slicer.util.arrayFromVolume(nodes.compared).copy()
    for role in ("regions", "infarct"):
        segmentation = getattr(nodes, role).GetSegmentation()
        seen.segment_ids[role] = tuple(segmentation.GetSegmentIDs())
    seen.table_rows = nodes.table.GetNumberOfRows()


def _export(seen: RealRun, widget: Any, folder: Path) -> None:
    widget.ui.exportFolderEdit.currentPath = str(folder)
    widget.ui.exportButton.click()
    (seen.exported,) = folder.iterdir()


def _enabled(ui: Any) -> dict[str, bool]:
    return {name: getattr(ui, name).enabled for name in ("scoreButton", "cancelButton")}
