from __future__ import annotations

import json

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from ASPECTSLib.errors import ContentRefusedError, ErrorCode, InputRefusedError
from ASPECTSLib.io.bvalues import (
    arithmetic_mean,
    b_values_beside,
    check_weighting,
    geometric_mean,
    pick_volumes,
    picked_notes,
    unweighted_of,
)
from ASPECTSLib.io.dicom_bvalues import b_value_of
from ASPECTSLib.io.notes import NoteCode


@pytest.mark.parametrize(
    ("b_values", "weighted", "b0", "b_value"),
    [
        ((0, 1000), (1,), (0,), 1000.0),
        ((1000, 0), (0,), (1,), 1000.0),
        ((0, 500, 1000, 2000), (2,), (0,), 1000.0),
        ((5, 995, 1000, 1005), (1, 2, 3), (0,), 1000.0),
        ((0, 0, 800), (2,), (0, 1), 800.0),
        ((0, 50, 1000), (2,), (0,), 1000.0),
        ((50, 1000), (1,), (0,), 1000.0),
        ((100, 1000), (1,), (), 1000.0),
        ((1000,), (0,), (), 1000.0),
        ((0, 900, 1100), (1,), (0,), 900.0),
        ((None, 0, 1000), (2,), (1,), 1000.0),
    ],
)
def test_volumes_are_picked_by_their_b_values(b_values, weighted, b0, b_value):
    picked = pick_volumes(b_values)
    assert (picked.weighted, picked.b0, picked.b_value) == (weighted, b0, b_value)


@pytest.mark.parametrize("b_values", [(0, 500), (0, 2000), (0,), ()])
def test_series_without_stroke_weighting_are_refused(b_values):
    with pytest.raises(ContentRefusedError, match="b-value near 1000"):
        pick_volumes(b_values)


def test_a_single_volume_is_checked_for_its_weighting():
    check_weighting(1000.0)
    with pytest.raises(ContentRefusedError, match="got 0") as caught:
        check_weighting(0.0)
    assert caught.value.code is ErrorCode.WRONG_MODALITY


def test_only_the_lowest_b_values_count_as_unweighted():
    assert unweighted_of((0.0, 5.0, 10.0, 1000.0)) == (0, 1)
    assert unweighted_of((None, 1000.0)) == ()


def test_a_choice_of_volumes_is_said():
    assert picked_notes((0, 1000), 1) == ()
    (note,) = picked_notes((0, 500, 1000, 1000, 2000), 2)
    assert note.code is NoteCode.VOLUMES_PICKED
    assert "500, 2000" in note.message
    assert "2 directions" in note.message


def test_directions_are_combined_to_their_geometric_mean():
    arrays = [np.array([1.0, 4.0, 0.0]), np.array([4.0, 4.0, 9.0])]
    np.testing.assert_allclose(geometric_mean(arrays), [2.0, 4.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(arithmetic_mean(arrays), [2.5, 4.0, 4.5])
    assert geometric_mean(arrays[:1]) is arithmetic_mean(arrays[:1]) is arrays[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("scan.bval", "0 1000 1000\n"),
        ("scan.bvals", "0\n1000\n1000"),
        ("scan.bval", "\ufeff0, 1000, 1000"),
        ("scan.json", json.dumps({"EchoTime": 0.1, "bvals": [0, 1000, 1000]})),
        ("scan.json", json.dumps({"B-values": ["0", "1000", "1000"]})),
        ("scan.json", json.dumps({"DiffusionBValue": [0, 1000, 1000]})),
        ("bvals", "0 1000 1000"),
    ],
)
@pytest.mark.parametrize("image", ["scan.nii.gz", "scan.nrrd"])
def test_b_values_are_read_beside_the_image(tmp_path, name, content, image):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert b_values_beside(tmp_path / image, 3) == (0.0, 1000.0, 1000.0)


def test_a_single_value_may_stand_alone_in_a_sidecar(tmp_path):
    (tmp_path / "scan.json").write_text(json.dumps({"DiffusionBValue": 1000}))
    assert b_values_beside(tmp_path / "scan.nii.gz", 1) == (1000.0,)


def test_files_beside_that_state_no_b_value_are_passed_over(tmp_path):
    (tmp_path / "scan.json").write_text(json.dumps({"EchoTime": 0.1}))
    assert b_values_beside(tmp_path / "scan.nii.gz", 3) is None
    (tmp_path / "bvals").write_text("0 1000")
    assert b_values_beside(tmp_path / "scan.nii.gz", 1) is None  # FSL's name is that of a series


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("scan.bval", "0 1000", "expected 3 b-values"),
        ("scan.bval", "0 b 1000", "expected b-values"),
        ("scan.bval", "0 -1000 1000", "expected b-values"),
        ("scan.bval", "0 nan 1000", "expected b-values"),
        ("scan.json", '{"bvals": "all"}', "expected b-values"),
        ("scan.json", '{"bvals": [0,', "expected a JSON file"),
    ],
)
def test_files_beside_that_do_not_fit_are_refused(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputRefusedError, match=words):
        b_values_beside(tmp_path / "scan.nii.gz", 3)


def header(manufacturer="", *elements):
    dataset = Dataset()
    dataset.Manufacturer = manufacturer
    for tag, vr, value in elements:
        dataset.add_new(Tag(tag), vr, value)
    return dataset


SIEMENS, GE, PHILIPS = 0x0019100C, 0x00431039, 0x20011003


@pytest.mark.parametrize(
    ("manufacturer", "elements", "b_value"),
    [
        ("Canon", [("DiffusionBValue", "FD", 1000.0)], 1000.0),
        ("SIEMENS", [(SIEMENS, "IS", "1000")], 1000.0),
        ("", [(0x00190010, "LO", "SIEMENS MR HEADER"), (SIEMENS, "IS", "5")], 5.0),
        ("Siemens Healthineers", [(SIEMENS, "UN", b"1000 ")], 1000.0),
        ("GE MEDICAL SYSTEMS", [(GE, "IS", ["1000", "8", "0", "0"])], 1000.0),
        ("GE MEDICAL SYSTEMS", [(GE, "IS", ["1000001000", "8", "0", "0"])], 1000.0),
        ("GE MEDICAL SYSTEMS", [(GE, "UN", b"1000000000\\8\\0\\0 ")], 0.0),
        ("Philips Medical Systems", [(PHILIPS, "FL", 1000.0)], 1000.0),
        ("Philips", [(PHILIPS, "UN", np.float32(800.0).tobytes())], 800.0),
        ("GE MEDICAL SYSTEMS", [("DiffusionBValue", "FD", 0.0), (GE, "IS", ["1000"])], 0.0),
    ],
)
def test_each_vendor_has_its_element_for_the_b_value(manufacturer, elements, b_value):
    assert b_value_of([header(manufacturer, *elements)]) == b_value


@pytest.mark.parametrize(
    ("manufacturer", "elements"),
    [
        ("SIEMENS", []),
        ("GE MEDICAL SYSTEMS", [(SIEMENS, "IS", "1000")]),
        ("SIEMENS", [(0x00190010, "LO", "GEMS_ACQU_01"), (SIEMENS, "IS", "1000")]),
        ("SIEMENS", [(SIEMENS, "UN", b"none")]),
        ("Philips", [(PHILIPS, "UN", b"1000 0")]),
        ("Philips", [(PHILIPS, "FL", -1.0)]),
        ("Philips", [(PHILIPS, "FL", float("nan"))]),
        ("SIEMENS", [(SIEMENS, "UN", b"")]),
    ],
)
def test_what_is_no_b_value_is_not_taken_for_one(manufacturer, elements):
    assert b_value_of([header(manufacturer, *elements)]) is None


def test_frames_of_enhanced_images_state_their_own_b_value():
    diffusion = Dataset()
    diffusion.DiffusionBValue = 1000.0
    own, shared = Dataset(), Dataset()
    own.MRDiffusionSequence = Sequence([diffusion])
    assert b_value_of([own, shared]) == 1000.0
    assert b_value_of([shared, own]) == 1000.0
