"""The atlas registered to scans that are trained on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine, resample
from ASPECTSLib.inference.inputs import label_centres
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.registration.mapping import Mapping
from ASPECTSLib.training import registered
from ASPECTSLib.training.labelled import Labelled
from ASPECTSLib.training.registered import registered_atlas

SHAPE, SPACING_MM = (40, 56, 48), np.array([4.0, 4.0, 4.0])
SHIFT_MM = np.array([6.0, -4.0, 9.0])


@pytest.fixture
def scan(atlas):
    """Return a scan of the atlas itself, shifted."""
    scan_from_atlas = np.eye(4)
    scan_from_atlas[:3, 3] = SHIFT_MM

    def regions_on(grid):
        return resample(atlas.regions, grid, np.linalg.inv(scan_from_atlas), order=0).array

    empty = Volume(np.zeros(SHAPE, np.uint8), centred_affine(SHAPE, SPACING_MM))
    image = empty.with_array((regions_on(empty) > 0).astype(np.float32))
    return Labelled(image, Modality.DWI, regions_on, lambda grid: regions_on(grid) > 0)


def test_a_scan_is_registered_once_as_long_as_it_is_kept(scan, atlas, monkeypatch):
    asked = []
    mapping = Mapping(np.eye(4))

    def register(brain, wanted):
        asked.append((brain, wanted))
        return None, mapping

    monkeypatch.setattr(registered, "seen_as_in_use", lambda *given: SimpleNamespace(given=given))
    monkeypatch.setattr(registered, "register", register)
    first, second = registered_atlas(scan, atlas), registered_atlas(scan, atlas)
    assert first is second
    assert first.mapping is mapping
    ((brain, wanted),) = asked
    assert wanted is atlas
    volume, mask, modality, template = brain.given
    assert volume is scan.image
    np.testing.assert_array_equal(mask.array, scan.brain)
    assert (modality, template) == (Modality.DWI, atlas)


def test_of_a_scan_that_is_refused_the_pose_is_known(scan, atlas, monkeypatch):
    def refuse(*_):
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "expected a brain")

    monkeypatch.setattr(registered, "seen_as_in_use", refuse)
    pose = registered_atlas(scan, atlas).scan_from_atlas
    centres_mm, _ = label_centres(atlas.regions, len(REGIONS))
    np.testing.assert_allclose(apply_affine(pose, centres_mm), centres_mm + SHIFT_MM, atol=1.0)
