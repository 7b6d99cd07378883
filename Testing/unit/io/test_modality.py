from __future__ import annotations

import pytest

from ASPECTSLib.io.modality import Modality, has_contrast, recognise_modality


@pytest.mark.parametrize(
    ("dicom_modality", "text", "modality"),
    [
        ("CT", "ORIGINAL PRIMARY AXIAL Head 5.0 H31s", Modality.NCCT),
        ("CT", "", Modality.NCCT),
        ("CT", "Head W/O contrast", Modality.NCCT),
        ("CT", "CTA head 0.6", Modality.CTA),
        ("CT", "Head_angio", Modality.CTA),
        ("CT", "CTP_dynamic 4D", Modality.CTP),
        ("CT", "DERIVED SECONDARY CBF", Modality.CBF),
        ("CT", "DERIVED SECONDARY Tmax", None),
        ("CT", "perfusion CBV", None),
        ("MR", "ep2d_diff_b1000", Modality.DWI),
        ("MR", "DWI", Modality.DWI),
        ("MR", "DERIVED PRIMARY ADC dReg", Modality.ADC),
        ("MR", "eADC", None),
        ("MR", "ep2d b0", Modality.B0),
        ("MR", "T2 FLAIR tra", None),
        ("MR", "rCBF", Modality.CBF),
        ("SR", "DWI", None),
    ],
)
def test_a_modality_is_recognised_from_the_words_of_a_header(dicom_modality, text, modality):
    assert recognise_modality(dicom_modality, text) is modality


def test_a_b_value_makes_an_mr_series_diffusion():
    assert recognise_modality("MR", "axial", b_value=1000.0) is Modality.DWI
    assert recognise_modality("MR", "axial", b_value=0.0) is Modality.B0


def test_contrast_agent_makes_a_ct_an_angiogram():
    assert recognise_modality("CT", "Head 1.0", contrast_agent="Omnipaque 350") is Modality.CTA


@pytest.mark.parametrize(
    ("text", "agent", "expected"),
    [
        ("Head", "", False),
        ("Head", "NONE", False),
        ("Head", "APPLIED", True),
        ("Head post", "", True),
        ("Head without contrast", "", False),
        ("Head non-contrast", "", False),
        ("Head +C", "", True),
    ],
)
def test_contrast_is_told_from_descriptions_and_from_the_agent(text, agent, expected):
    assert has_contrast(text, agent) is expected


@pytest.mark.parametrize("modality", Modality)
def test_every_modality_but_maps_of_perfusion_has_one_dicom_modality(modality):
    is_map = modality in {Modality.CBF, Modality.CBV, Modality.TMAX}
    assert (modality.dicom_modality is None) == is_map
