"""The atlas registered to scans that are trained on."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, centred_affine, resample
from ASPECTSLib.inference.inputs import label_centres, region_prior
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.registration.mapping import Mapping
from ASPECTSLib.training import registered
from ASPECTSLib.training.labelled import Labelled
from ASPECTSLib.training.registered import registered_atlas

SHAPE, SPACING_MM = (40, 56, 48), np.array([4.0, 4.0, 4.0])
SHIFT_MM = np.array([6.0, -4.0, 9.0])


@pytest.fixture(scope="module")
def prior(atlas):
    return region_prior(atlas)


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


def test_a_scan_is_registered_once_as_long_as_it_is_kept(scan, atlas, prior, monkeypatch):
    asked = []
    mapping = Mapping(np.eye(4))

    def register(brain, wanted):
        asked.append((brain, wanted))
        return SimpleNamespace(mapping=mapping)

    monkeypatch.setattr(registered, "seen_as_in_use", lambda *given: SimpleNamespace(given=given))
    monkeypatch.setattr(registered, "register", register)
    first, second = registered_atlas(scan, prior), registered_atlas(scan, prior)
    assert first is second
    assert first.mapping is mapping
    ((brain, wanted),) = asked
    assert wanted is atlas
    volume, mask, modality, template = brain.given
    assert volume is scan.image
    np.testing.assert_array_equal(mask.array, scan.brain)
    assert (modality, template) == (Modality.DWI, atlas)


def test_of_a_scan_that_is_refused_the_pose_is_known(scan, atlas, prior, monkeypatch):
    def refuse(*_):
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "expected a brain")

    monkeypatch.setattr(registered, "seen_as_in_use", refuse)
    pose = registered_atlas(scan, prior).scan_from_atlas
    centres_mm, _ = label_centres(atlas.regions, len(REGIONS))
    np.testing.assert_allclose(apply_affine(pose, centres_mm), centres_mm + SHIFT_MM, atol=1.0)


def test_another_atlas_is_registered_anew(scan, atlas, prior, monkeypatch):
    monkeypatch.setattr(registered, "seen_as_in_use", lambda *_: None)
    monkeypatch.setattr(
        registered, "register", lambda *_: SimpleNamespace(mapping=Mapping(np.eye(4)))
    )
    regions = atlas.regions.with_array(atlas.regions.array.copy())
    other = replace(prior, atlas=replace(atlas, regions=regions))
    assert registered_atlas(scan, prior).regions is atlas.regions
    assert registered_atlas(scan, other).regions is regions
