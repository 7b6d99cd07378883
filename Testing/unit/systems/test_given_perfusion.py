from __future__ import annotations

import numpy as np
import pytest
from dicom_phantoms import depths, upright, write_series
from perfusion_phantoms import flow_and_core

from ASPECTSLib.errors import ErrorCode, InputRefusedError
from ASPECTSLib.io.images import write_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.systems.given import GivenScans, read_given


@pytest.fixture(scope="module")
def flow_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("flow") / "map.nii.gz"
    write_image(flow_and_core()[0], path)
    return path


def test_a_map_that_is_named_as_such_is_read_with_the_head_ct(flow_path, small_scan_path):
    given = GivenScans(by_kind={Modality.CBF: flow_path, Modality.NCCT: small_scan_path})
    scan = read_given(given, "auto")
    assert scan.modality is Modality.CBF
    assert Modality.NCCT in scan.companions
    assert scan.notes == ()


def test_a_map_without_a_name_is_not_scored_as_a_head_ct(flow_path):
    with pytest.raises(InputRefusedError, match="say which it is: --cbf or --ncct") as caught:
        read_given(GivenScans(flow_path), "auto")
    assert caught.value.code is ErrorCode.WRONG_MODALITY


def flow_lps(points_lps):
    return np.where(np.hypot(points_lps[..., 0], points_lps[..., 1]) < 60.0, 40.0, 0.0)


def test_a_dicom_folder_of_a_map_is_recognised(tmp_path):
    series = tmp_path / "series"
    write_series(
        series, upright(depths((11, 8.0))), anatomy=flow_lps, SeriesDescription="Perfusion CBF"
    )
    assert read_given(GivenScans(series), "auto").modality is Modality.CBF
