"""What tests of the panel do and look at: scans in the scene, words in the table, processes, and nodes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ASPECTSLib.atlas.regions import Region, RegionCode, Side, region_of
from ASPECTSLib.geometry import Volume, shrink
from ASPECTSLib.report.result import StudyResult

COLUMN_OF_SIDE = {Side.RIGHT: 1, Side.LEFT: 3}
LAST_COLUMN, TOTAL_ROW = 5, 10  # what was measured, or how a call was changed
_SCORING_S = 120.0  # on a busy machine
AGE = 71  # of the patient, in years
REAL_SIZE = (30, 512, 512)
"""Slices, rows and columns of an ordinary head CT."""


def enlarged(scan: Volume) -> Volume:
    """Return a scan of `REAL_SIZE` made of 32 slices of 256 x 256: each pixel four times, two slices less."""
    array = scan.array[1:31].repeat(2, axis=1).repeat(2, axis=2)
    affine = scan.affine.copy()
    affine[:3, :2] /= 2
    affine[:3, 3] = scan.affine[:3] @ [-0.25, -0.25, 1.0, 1.0]
    return Volume(array, affine)


def coarsened(scan: Volume) -> Volume:
    """Return a scan of 64 x 64 pixels a slice, scored in a few seconds with the same calls."""
    coarse = shrink(scan, (4, 4, 1))
    return Volume(np.rint(coarse.array).astype(np.int16), coarse.affine)


# The scene


def empty_scene(application: Any) -> Any:
    """Return the application's scene after emptying it, as for a new test."""
    scene = application.mrmlScene()
    scene.Clear(False)
    # Singletons survive: without this, one test would find the parameters of the one before.
    while node := scene.GetFirstNodeByClass("vtkMRMLScriptedModuleNode"):
        scene.RemoveNode(node)
    return scene


def load_scan(path: Path) -> Any:
    """Load a scan as a user does."""
    import slicer

    return slicer.util.loadVolume(str(path))


def add_scan(volume: Volume, name: str = "CT head") -> Any:
    """Add a scan that never was a file to the scene."""
    import slicer

    from ASPECTSSlicer.grids import fillVolume

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    fillVolume(node, volume)
    node.CreateDefaultDisplayNodes()
    return node


def choose(widget: Any, scan: Any) -> None:
    """Choose the head CT in the panel."""
    widget.ui.ncctSelector.setCurrentNode(scan)


def count_nodes(scene: Any) -> Counter[str]:
    """Return how many nodes of each class a scene has."""
    nodes = scene.GetNodes()
    return Counter(
        nodes.GetItemAsObject(index).GetClassName() for index in range(nodes.GetNumberOfItems())
    )


def study_in_scene(scan: Any) -> StudyResult:
    """Return the result of a scan as it stands in the scene's text node."""
    import slicer

    from ASPECTSSlicer.results import findResult

    return StudyResult.from_json(findResult(slicer.mrmlScene, scan).text.GetText())


def with_calls(study: StudyResult, calls: dict[Region, tuple[bool, bool]]) -> StudyResult:
    """Return a result with other automatic calls, (affected, unsure) of each region, and what follows."""
    from ASPECTSLib.report.calls import settle

    infos = list(study.regions)
    for region, (affected, unsure) in calls.items():
        infos[region.label - 1] = replace(
            infos[region.label - 1], affected=affected, unsure=unsure, override=None
        )
    return settle(replace(study, regions=tuple(infos)))


# The table


def region(name: str) -> Region:
    """Return a region by words such as "M2 left"."""
    code, side = name.split()
    return region_of(RegionCode(code), Side(side))


def row_of(name: str) -> int:
    """Return the row of a region such as "M2 left"."""
    return list(RegionCode).index(region(name).code)


def call_text(widget: Any, name: str) -> str:
    """Return what the table says of a region."""
    return widget.ui.regionTable.item(row_of(name), COLUMN_OF_SIDE[region(name).side]).text()


def change_text(widget: Any, name: str) -> str:
    """Return what the table says of changes in the row of a region."""
    return widget.ui.regionTable.item(row_of(name), LAST_COLUMN).text()


def all_texts(widget: Any) -> list[list[str]]:
    """Return all cells of the table but those with switches."""
    table = widget.ui.regionTable
    columns = [0, *COLUMN_OF_SIDE.values(), LAST_COLUMN]
    return [[table.item(row, column).text() for column in columns] for row in range(11)]


def click_cell(widget: Any, row: int, column: int) -> None:
    """Click on a cell of the table."""
    import qt
    from PySide6.QtTest import QTest

    table = widget.ui.regionTable
    place = table.visualItemRect(table.item(row, column)).center()
    QTest.mouseClick(table.viewport(), qt.Qt.LeftButton, qt.Qt.NoModifier, place)


def click_region(widget: Any, name: str) -> None:
    """Click on the call of a region."""
    click_cell(widget, row_of(name), COLUMN_OF_SIDE[region(name).side])


def click_switch(widget: Any, name: str) -> None:
    """Click on the switch beside the call of a region."""
    click_cell(widget, row_of(name), COLUMN_OF_SIDE[region(name).side] + 1)


def press(widget: Any, key: str) -> None:
    """Press a key such as "Space" or "Ctrl+Z" in a widget, which gets the focus."""
    import qt
    from PySide6.QtTest import QTest

    *modifiers, name = key.split("+")
    modifier = qt.Qt.ControlModifier if modifiers else qt.Qt.NoModifier
    widget.setFocus()
    QTest.keyClick(widget, getattr(qt.Qt, f"Key_{name}"), modifier)


def type_reason(widget: Any, text: str) -> None:
    """Type a reason, in place of what stands there, and leave the cursor in it."""
    from PySide6.QtTest import QTest

    widget.ui.reasonEdit.setFocus()
    widget.ui.reasonEdit.selectAll()
    QTest.keyClicks(widget.ui.reasonEdit, text)


# Processes; needs the folder /proc of Linux


class Process(NamedTuple):
    """A process that is not yet gone."""

    pid: int
    parent: int
    group: int


HAS_PROC = Path("/proc/self/stat").is_file()


def processes() -> list[Process]:
    """Return the processes of this machine, those left out that ended and wait to be collected."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it ended meanwhile
            continue
        if state not in "ZX":
            found.append(Process(int(folder.name), int(parent), int(group)))
    return found


def child_groups(pid: int) -> set[int]:
    """Return the process groups that children of a process lead."""
    return {one.pid for one in processes() if one.parent == pid and one.group == one.pid}


def living_of(groups: Iterable[int]) -> list[Process]:
    """Return the processes of these groups that live."""
    wanted = set(groups)
    return [one for one in processes() if one.group in wanted]


def resident_mb() -> float:
    """Return the resident memory of this process in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise OSError(line)


# Runs


@dataclass
class Alive:
    """Ticks of a timer, by which one sees whether the interface stands still."""

    longest_gap_s: float = 0.0
    ticks: int = 0
    _last: float | None = None

    def tick(self) -> None:
        """Note that the interface is alive."""
        now = time.monotonic()
        if self._last is not None:
            self.longest_gap_s = max(self.longest_gap_s, now - self._last)
        self._last = now
        self.ticks += 1


def watch_interface(interval_ms: int = 50) -> tuple[Alive, Any]:
    """Start a timer and return what it finds, and the timer, which is to be stopped."""
    import qt

    alive, timer = Alive(), qt.QTimer()
    timer.setInterval(interval_ms)
    timer.connect("timeout()", alive.tick)
    timer.start()
    return alive, timer


def run_files(application: Any) -> list[Path]:
    """Return the folders of runs that are on the disk."""
    return sorted(Path(application.temporaryPath).glob("aspects-*"))


def is_running(widget: Any) -> bool:
    """Return whether the panel says that it is scoring."""
    return widget.ui.cancelButton.enabled


def let_time_pass(application: Any, seconds: float) -> None:
    """Handle the events of some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        application.processEvents()
        time.sleep(0.01)


def score_and_wait(
    widget: Any,
    wait_until: Callable[..., None],
    timeout_s: float = 90.0,
    method: str = "classical",
) -> None:
    """Press Score and wait until there is a result or a complaint; by the quickest method when none is named."""
    widget.ui.methodSelector.currentText = method
    widget.ui.scoreButton.click()
    assert is_running(widget), widget.ui.messageLabel.text
    wait_until(lambda: not is_running(widget), timeout_s)


def score_on_command_line(scan: Path, folder: Path, *options: str) -> Path:
    """Score a file by `python -m ASPECTSLib score` and return the folder of the result."""
    command = [sys.executable, "-m", "ASPECTSLib", "score", str(scan), "-o", str(folder), *options]
    done = subprocess.run(command, check=False, capture_output=True, timeout=_SCORING_S, text=True)
    assert done.returncode == 0, done.stderr
    return folder
