from __future__ import annotations

import numpy as np
import pytest
from published_phantoms import GROUPS, published_slice, write_plane, write_published

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.atlas_import import import_published
from ASPECTSLib.atlas.label_order import check_label_order
from ASPECTSLib.atlas.regions import REGIONS, Level, RegionCode, Side, region_of, swap_sides
from ASPECTSLib.atlas.slice_atlas import levels_labels, load_slice_atlas, write_slice_atlas
from ASPECTSLib.errors import ErrorCode, InputRefusedError, ResourceError
from ASPECTSLib.geometry import apply_affine


@pytest.fixture
def published(tmp_path):
    return write_published(tmp_path / "published")


@pytest.fixture
def atlas(published):
    return import_published(published)


def refusal(folder):
    with pytest.raises(InputRefusedError) as caught:
        import_published(folder)
    assert str(folder.parent) not in caught.value.message
    return caught.value


def centre(part, code, side):
    indices = np.argwhere(part.labels.array == region_of(RegionCode(code), side).label)
    return apply_affine(part.labels.affine, indices[:, ::-1].mean(axis=0))


def test_all_groups_and_levels_are_there_with_the_regions_of_their_level(atlas):
    assert atlas.groups == tuple(AgeGroup)
    for levels in atlas.slices.values():
        for level, part in levels.items():
            assert set(np.unique(part.labels.array)) == {0, *levels_labels(level)}
            check_label_order(part.labels)
    assert {label for level in Level for label in levels_labels(level)} == {
        r.label for r in REGIONS
    }


def test_sides_are_read_from_where_a_label_lies(atlas):
    part = atlas.slices[AgeGroup.FROM_50][Level.GANGLIONIC]
    assert centre(part, "L", Side.RIGHT)[0] == pytest.approx(26, abs=0.5)
    assert centre(part, "L", Side.LEFT)[0] == pytest.approx(-26, abs=0.5)
    front_to_back = [centre(part, code, Side.LEFT)[1] for code in ("M1", "M2", "M3")]
    assert front_to_back == sorted(front_to_back, reverse=True)


def test_a_brain_off_the_middle_of_its_image_has_its_midline_at_zero(tmp_path, atlas):
    moved = import_published(
        write_published(tmp_path / "moved", lambda _name, _kind, a: np.roll(a, 9, axis=1))
    )
    for level in Level:
        one, other = (a.slices[AgeGroup.FROM_10][level] for a in (atlas, moved))
        assert np.array_equal(np.roll(one.labels.array, -9, axis=2), other.labels.array)
        assert other.image.affine[0, 3] - one.image.affine[0, 3] == pytest.approx(4.5)


def test_a_mirrored_file_gives_the_mirrored_slice(tmp_path, atlas):
    mirrored = import_published(
        write_published(tmp_path / "mirrored", lambda _name, _kind, a: a[:, ::-1].copy())
    )
    for level in Level:
        one, other = (a.slices[AgeGroup.FROM_70][level] for a in (atlas, mirrored))
        assert np.array_equal(swap_sides(one.labels.array[..., ::-1]), other.labels.array)
        assert np.array_equal(one.image.array[..., ::-1], other.image.array)


def test_the_names_that_the_authors_used_before_are_taken(tmp_path, atlas):
    older = import_published(
        write_published(tmp_path / "older", prefixes=("subcortical", "cortical"))
    )
    part, other = (a.slices[AgeGroup.FROM_30][Level.SUPRAGANGLIONIC] for a in (atlas, older))
    assert np.array_equal(part.labels.array, other.labels.array)


def test_labels_that_have_sides_already_are_taken_as_they_are(tmp_path, atlas):
    def with_sides(_name, kind, array):
        left = np.arange(array.shape[1]) >= array.shape[1] / 2
        return array if kind == "image" else np.where((array > 0) & left, array + 10, array)

    sided = import_published(write_published(tmp_path / "sided", with_sides))
    part, other = (a.slices[AgeGroup.FROM_30][Level.GANGLIONIC] for a in (atlas, sided))
    assert np.array_equal(part.labels.array, other.labels.array)


def test_other_names_are_refused(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "atlas.nii.gz").write_bytes(b"x")
    error = refusal(tmp_path / "other")
    assert error.code is ErrorCode.NO_IMAGES
    assert (
        error.message == "expected files named BGL_image_10_29.nii.gz and so on, got atlas.nii.gz"
    )
    (tmp_path / "empty").mkdir()
    assert "an empty folder" in refusal(tmp_path / "empty").message
    assert refusal(tmp_path / "nowhere").code is ErrorCode.FILE_NOT_FOUND


@pytest.mark.parametrize("kind", ["image", "label"])
def test_a_missing_group_is_refused_with_its_name(published, kind):
    (published / f"SGL_{kind}_50_69.nii.gz").unlink()
    error = refusal(published)
    assert error.code is ErrorCode.FILE_NOT_FOUND
    assert "age group 50-69" in error.message
    assert f"SGL_{kind}_50_69.nii.gz is missing" in error.message
    for left in published.glob("SGL_*_50_69.nii.gz"):
        left.unlink()
    both = "SGL_image_50_69.nii.gz and SGL_label_50_69.nii.gz are missing"
    assert both in refusal(published).message


def test_another_spacing_is_refused(published):
    write_plane(published_slice("BGL", "30_49")[0], published / "BGL_image_30_49.nii.gz", 1.0)
    error = refusal(published)
    assert error.code is ErrorCode.GEOMETRY_INVALID
    assert "one slice of 0.5 mm pixels in BGL_image_30_49.nii.gz" in error.message


def test_labels_on_another_grid_are_refused(published):
    labels = published_slice("SGL", "30_49")[1]
    write_plane(labels[:-20], published / "SGL_label_30_49.nii.gz")
    error = refusal(published)
    assert error.code is ErrorCode.GEOMETRY_INVALID
    assert "on the grid of SGL_image_30_49.nii.gz" in error.message


def exchanged(one, other):
    def change(name, kind, array):
        if kind == "image" or name != "BGL_70_89":
            return array
        table = np.arange(11, dtype=np.uint8)
        table[[one, other]] = other, one
        return table[array]

    return change


def on_one_side(name, kind, array):
    if kind == "label" and name == "SGL_10_29":
        array = array.copy()
        array[:, array.shape[1] // 2 :][array[:, array.shape[1] // 2 :] == 9] = 0
    return array


def exchanged_sides(_name, kind, array):
    right = np.arange(array.shape[1]) < array.shape[1] / 2
    return np.where((array > 0) & right, array + 10, array) if kind == "label" else array


def upside_down(_name, _kind, array):
    return array[::-1].copy()


def levels_exchanged(name, kind, array):
    return published_slice("SGL", name[4:])[1] if name[:3] == "BGL" and kind == "label" else array


def outside(_name, kind, array):
    return np.roll(array, 160, axis=0) if kind == "image" else array


def unlike_hounsfield(_name, kind, array):
    return array * 6 if kind == "image" else array


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (
            exchanged(2, 4),
            ErrorCode.LABEL_ORDER,
            "BGL_label_70_89.nii.gz: expected labels in the order C, L, IC, I",
        ),
        (exchanged(2, 3), ErrorCode.LABEL_ORDER, "lies nearer to the midline than"),
        (exchanged(5, 7), ErrorCode.LABEL_ORDER, "M1 lies behind"),
        (upside_down, ErrorCode.LABEL_ORDER, "behind"),
        (exchanged_sides, ErrorCode.LABEL_ORDER, "left and right are exchanged"),
        (on_one_side, ErrorCode.LABELS_INVALID, "got 9 on one side only"),
        (
            levels_exchanged,
            ErrorCode.LABELS_INVALID,
            "expected the labels 1 to 7 in BGL_label_10_29.nii.gz, got 8, 9, 10",
        ),
        (outside, ErrorCode.LABELS_INVALID, "lies outside"),
        (unlike_hounsfield, ErrorCode.IMPLAUSIBLE_UNITS, "median of 180"),
    ],
)
def test_what_is_not_the_atlas_is_refused_with_a_sentence(tmp_path, change, code, words):
    error = refusal(write_published(tmp_path / "wrong", change))
    assert error.code is code
    assert words in error.message


def test_a_written_atlas_comes_back_as_it_was(atlas, tmp_path):
    folder = tmp_path / "atlas"
    folder.mkdir()
    write_slice_atlas(atlas, folder)
    again = load_slice_atlas(folder)
    assert (again.name, again.groups) == ("aspects-281", tuple(AgeGroup))
    assert len(again.sha256) == 4 * len(GROUPS)
    for group, levels in atlas.slices.items():
        for level, part in levels.items():
            other = again.slices[group][level]
            assert np.array_equal(part.image.array, other.image.array)
            assert np.array_equal(part.labels.array, other.labels.array)
            np.testing.assert_allclose(part.image.affine, other.image.affine, atol=1e-4)


def test_a_changed_file_of_a_written_atlas_is_refused(atlas, tmp_path):
    write_slice_atlas(atlas, tmp_path)
    (tmp_path / "ganglionic_labels_10_29.nii.gz").write_bytes(b"changed")
    with pytest.raises(ResourceError, match=r"ganglionic_labels_10_29.nii.gz") as caught:
        load_slice_atlas(tmp_path)
    assert caught.value.code is ErrorCode.RESOURCE_DAMAGED
