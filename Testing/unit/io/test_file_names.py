from __future__ import annotations

from pathlib import Path

import pytest

from ASPECTSLib.io.file_names import image_stem, kind_by_name
from ASPECTSLib.io.modality import Modality


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sub-strokecase0009_ses-0001_dwi.nii.gz", Modality.DWI),
        ("Subject01_DWI.nii.gz", Modality.DWI),
        ("patient 3 CTA.nrrd", Modality.CTA),
        ("head-ct.mha", Modality.NCCT),
        ("rCBF.nii", None),
        ("sub-01_dwi_msk.nii.gz", None),
        ("dwi_to_adc.nii.gz", None),
        ("acta.nii.gz", None),
        ("image.nii.gz", None),
    ],
)
def test_a_name_says_what_a_file_is_in_a_word_of_its_own(name, kind):
    assert kind_by_name(Path("cta") / name) is kind


def test_the_stem_is_what_stands_before_all_of_the_suffix():
    assert image_stem(Path("a.b.nii.gz")) == "a.b"
    assert image_stem(Path("A.NRRD")) == "A"
