"""A Slicer without desktop for the tests of panels; skipped where its libraries are absent, failed in CI."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from panel_run import run_real_scan
from panel_steps import (
    AGE,
    choose,
    coarsened,
    empty_scene,
    enlarged,
    load_scan,
    score_on_command_line,
)
from tiny_module import add_volume, write_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from panel_run import RealRun

    from ASPECTSLib.geometry import Volume
    from ASPECTSLib.synthesis.patient import SyntheticPatient

_MODULE = Path(__file__).parents[2] / "ASPECTS" / "ASPECTS.py"
_POLL_S = 0.01


@pytest.fixture(scope="session")
def application() -> Any:
    """Return `slicer.app` of the stand-ins."""
    try:
        import slicer_standins

        return slicer_standins.install()
    except ImportError as error:  # a package, or a library of the system that it needs
        reason = f"needs PySide6, slicer-core and the libraries of a display server: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(autouse=True)
def slot_errors(application: Any) -> Iterator[list[BaseException]]:
    """Fail a test if a slot or an observer raised: Qt and VTK print such errors and go on.

    A test that expects one asks for this fixture, looks at the list and clears it.
    """
    application.forget()
    yield application.records.slot_errors
    if errors := application.records.slot_errors:
        pytest.fail(f"raised in a slot or an observer: {errors!r}")


@pytest.fixture
def scene(application: Any) -> Any:
    """Return the application's scene, empty."""
    return empty_scene(application)


@pytest.fixture
def views(application: Any) -> Any:
    """Return the layout manager of offscreen views, which stay from then on; ask for it before `panel`."""
    application.add_views()
    return application.layoutManager()


@pytest.fixture(scope="session")
def aspects(application: Any) -> Any:  # noqa: ARG001
    """Return the Python module of ASPECTS, loaded as by Slicer."""
    import slicer_standins

    return slicer_standins.load_module(_MODULE)


@pytest.fixture
def panel(scene: Any, aspects: Any) -> Iterator[Any]:  # noqa: ARG001
    """Open the ASPECTS panel on an empty scene and yield the object of its widget class."""
    import slicer_standins

    widget = slicer_standins.make_widget(aspects, "ASPECTS")
    slicer_standins.enter(widget)
    yield widget
    slicer_standins.close_widget(widget)


@pytest.fixture
def reopen(panel: Any) -> Callable[..., None]:
    """Return what leaves the module, does something, and comes back."""
    import slicer_standins

    def leave_and_enter(between: Callable[[], object] = lambda: None) -> None:
        slicer_standins.leave(panel)
        between()
        slicer_standins.enter(panel)

    return leave_and_enter


@pytest.fixture(scope="session")
def scan(synthetic_patient: SyntheticPatient) -> Volume:
    """Return a head CT of few pixels with a left infarct in I, L and M2, scored in a few seconds."""
    return coarsened(synthetic_patient.scan)


@pytest.fixture(scope="session")
def scan_path(scan: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of the scan."""
    return _written(scan, tmp_path_factory.mktemp("scan") / "head.nii.gz")


@pytest.fixture(scope="session")
def real_scan_path(
    synthetic_patient: SyntheticPatient, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the file of the same head with 512 x 512 x 30 voxels."""
    volume = enlarged(synthetic_patient.scan)
    return _written(volume, tmp_path_factory.mktemp("real") / "real.nii.gz")


@pytest.fixture(scope="session")
def scored_folder(scan_path: Path) -> Path:
    """Return what the command line makes of the scan by the method that segments no infarct."""
    folder = scan_path.parent / "result"
    return score_on_command_line(scan_path, folder, "--method", "classical")


@pytest.fixture(scope="session")
def real_scored_folder(real_scan_path: Path) -> Path:
    """Return what the command line makes of the scan of real size."""
    folder = real_scan_path.parent / "result"
    return score_on_command_line(real_scan_path, folder, "--age", str(AGE))


@pytest.fixture(scope="session")
def real_run(
    application: Any,
    aspects: Any,
    real_scan_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> RealRun:
    """Return what was seen while the panel scored the scan of real size."""
    import slicer_standins

    empty_scene(application)
    widget = slicer_standins.make_widget(aspects, "ASPECTS")
    slicer_standins.enter(widget)
    try:
        folder = tmp_path_factory.mktemp("exports")
        return run_real_scan(application, widget, real_scan_path, folder)
    finally:
        slicer_standins.close_widget(widget)
        empty_scene(application)


@pytest.fixture
def load_scored(panel: Any, scored_folder: Path, scan_path: Path) -> Callable[..., Any]:
    """Return what shows the scan with its result in the panel, and returns the volume."""
    import slicer

    from ASPECTSSlicer.results import loadResult

    def load(path: Path = scan_path, folder: Path = scored_folder) -> Any:
        volume = load_scan(path)
        loadResult(slicer.mrmlScene, folder, volume)
        choose(panel, volume)
        return volume

    return load


@pytest.fixture
def scored(load_scored: Callable[..., Any]) -> Any:
    """Return the volume whose result the panel shows."""
    return load_scored()


@pytest.fixture
def tiny(scene: Any, tmp_path: Path) -> Iterator[Any]:  # noqa: ARG001
    """Open the panel of the tiny module and yield the object of its widget class."""
    import slicer_standins

    write_module(tmp_path)
    widget = slicer_standins.make_widget(slicer_standins.load_module(tmp_path / "Tiny.py"), "Tiny")
    slicer_standins.enter(widget)
    yield widget
    slicer_standins.close_widget(widget)


@pytest.fixture
def volume(scene: Any) -> Any:  # noqa: ARG001
    """Return a small scan in the scene."""
    return add_volume("CT head")


@pytest.fixture
def wait_until(application: Any) -> Callable[..., None]:
    """Return `wait_until(condition, timeout_s)`, which handles Qt's events until the condition holds."""

    def wait(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"not true within {timeout_s} s")
            application.processEvents()
            time.sleep(_POLL_S)

    return wait


def _written(volume: Volume, path: Path) -> Path:
    from ASPECTSLib.io.images import write_image

    write_image(volume, path)
    return path
