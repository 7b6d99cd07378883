"""Scenes for the tests; without the package `slicer-core` these tests are skipped."""

from __future__ import annotations

import pytest

_LOGICS = (
    "TerminologiesModule",
    "SubjectHierarchyModule",
    "SegmentationsModule",
    "Volumes",
    "Tables",
    "Texts",
    "Transform",
)


@pytest.fixture(autouse=True)
def _slicer_core():
    pytest.importorskip("slicer", reason="needs the package slicer-core")
    import vtk

    # Reading segmentations without the application's terminologies warns hundreds of times.
    vtk.vtkObject.GlobalWarningDisplayOff()


@pytest.fixture
def scene():
    """Return a scene with nothing in it."""
    import slicer

    return slicer.vtkMRMLScene()


@pytest.fixture
def application_scene(new_application_scene):
    """Return a scene as the application has it: it can be saved, and knows patients and studies."""
    return new_application_scene()


@pytest.fixture
def new_application_scene(tmp_path):
    """Return what makes scenes as the application has them; their logics live as long as the test."""
    import slicer

    kept = []

    def make():
        scene = slicer.vtkMRMLScene()
        application = slicer.vtkSlicerApplicationLogic()
        application.SetMRMLScene(scene)
        application.SetTemporaryPath(str(tmp_path))
        application.GetColorLogic().SetMRMLScene(scene)
        application.GetColorLogic().AddDefaultColorNodes()
        # Logics tell a scene which classes of nodes there are, without which it cannot read them.
        kept.extend(_logic(f"vtkSlicer{name}Logic", application, scene) for name in _LOGICS)
        remote = slicer.vtkMRMLRemoteIOLogic()  # scene files are read through its cache
        remote.SetMRMLScene(scene)
        remote.SetMRMLApplicationLogic(application)
        remote.GetCacheManager().SetRemoteCacheDirectory(str(tmp_path / "cache"))
        remote.AddDataIOToScene()
        slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        kept.extend([scene, application, remote])
        return scene

    return make


def _logic(class_name, application, scene):
    import slicer

    logic = getattr(slicer, class_name)()
    logic.SetMRMLApplicationLogic(application)
    logic.SetMRMLScene(scene)
    return logic


@pytest.fixture
def add_volume():
    """Return what adds a volume, as voxels and matrix, to a scene."""

    def add(scene, volume, name="3: Head 5.0 H31s", class_name="vtkMRMLScalarVolumeNode"):
        from ASPECTSSlicer.grids import fillVolume

        node = scene.AddNewNodeByClass(class_name, name)
        fillVolume(node, volume)
        return node

    return add


@pytest.fixture
def snapshot():
    """Return what describes a scene to the last detail: its file, and the time stamps of all nodes."""

    def describe(scene):
        nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
        scene.SetSaveToXMLString(True)
        scene.Commit()
        return scene.GetSceneXMLString(), [(node.GetID(), node.GetMTime()) for node in nodes]

    return describe


@pytest.fixture
def event_log():
    """Return what watches all nodes of a scene, and the scene, and lists the events that come."""
    observed = []

    def watch(scene):
        events = []
        nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
        for one in (scene, *nodes):
            tag = one.AddObserver("AnyEvent", lambda caller, event: events.append((caller, event)))
            observed.append((one, tag))
        return events

    yield watch
    for one, tag in observed:
        one.RemoveObserver(tag)
