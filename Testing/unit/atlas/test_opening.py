from __future__ import annotations

import shutil

import numpy as np
import pytest
from published_phantoms import write_published

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.atlas import ATLAS_FOLDER, CARD_FILE, Atlas, load_atlas
from ASPECTSLib.atlas.atlas_import import import_published
from ASPECTSLib.atlas.opening import groups_of, open_atlas
from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.atlas.slice_atlas import SliceAtlas, write_slice_atlas
from ASPECTSLib.atlas.template_atlas import TemplateAtlas, write_template_atlas
from ASPECTSLib.atlas.tissues import INTRACRANIAL, NCCT_CONTRAST_HU, Tissue
from ASPECTSLib.errors import ContentRefusedError, ErrorCode, FileRefusedError, ResourceError


@pytest.fixture
def template(atlas):
    image, brain = atlas.render(NCCT_CONTRAST_HU), atlas.brain_probability()
    return TemplateAtlas(image, brain, atlas.regions, "ours", "1", {})


def test_each_kind_is_opened_as_what_it_is(template, tmp_path):
    for name in ("built", "imported"):
        (tmp_path / name).mkdir()
    write_template_atlas({None: template}, tmp_path / "built", {})
    published = import_published(write_published(tmp_path / "published"))
    write_slice_atlas(published, tmp_path / "imported")
    assert isinstance(open_atlas(ATLAS_FOLDER), Atlas)
    assert isinstance(open_atlas(tmp_path / "built"), TemplateAtlas)
    assert isinstance(open_atlas(tmp_path / "imported"), SliceAtlas)
    assert groups_of(tmp_path / "built") == ()
    assert groups_of(tmp_path / "imported") == tuple(AgeGroup)


def test_a_folder_that_holds_no_atlas_is_refused(tmp_path):
    for opening in (open_atlas, groups_of):
        with pytest.raises(FileRefusedError, match=r"holds no card.json") as caught:
            opening(tmp_path)
        assert caught.value.code is ErrorCode.FILE_NOT_FOUND


def test_a_template_shows_head_ct_and_nothing_else(template):
    assert template.render(NCCT_CONTRAST_HU) is template.template
    assert template.brain_probability() is template.brain
    with pytest.raises(ContentRefusedError, match="non-contrast CT of the brain") as caught:
        template.render(dict.fromkeys(Tissue, 1.0))
    assert caught.value.code is ErrorCode.METHOD_UNAVAILABLE
    with pytest.raises(ContentRefusedError):
        template.render(NCCT_CONTRAST_HU, brain_only=False)


@pytest.mark.parametrize("group", AgeGroup)
def test_variants_of_the_atlas_that_ships_share_its_space(atlas, group):
    variant = load_atlas(group=group)
    assert np.array_equal(variant.affine, atlas.affine)
    np.testing.assert_allclose(variant.regions.affine, atlas.regions.affine, atol=1e-6)
    labels = variant.regions.array
    assert np.array_equal(swap_sides(labels[..., ::-1]), labels)
    assert set(np.unique(labels)) == set(range(21))
    inside = sorted(INTRACRANIAL)
    sums = [a.tissues[inside].sum(axis=0, dtype=int) for a in (variant, atlas)]
    assert np.abs(sums[0] - sums[1]).mean() < 2  # of 255; the variants are stored in steps of 8


def test_ventricles_of_the_variants_widen_with_age():
    volumes = [float(load_atlas(group=group).tissues[Tissue.VENTRICLE].sum()) for group in AgeGroup]
    assert volumes == sorted(volumes)


def test_a_damaged_or_missing_variant_is_refused(tmp_path):
    folder = tmp_path / "atlas"
    shutil.copytree(ATLAS_FOLDER, folder)
    (folder / "regions_10_29.nii.gz").write_bytes(b"damaged")
    load_atlas(folder)
    with pytest.raises(ResourceError, match=r"regions_10_29.nii.gz"):
        load_atlas(folder, AgeGroup.FROM_10)
    card = (folder / CARD_FILE).read_text(encoding="utf-8").replace('"30-49"', '"x"')
    (folder / CARD_FILE).write_text(card, encoding="utf-8")
    with pytest.raises(ResourceError):
        load_atlas(folder, AgeGroup.FROM_30)
