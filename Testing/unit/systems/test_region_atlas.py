from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from build_phantoms import patient
from slice_atlas_phantoms import slice_atlas

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.atlas import ATLAS_FOLDER, load_atlas
from ASPECTSLib.atlas.opening import groups_of, open_atlas
from ASPECTSLib.atlas.slice_atlas import write_slice_atlas
from ASPECTSLib.atlas.template_atlas import TemplateAtlas, write_template_atlas
from ASPECTSLib.atlas.tissues import NCCT_CONTRAST_HU
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.errors import ErrorCode, FileRefusedError, UsageError
from ASPECTSLib.geometry import canonicalize
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.pipeline import score_study
from ASPECTSLib.preprocessing.handedness import mirror
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.overlap import region_dice
from ASPECTSLib.systems import region_atlas
from ASPECTSLib.systems.region_atlas import find_by_atlas
from ASPECTSLib.systems.study import ScoreOptions

BY_ATLAS = ScoreOptions("atlas-registration")


@pytest.fixture(scope="module")
def head(atlas):
    """Return a scan in the image frame, and its regions."""
    scan, regions = patient(atlas, 1)
    return canonicalize(scan).volume, canonicalize(regions).volume


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slices")
    write_slice_atlas(slice_atlas(tmp_path_factory.mktemp("published")), folder)
    return folder


@pytest.fixture(scope="module")
def template(atlas, tmp_path_factory):
    """Return the folder of a built atlas, which shows what the atlas that ships does."""
    folder = tmp_path_factory.mktemp("template")
    image, brain = atlas.render(NCCT_CONTRAST_HU), atlas.brain_probability()
    made = TemplateAtlas(image, brain, atlas.regions, "ours", "1", {})
    write_template_atlas({None: made}, folder, {})
    return folder


def found(volume, options, age_years):
    return find_by_atlas(volume, options, age_years, Progress())


def test_the_age_picks_the_variant(head):
    by_age = found(head[0], BY_ATLAS, 75.0)
    assert by_age.atlas.name == "aspects-mni152-70-89"
    assert by_age.options == {
        "atlas": "aspects-mni152-70-89",
        "atlas_mode": "3d",
        "age_group": "70-89",
        "age_group_by": "age",
    }
    assert by_age.warnings == ()
    assert region_dice(by_age.found.labels.array, head[1].array).mean() > 0.75


def test_without_an_age_the_variant_that_fits_best_is_taken_and_told(head, monkeypatch):
    correlations = iter([0.3, 0.4, 0.9, 0.5])
    real = region_atlas.delineate
    first = real(head[0], load_atlas(), RegionSource.REGISTRATION, Progress())

    def fitting(*_):
        return replace(first, quality=replace(first.quality, correlation=next(correlations)))

    monkeypatch.setattr(region_atlas, "delineate", fitting)
    by_fit = found(head[0], BY_ATLAS, None)
    assert by_fit.options["age_group"] == "50-69"
    assert by_fit.options["age_group_by"] == "fit"
    assert [warning.code for warning in by_fit.warnings] == ["AGE_UNKNOWN"]


def test_an_age_beyond_the_groups_is_told(head):
    by_age = found(head[0], BY_ATLAS, 95.0)
    assert by_age.options["age_group"] == "70-89"
    assert [warning.code for warning in by_age.warnings] == ["AGE_BEYOND_ATLAS"]


def test_other_methods_keep_the_atlas_of_all_ages(head):
    options = ScoreOptions("classical", regions=RegionSource.REGISTRATION)
    plain = found(head[0], options, 75.0)
    assert plain.atlas.name == "aspects-mni152"
    assert plain.options == {}


def test_a_built_atlas_is_taken_by_any_method_on_head_ct(head, template):
    options = ScoreOptions("classical", atlas=str(template))
    ours = found(head[0], options, 75.0)
    assert (ours.atlas.name, ours.options["age_group"]) == ("ours", None)
    assert region_dice(ours.found.labels.array, head[1].array).mean() > 0.75


def test_an_atlas_of_slices_gives_regions_on_two_slabs(head, slices):
    options = ScoreOptions("atlas-registration", atlas=str(slices))
    two = found(head[0], options, 55.0)
    labels = two.found.labels.array
    assert (two.atlas.name, two.options["atlas_mode"]) == ("aspects-281", "two-slice")
    assert two.options["age_group"] == "50-69"
    assert len(two.atlas.sha256) == 4
    assert all("50_69" in name for name in two.atlas.sha256)
    assert set(np.unique(labels)) == set(range(21))
    # The head is pitched: a slab of 5 mm runs through several slices.
    assert 2 <= np.count_nonzero(labels.any(axis=(1, 2))) <= 10
    # Each level lies among the slices that hold its regions in the head.
    for label in (2, 9):
        assert set(np.flatnonzero((labels == label).any(axis=(1, 2)))) <= set(
            np.flatnonzero((head[1].array == label).any(axis=(1, 2)))
        )


def test_a_mirrored_head_gives_the_mirrored_regions(head, slices):
    options = ScoreOptions("atlas-registration", atlas=str(slices))
    straight, turned = (found(volume, options, 55.0).found for volume in (head[0], mirror(head[0])))
    assert np.array_equal(straight.mirrored().labels.array, turned.labels.array)


def test_a_study_records_the_atlas_and_the_age_group(atlas):
    scan, _ = patient(atlas, 1)
    study = score_study(Scan(scan, ("a.nii.gz",), Modality.NCCT, age_years=75.0), BY_ATLAS)
    method = json.loads(study.result.to_json())["method"]
    assert method["name"] == "atlas-registration"
    assert method["options"]["age_group"] == "70-89"
    names = [model["name"] for model in method["models"]]
    assert "aspects-mni152-70-89-1/regions_70_89.nii.gz" in names
    assert "aspects-mni152-70-89-1/tissues_70_89.nii.gz" in names


def test_an_atlas_and_regions_by_networks_exclude_each_other():
    with pytest.raises(UsageError, match="regions by registration"):
        ScoreOptions("atlas-registration", regions=RegionSource.NETWORK)
    with pytest.raises(UsageError, match="regions by registration"):
        ScoreOptions(atlas="somewhere", regions=RegionSource.NETWORK)


def test_an_atlas_of_head_ct_is_not_for_other_scans(atlas):
    scan, _ = patient(atlas, 1)
    with pytest.raises(UsageError, match="--atlas is for head CT"):
        score_study(Scan(scan, ("a.nii.gz",), Modality.DWI), ScoreOptions(atlas="somewhere"))


def test_a_folder_without_an_atlas_is_refused(head, tmp_path):
    with pytest.raises(FileRefusedError, match="aspects atlas import") as caught:
        found(head[0], ScoreOptions(atlas=str(tmp_path)), 55.0)
    assert caught.value.code is ErrorCode.FILE_NOT_FOUND


def test_the_atlas_that_ships_has_all_age_groups():
    assert groups_of(ATLAS_FOLDER) == tuple(AgeGroup)
    for group in AgeGroup:
        variant = open_atlas(ATLAS_FOLDER, group)
        assert variant.name == f"aspects-mni152-{group.value}"
        assert set(np.unique(variant.regions.array)) == set(range(21))
