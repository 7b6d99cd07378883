"""A single image file, whose name says what its header does not."""

from __future__ import annotations

import numpy as np
import pytest

from ASPECTSLib.errors import ErrorCode, InputRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import write_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.systems.given import GivenScans, read_given


def written(path, level):
    array = np.full((25, 40, 40), 0.0, np.float32)
    array[2:-2, 5:-5, 5:-5] = level + np.random.default_rng(0).normal(0, 3, (21, 30, 30))
    write_image(Volume(array, np.diag([5.0, 5.0, 6.0, 1.0])), path)
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sub-01_dwi.nii.gz", Modality.DWI),
        ("sub-01_cbf.nii.gz", Modality.CBF),
        ("CTA.nrrd", Modality.CTA),
    ],
)
def test_it_is_read_as_what_its_name_says(tmp_path, name, kind):
    assert read_given(GivenScans(written(tmp_path / name, 60.0)), "auto").modality is kind


def test_a_name_that_says_nothing_is_left_to_the_header(tmp_path):
    assert (
        read_given(GivenScans(written(tmp_path / "head-ct.nii.gz", 30.0)), "auto").modality is None
    )


def test_a_method_for_another_kind_is_refused(tmp_path):
    with pytest.raises(InputRefusedError) as caught:
        read_given(GivenScans(written(tmp_path / "a_dwi.nii.gz", 60.0)), "classical")
    assert caught.value.code is ErrorCode.METHOD_UNAVAILABLE
