"""The views become one picture, whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs the package slicer-core")

import vtk
from view_fixtures import skip_without_rendering
from vtk.util.numpy_support import vtk_to_numpy

from ASPECTSSlicer.capture import captureViews

COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))
WIDTH, HEIGHT = 40, 30


@pytest.fixture
def windows():
    skip_without_rendering()
    return [window_of(colour) for colour in COLOURS]


def window_of(colour, size=(WIDTH, HEIGHT)):
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetSize(*size)
    renderer = vtk.vtkRenderer()
    renderer.SetBackground(*(channel / 255 for channel in colour))
    window.AddRenderer(renderer)
    return window


def picture(path):
    """Return a PNG file, shape (height, width, 3), the top row first."""
    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    width, height, _ = reader.GetOutput().GetDimensions()
    scalars = reader.GetOutput().GetPointData().GetScalars()
    return vtk_to_numpy(scalars).reshape(height, width, -1)[::-1]


def quarters(path):
    """Return the four places of a picture, and the line between the left and the right ones."""
    drawn = picture(path)
    rows = (drawn[:HEIGHT], drawn[-HEIGHT:])
    places = [place for row in rows for place in (row[:, :WIDTH], row[:, -WIDTH:])]
    return places, drawn[:, WIDTH:-WIDTH]


def test_four_views_are_drawn_in_reading_order(windows, tmp_path):
    captureViews(windows, tmp_path / "views.png")
    places, _ = quarters(tmp_path / "views.png")
    for place, colour in zip(places, COLOURS, strict=True):
        assert np.all(place == colour)


def test_views_are_kept_apart_by_a_line(windows, tmp_path):
    captureViews(windows, tmp_path / "views.png")
    _, line = quarters(tmp_path / "views.png")
    assert line.shape[1] >= 2
    assert np.all(line == line[0, 0, 0])
    assert 0 < line[0, 0, 0] < 255


def test_smaller_view_leaves_the_rest_of_its_place_black(windows, tmp_path):
    windows[1] = window_of((255, 255, 255), (20, 10))
    captureViews(windows, tmp_path / "views.png")
    places, _ = quarters(tmp_path / "views.png")
    assert np.all(places[1][:10, :20] == 255)
    assert not places[1][10:].any()
    assert not places[1][:, 20:].any()


def test_place_without_a_view_is_black(windows, tmp_path):
    captureViews(windows[:3], tmp_path / "views.png")
    places, _ = quarters(tmp_path / "views.png")
    assert np.all(places[2] == COLOURS[2])
    assert not places[3].any()


def test_picture_that_exists_is_replaced_and_nothing_else_is_left(windows, tmp_path):
    path = tmp_path / "Ansichten für später.png"
    path.write_text("an old picture")
    captureViews(windows, path)
    assert np.all(quarters(path)[0][0] == COLOURS[0])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_missing_folder_is_a_sentence(windows, tmp_path):
    with pytest.raises(OSError, match=r"expected to write the picture views\.png: No such file"):
        captureViews(windows, tmp_path / "missing" / "views.png")


def test_picture_that_cannot_be_written_leaves_no_parts(windows, tmp_path):
    (tmp_path / "views.png").mkdir()
    (tmp_path / "views.png" / "something").touch()
    with pytest.raises(OSError, match=r"expected to write the picture views\.png"):
        captureViews(windows, tmp_path / "views.png")
    assert [file.name for file in tmp_path.iterdir()] == ["views.png"]


def test_no_views_are_no_picture(tmp_path):
    with pytest.raises(OSError, match="expected views that are shown"):
        captureViews([], tmp_path / "views.png")
    assert not list(tmp_path.iterdir())
