"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ASPECTSLib.geometry import Volume
    from ASPECTSLib.pipeline import ScoredStudy
    from ASPECTSLib.synthesis.patient import SyntheticPatient

_BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of public imaging data, or skip the test where there is none."""
    folder = Path(os.environ.get("ASPECTS_DATA", _BESIDE_THE_REPOSITORY))
    if not folder.is_dir():
        pytest.skip("needs the public imaging data: set ASPECTS_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def synthetic_patient() -> SyntheticPatient:
    """Return a head CT with a left infarct in I, L and M2, which `aspects demo` makes too."""
    import numpy as np

    from ASPECTSLib.atlas.atlas import load_atlas
    from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
    from ASPECTSLib.synthesis.patient import make_patient

    affected = [region_of(RegionCode(code), Side.LEFT) for code in ("I", "L", "M2")]
    return make_patient(load_atlas(), affected, np.random.default_rng(1))


@pytest.fixture(scope="session")
def synthetic_scan_path(
    synthetic_patient: SyntheticPatient, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the file of the synthetic patient's scan."""
    from ASPECTSLib.io.images import write_image

    path = tmp_path_factory.mktemp("patient") / "synthetic.nii.gz"
    write_image(synthetic_patient.scan, path)
    return path


@pytest.fixture(scope="session")
def scored_study(synthetic_patient: SyntheticPatient) -> ScoredStudy:
    """Return the study of the synthetic patient, scored by the method that needs no network."""
    from ASPECTSLib.io.scan import Scan
    from ASPECTSLib.pipeline import ScoreOptions, score_study

    scan = Scan(synthetic_patient.scan, ("synthetic.nii.gz",))
    return score_study(scan, ScoreOptions(method="classical"))


@pytest.fixture(scope="session")
def small_scan(synthetic_patient: SyntheticPatient) -> Volume:
    """Return the synthetic patient's scan, coarse: 64 x 64 x 16 voxels, scored in two seconds."""
    import numpy as np

    from ASPECTSLib.geometry import Volume, shrink

    coarse = shrink(synthetic_patient.scan, (4, 4, 2))
    return Volume(np.rint(coarse.array).astype(np.int16), coarse.affine)


@pytest.fixture(scope="session")
def small_scan_path(small_scan: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of the coarse scan."""
    from ASPECTSLib.io.images import write_image

    path = tmp_path_factory.mktemp("small") / "small.nii.gz"
    write_image(small_scan, path)
    return path
