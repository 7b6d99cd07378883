"""Which of the series of a DICOM folder is taken."""

from __future__ import annotations

import numpy as np
import pytest
from dicom_phantoms import depths, upright, write_series

from ASPECTSLib.errors import ContentRefusedError, ErrorCode, FileRefusedError, InputRefusedError
from ASPECTSLib.io.dicom import choose_head_ct, choose_series, list_series
from ASPECTSLib.io.modality import Modality

STACK = upright(depths((23, 5.0)))


def test_scouts_of_the_same_series_are_set_apart(tmp_path):
    uid = {"SeriesInstanceUID": "1.2.3.4"}
    scout = np.array([[-90.0, 0.0, 100.0]])
    write_series(tmp_path, STACK, name="a", **uid)
    write_series(tmp_path, scout, orientation=(0, 1, 0, 0, 0, -1), name="scout", **uid)
    assert sorted(one.image_count for one in list_series(tmp_path)) == [1, 24]
    assert choose_head_ct(list_series(tmp_path)).image_count == 24


def test_localizers_are_not_taken(tmp_path):
    write_series(tmp_path, STACK, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    with pytest.raises(FileRefusedError, match="expected one head CT") as caught:
        choose_head_ct(list_series(tmp_path))
    assert caught.value.code is ErrorCode.SERIES_NOT_FOUND


def test_coronal_slices_are_not_taken(tmp_path):
    write_series(tmp_path / "axial", STACK, SeriesDescription="axial")
    coronal = STACK[:, [0, 2, 1]]
    write_series(tmp_path / "coronal", coronal, orientation=(1, 0, 0, 0, 0, -1))
    assert choose_head_ct(list_series(tmp_path)).description == "axial"


def test_of_two_series_as_good_as_each_other_none_is_taken(tmp_path):
    write_series(tmp_path / "a", STACK, SeriesNumber=3, SeriesDescription="Head A")
    write_series(tmp_path / "b", STACK, SeriesNumber=5, SeriesDescription="Head B")
    with pytest.raises(FileRefusedError, match="--series") as caught:
        choose_head_ct(list_series(tmp_path))
    assert caught.value.code is ErrorCode.SERIES_AMBIGUOUS
    assert "series 3 'Head A'" in caught.value.message
    assert "series 5 'Head B'" in caught.value.message


@pytest.mark.parametrize("wanted", ["5", "head b", "HEAD B", " B", "1.2.3.9"])
def test_a_series_is_taken_by_number_description_or_uid(tmp_path, wanted):
    write_series(tmp_path / "a", STACK, SeriesNumber=3, SeriesDescription="Head A")
    write_series(
        tmp_path / "b",
        STACK,
        SeriesNumber=5,
        SeriesDescription="Head B",
        SeriesInstanceUID="1.2.3.9",
    )
    assert choose_head_ct(list_series(tmp_path), wanted).number == 5


def test_a_series_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    write_series(tmp_path, STACK, SeriesDescription="Head A")
    with pytest.raises(FileRefusedError, match="'thorax', got series 1 'Head A'") as caught:
        choose_head_ct(list_series(tmp_path), "thorax")
    assert caught.value.code is ErrorCode.SERIES_NOT_FOUND


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"ConvolutionKernel": "H31s"}, {"ConvolutionKernel": "H70h"}),
        ({"ConvolutionKernel": ["Hr40f", "2"]}, {"ConvolutionKernel": ["Hr68f", "2"]}),
        ({"ConvolutionKernel": "STANDARD"}, {"ConvolutionKernel": "BONEPLUS"}),
        ({"ConvolutionKernel": "FC26"}, {"ConvolutionKernel": "FC30"}),
        ({"ConvolutionKernel": "UB"}, {"SeriesDescription": "Head bone"}),
        ({}, {"ContrastBolusAgent": "ULTRAVIST 370"}),
        ({}, {"SeriesDescription": "CTA Head"}),
        ({"BodyPartExamined": "HEAD"}, {"BodyPartExamined": "CSPINE"}),
        ({"SliceThickness": 5.0}, {"SliceThickness": 0.625}),
    ],
)
def test_the_better_series_is_taken(tmp_path, better, worse):
    write_series(tmp_path / "worse", STACK, SeriesNumber=1, **worse)
    write_series(tmp_path / "better", STACK, SeriesNumber=2, **better)
    assert choose_head_ct(list_series(tmp_path)).number == 2


def test_the_series_that_covers_the_brain_is_taken(tmp_path):
    write_series(tmp_path / "part", STACK[:8], SeriesNumber=1)
    write_series(tmp_path / "whole", STACK, SeriesNumber=2)
    assert choose_head_ct(list_series(tmp_path)).number == 2


def test_scans_of_two_studies_are_never_ranked(tmp_path):
    write_series(tmp_path / "a", STACK, ConvolutionKernel="H31s")
    write_series(tmp_path / "b", STACK, ConvolutionKernel="H70h", StudyInstanceUID="1.2.4")
    with pytest.raises(FileRefusedError) as caught:
        choose_head_ct(list_series(tmp_path))
    assert caught.value.code is ErrorCode.SERIES_AMBIGUOUS


def test_mr_alone_is_refused_where_ct_is_wanted(tmp_path):
    write_series(tmp_path, STACK, Modality="MR", SeriesDescription="DWI b1000")
    with pytest.raises(ContentRefusedError, match="DWI b1000") as caught:
        choose_head_ct(list_series(tmp_path))
    assert caught.value.code is ErrorCode.WRONG_MODALITY


def test_series_of_other_kinds_are_found(tmp_path):
    names = {"ct": "Head", "dwi": "ep2d_diff_trace", "adc": "ep2d_diff ADC"}
    for folder, description in names.items():
        modality = "CT" if folder == "ct" else "MR"
        write_series(tmp_path / folder, STACK, Modality=modality, SeriesDescription=description)
    series = list_series(tmp_path)
    assert choose_head_ct(series).description == "Head"
    assert choose_series(series, Modality.DWI).description == "ep2d_diff_trace"
    assert choose_series(series, Modality.ADC).description == "ep2d_diff ADC"
    assert choose_series(series, Modality.CTA).description == "Head"
    with pytest.raises(InputRefusedError, match="B0 series"):
        choose_series(series, Modality.B0)
