"""What must hold on two real diffusion MRI; skipped where the data are not there.

Both were looked at between the runs of the network's training: these tests guard against losing what was reached, they
do not measure accuracy.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.geometry import Volume, apply_affine, resample
from ASPECTSLib.io.diffusion import read_diffusion
from ASPECTSLib.io.images import read_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.pipeline import ScoreOptions, score_study
from ASPECTSLib.scoring.overlap import dice

ISLES = "sub-strokecase0009_ses-0001_{}.nii.gz"
ADS = "Subject01_{}.nii.gz"
OPTIONS = ScoreOptions(regions=RegionSource.REGISTRATION)


@pytest.fixture(scope="module")
def small(shared_data):
    """Return a scan with an infarct of 4.2 mL, and the mask that experts drew."""
    folder = shared_data / "dwi" / "isles22-0009"
    dwi, adc, mask = (folder / ISLES.format(name) for name in ("dwi", "adc", "msk"))
    return read_diffusion(dwi, adc), read_image(mask).array > 0


@pytest.fixture(scope="module")
def scored(small):
    return score_study(small[0], OPTIONS)


def test_a_small_infarct_is_found_on_its_side_among_what_is_as_bright(small, scored):
    assert dice(scored.images.infarct.array > 0, small[1]) > 0.65
    assert scored.result.core.volume_ml == pytest.approx(4.2, rel=0.25)
    assert scored.result.core.severity == "mild"


def test_a_large_infarct_is_found_whole(shared_data):
    folder = shared_data / "dwi" / "ads-subject01"
    scan = read_diffusion(folder / ADS.format("DWI"), b0=folder / ADS.format("b0"))
    infarct = read_image(folder / ADS.format("DAGMNet_CH3_Lesion_Predict")).array > 0
    study = score_study(scan, OPTIONS)
    assert dice(study.images.infarct.array > 0, infarct) > 0.80
    assert study.result.aspects.side == "left"
    assert study.result.aspects.right == 10
    assert study.result.core.severity == "moderate-severe"


def test_a_mirrored_scan_gives_the_mirrored_infarct(small, scored):
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    scan = small[0]
    adc = scan.companions[Modality.ADC]
    mirrored = replace(
        scan,
        volume=Volume(scan.volume.array, mirror @ scan.volume.affine),
        companions={Modality.ADC: Volume(adc.array, mirror @ adc.affine)},
    )
    study = score_study(mirrored, OPTIONS)
    assert study.result.core == scored.result.core
    assert study.result.aspects.right == scored.result.aspects.left
    np.testing.assert_array_equal(study.images.infarct.array, scored.images.infarct.array)


def test_a_tilted_copy_has_nearly_the_same_infarct(small, scored):
    """The expert's own mask varies by 5 % over such copies."""
    volume = small[0].volume
    angle = np.radians(-10.0)
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    middle = apply_affine(volume.affine, (np.array(volume.size) - 1) / 2)
    tilt[:3, 3] = middle - tilt[:3, :3] @ middle
    study = score_study(copied(small[0], lambda image: resample(image, image, tilt)), OPTIONS)
    assert study.result.core.volume_ml == pytest.approx(scored.result.core.volume_ml, rel=0.1)


def test_a_copy_of_slices_cut_in_half_has_the_same_volume(small, scored):
    study = score_study(copied(small[0], halved_slices), OPTIONS)
    assert study.result.core.volume_ml == pytest.approx(scored.result.core.volume_ml, rel=0.02)


def copied(scan, copy):
    """Return a scan whose images were all copied in one way."""
    companions = {kind: copy(image) for kind, image in scan.companions.items()}
    return replace(scan, volume=copy(scan.volume), companions=companions)


def halved_slices(volume):
    affine = volume.affine.copy()
    affine[:3, 2] /= 2
    affine[:3, 3] -= affine[:3, 2] / 2
    return Volume(np.repeat(volume.array, 2, axis=0), affine)
