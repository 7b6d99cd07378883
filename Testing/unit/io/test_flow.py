from __future__ import annotations

import numpy as np
import pytest
from dicom_phantoms import depths, upright, write_series
from head_phantoms import head_scan

from ASPECTSLib.errors import ErrorCode, InputRefusedError
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.io.flow import check_flow, covered_by, read_flow
from ASPECTSLib.io.images import write_image

SHAPE = (6, 20, 20)


@pytest.fixture
def flow():
    array = np.zeros(SHAPE, np.float32)
    array[1:5, 3:17, 3:17] = 40.0
    return Volume(array, centred_affine(SHAPE, np.array([4.0, 4.0, 8.0])))


def written(volume, tmp_path, name="cbf.nii.gz"):
    write_image(volume, tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize("name", ["cbf.nii.gz", "cbf.nrrd", "cbf.mha"])
def test_a_map_of_few_slices_is_read(flow, tmp_path, name):
    read = read_flow(written(flow, tmp_path, name))
    np.testing.assert_array_equal(read.volume.array, flow.array)
    assert read.files == (name,)


@pytest.mark.parametrize("name", ["cbf.nii.gz", "cbf.nrrd"])
def test_what_is_not_a_number_is_unknown(flow, tmp_path, name):
    broken = flow.array.copy()
    broken[broken == 0] = np.nan
    read = read_flow(written(flow.with_array(broken), tmp_path, name))
    np.testing.assert_array_equal(read.volume.array, flow.array)


def written_dicom(tmp_path, description):
    positions = upright(depths((11, 8.0)))
    series = tmp_path / "series"
    write_series(series, positions, anatomy=flow_lps, SeriesDescription=description)
    return series


def flow_lps(points_lps):
    inside = np.hypot(points_lps[..., 0], points_lps[..., 1]) < 60.0
    return np.where(inside, 40.0, 0.0)


@pytest.mark.parametrize("description", ["CBF", "Head 8.0"])
def test_a_dicom_folder_with_a_map_is_read(tmp_path, description):
    read = read_flow(written_dicom(tmp_path, description))
    assert set(np.unique(read.volume.array)) == {0.0, 40.0}
    assert len(read.files) == 12


def test_a_series_that_says_that_it_is_something_else_is_refused(tmp_path):
    with pytest.raises(InputRefusedError) as caught:
        read_flow(written_dicom(tmp_path, "CTA Head"))
    assert caught.value.code in {ErrorCode.WRONG_MODALITY, ErrorCode.SERIES_NOT_FOUND}


def refusal(volume, tmp_path):
    with pytest.raises(InputRefusedError) as caught:
        read_flow(written(volume, tmp_path))
    assert caught.value.message.startswith("expected")
    return caught.value.code


def test_a_map_of_nothing_is_refused(flow, tmp_path):
    assert refusal(flow.with_array(0 * flow.array), tmp_path) == ErrorCode.NO_SIGNAL


def test_negative_flow_is_refused(flow, tmp_path):
    assert refusal(flow.with_array(-flow.array), tmp_path) == ErrorCode.NO_SIGNAL
    difference = flow.with_array(flow.array - 20.0)
    assert refusal(difference, tmp_path) == ErrorCode.IMPLAUSIBLE_UNITS


def test_a_head_ct_is_no_map_of_flow(tmp_path):
    head = head_scan().ct
    assert refusal(head, tmp_path) == ErrorCode.IMPLAUSIBLE_UNITS
    clipped = head.with_array(np.maximum(head.array, 0.0))
    assert refusal(clipped, tmp_path) == ErrorCode.WRONG_MODALITY


def test_flow_in_its_unit_passes(flow):
    check_flow(flow.array, flow.array > 0)
    check_flow(0.5 * flow.array, flow.array > 0)


@pytest.mark.parametrize("factor", [1 / 40.0, 0.1, 10.0])
def test_another_unit_is_refused(flow, factor):
    with pytest.raises(InputRefusedError, match="mL/100 g/min") as caught:
        check_flow(factor * flow.array, flow.array > 0)
    assert caught.value.code == ErrorCode.IMPLAUSIBLE_UNITS


def test_flow_beside_the_brain_is_refused(flow):
    beside = np.zeros(SHAPE)
    beside[1:5, 3:17, 15:19] = 40.0
    with pytest.raises(InputRefusedError, match="in 14% of it") as caught:
        check_flow(beside, flow.array > 0)
    assert caught.value.code == ErrorCode.GEOMETRY_INVALID


def test_slices_without_any_flow_are_not_covered(flow):
    covered = covered_by(flow).array
    np.testing.assert_array_equal(covered.all(axis=(1, 2)), [False, True, True, True, True, False])
    np.testing.assert_array_equal(covered.any(axis=(1, 2)), covered.all(axis=(1, 2)))
