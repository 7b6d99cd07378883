from __future__ import annotations

import numpy as np
import pytest
from axis_orders import reordered
from cta_phantoms import small_angiography

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.geometry import Volume, resample
from ASPECTSLib.io.images import write_image
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.radiomics.features import PAPER_FEATURES
from ASPECTSLib.training.radiomics_table import measure_cases

INFARCTED = ("I", "L", "M2")


def written(folder, scan, labels, infarct):
    (folder / "cta").mkdir(parents=True)
    for name, volume in (("image", scan), ("regions", labels), ("infarct", infarct)):
        write_image(volume, folder / "cta" / f"{name}.nii.gz")
    return folder


@pytest.fixture(scope="module")
def table(synthetic_patient, tmp_path_factory):
    """Return the features of a patient, and of the same with its axes in another order."""
    folder = tmp_path_factory.mktemp("cohort")
    scan = small_angiography(synthetic_patient)
    scan = Volume(np.rint(scan.array).astype(np.int16), scan.affine)
    labels = resample(synthetic_patient.regions, scan, order=0)
    codes = [r.label for r in REGIONS if r.side == "left" and r.code.value in INFARCTED]
    infarct = labels.with_array(np.isin(labels.array, codes).astype(np.uint8))
    order, flips = (2, 0, 1), (True, False, True)
    turned = (reordered(volume, order, flips) for volume in (scan, labels, infarct))
    cases = [
        written(folder / "case-1", scan, labels, infarct),
        written(folder / "case-2", *turned),
    ]
    return measure_cases(cases, PAPER_FEATURES, Progress())


def test_affected_regions_are_told_by_the_infarct(table):
    first = table.where(table.patients == 0)
    assert first.affected.sum() == len(INFARCTED)
    assert first.cortical.sum() == 12
    assert first.inputs.shape == (20, 3)


def test_infarcted_regions_are_darker_than_the_other_side(table):
    first = table.where(table.patients == 0)
    assert (first.inputs[first.affected, 0] < -0.05).all()
    np.testing.assert_allclose(first.inputs[:10], -first.inputs[10:])


def test_the_order_of_the_axes_does_not_matter(table):
    first, second = (table.where(table.patients == number) for number in (0, 1))
    np.testing.assert_array_equal(first.affected, second.affected)
    np.testing.assert_allclose(first.inputs, second.inputs)
