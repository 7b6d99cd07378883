from __future__ import annotations

import numpy as np
import pytest
from dicom_phantoms import depths, upright, write_series

from ASPECTSLib.errors import ErrorCode, InputRefusedError, UsageError
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.io.images import write_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.perfusion import read_perfusion

SHAPE = (16, 20, 20)


@pytest.fixture
def paths(tmp_path, small_scan_path):
    array = np.zeros(SHAPE, np.float32)
    array[1:15, 3:17, 3:17] = 40.0
    flow = Volume(array, centred_affine(SHAPE, np.array([8.0, 8.0, 8.0])))
    maps = {"cbf": flow.array, "cbv": 0.1 * array, "tmax": 0.05 * array}
    for name, values in maps.items():
        write_image(flow.with_array(values.astype(np.float32)), tmp_path / f"{name}.nii.gz")
    return {name: tmp_path / f"{name}.nii.gz" for name in maps} | {"ncct": small_scan_path}


def test_flow_is_read_with_what_belongs_to_it(paths):
    scan = read_perfusion(paths["cbf"], paths["ncct"], paths["cbv"], paths["tmax"])
    assert scan.modality is Modality.CBF
    assert set(scan.companions) == {Modality.NCCT, Modality.CBV, Modality.TMAX}
    assert scan.volume.array.max() == 40.0
    assert scan.companions[Modality.TMAX].array.max() == pytest.approx(2.0)
    assert len(scan.files) == 4


def test_flow_alone_is_enough(paths):
    assert read_perfusion(paths["cbf"]).companions == {}


def rewritten(path, change):
    from ASPECTSLib.io.images import read_image

    volume = read_image(path)
    write_image(volume.with_array(change(volume.array)), path)


def test_tmax_in_milliseconds_is_refused(paths):
    rewritten(paths["tmax"], lambda array: 1000.0 * array)
    with pytest.raises(InputRefusedError, match="Tmax map in seconds") as caught:
        read_perfusion(paths["cbf"], tmax=paths["tmax"])
    assert caught.value.code is ErrorCode.IMPLAUSIBLE_UNITS


def test_what_is_not_a_number_or_negative_is_unknown(paths):
    def broken(array):
        array = array.copy()
        array[3, 5, 5], array[4, 5, 5] = np.nan, -1.0
        return array

    rewritten(paths["cbv"], broken)
    scan = read_perfusion(paths["cbf"], cbv=paths["cbv"])
    assert scan.companions[Modality.CBV].array[3, 5, 5] == 0.0
    assert scan.companions[Modality.CBV].array.min() == 0.0


def test_an_empty_map_is_refused(paths):
    rewritten(paths["cbv"], lambda array: 0 * array)
    with pytest.raises(InputRefusedError, match="map of CBV, got no voxel") as caught:
        read_perfusion(paths["cbf"], cbv=paths["cbv"])
    assert caught.value.code is ErrorCode.NO_SIGNAL


def test_a_companion_that_lies_elsewhere_is_refused(paths, tmp_path, small_scan):
    affine = small_scan.affine.copy()
    affine[0, 3] += 500.0
    write_image(Volume(small_scan.array, affine), tmp_path / "away.nii.gz")
    with pytest.raises(InputRefusedError, match="the NCCT where the flow map lies") as caught:
        read_perfusion(paths["cbf"], tmp_path / "away.nii.gz")
    assert caught.value.code is ErrorCode.GEOMETRY_INVALID


def test_one_file_for_two_maps_is_refused(paths):
    with pytest.raises(UsageError, match="a file each"):
        read_perfusion(paths["cbf"], cbv=paths["cbf"])


def constant_lps(points_lps):
    return np.where(np.hypot(points_lps[..., 0], points_lps[..., 1]) < 60.0, 40.0, 0.0)


def test_a_dicom_folder_with_one_map_is_read_and_one_with_two_is_asked_back(paths, tmp_path):
    folder = tmp_path / "series"
    places = upright(depths((11, 8.0)))
    write_series(folder, places, anatomy=constant_lps, SeriesDescription="CBV")
    scan = read_perfusion(paths["cbf"], cbv=folder)
    assert scan.companions[Modality.CBV].array.max() == 40.0
    write_series(folder / "second", places, anatomy=constant_lps, SeriesDescription="MTT")
    with pytest.raises(InputRefusedError, match="got 2 series") as caught:
        read_perfusion(paths["cbf"], cbv=folder)
    assert caught.value.code is ErrorCode.SERIES_AMBIGUOUS
