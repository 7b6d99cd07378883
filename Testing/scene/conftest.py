"""An empty MRML scene for each test; without the package `slicer-core` these tests are skipped."""

from __future__ import annotations

import pytest


@pytest.fixture
def scene():
    slicer = pytest.importorskip("slicer", reason="needs the package slicer-core")
    import vtk

    # Reading segmentations without the application's terminologies warns hundreds of times.
    vtk.vtkObject.GlobalWarningDisplayOff()
    return slicer.vtkMRMLScene()
