"""The scan of a result must be the one that was scored, where it was scored."""

from __future__ import annotations

import numpy as np
import pytest
from axis_orders import AXIS_ORDERS, reordered
from reviewed_phantom import add_reviewed, reviewed_images

from ASPECTSLib.errors import ErrorCode, GeometryRefusedError


@pytest.fixture
def nodes(scene, tmp_path):
    return add_reviewed(scene, tmp_path / "result")


def test_a_scan_that_nobody_touched_is_the_one_that_was_scored(nodes):
    from ASPECTSSlicer.results import scoredScan

    np.testing.assert_array_equal(scoredScan(nodes).array, reviewed_images().scan.array)


@pytest.mark.parametrize("order", AXIS_ORDERS[::7])
def test_a_scan_with_other_axes_comes_back_in_the_order_of_the_result(nodes, order):
    """Slicer reverses axes of left-handed volumes when it loads a scene."""
    from ASPECTSSlicer.grids import fillVolume, readVolume
    from ASPECTSSlicer.results import scoredScan

    before = readVolume(nodes.scan)
    expected = before.array.copy()
    fillVolume(nodes.scan, reordered(before.with_array(expected), *order))
    found = scoredScan(nodes)
    np.testing.assert_array_equal(found.array, expected)
    np.testing.assert_allclose(found.affine, readVolume(nodes.heatmap).affine)


@pytest.mark.parametrize("shift_mm", [(0.5, 0.0, 0.0), (0.0, 0.0, -5.0)])
def test_a_scan_that_was_moved_is_refused(nodes, shift_mm):
    import vtk

    from ASPECTSSlicer.grids import nodeAffine, vtkMatrix
    from ASPECTSSlicer.results import scoredScan

    affine = nodeAffine(nodes.scan).copy()
    affine[:3, 3] += shift_mm
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(vtkMatrix(affine))
    nodes.scan.SetIJKToRASMatrix(matrix)
    with pytest.raises(GeometryRefusedError, match="moved or replaced") as caught:
        scoredScan(nodes)
    assert caught.value.code is ErrorCode.GEOMETRY_INVALID


def test_a_scan_that_was_mirrored_in_place_is_refused_where_its_grid_tells(nodes):
    from ASPECTSSlicer.grids import fillVolume, readVolume
    from ASPECTSSlicer.results import scoredScan

    volume = readVolume(nodes.scan)
    mirrored = np.diag([-1.0, 1.0, 1.0, 1.0]) @ volume.affine
    mirrored[0, 3] += 3.0  # off the middle, as every real grid is
    fillVolume(nodes.scan, type(volume)(volume.array.copy(), mirrored))
    with pytest.raises(GeometryRefusedError):
        scoredScan(nodes)
