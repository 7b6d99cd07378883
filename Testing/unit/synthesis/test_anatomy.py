from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import SimpleITK as sitk
from atlas_phantoms import head_labels, tiny_atlas
from axis_orders import reordered
from synthetic_head_phantoms import phantom_anatomy

from ASPECTSLib.atlas.freesurfer import tissues_of
from ASPECTSLib.atlas.regions import swap_sides
from ASPECTSLib.atlas.rules import draw_regions_at, grid_points
from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue
from ASPECTSLib.errors import (
    CancelledError,
    ContentRefusedError,
    ErrorCode,
    FileRefusedError,
    OutputError,
)
from ASPECTSLib.geometry import LPS_FROM_RAS, Volume, apply_affine, resample
from ASPECTSLib.io.images import write_image
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.overlap import region_dice
from ASPECTSLib.synthesis import anatomy as anatomy_module
from ASPECTSLib.synthesis import average_head
from ASPECTSLib.synthesis.anatomy import (
    COARSE_STEP,
    Anatomy,
    anatomy_files,
    atlas_anatomy,
    load_anatomies,
    load_anatomy,
    prepare_anatomy,
)

ARRAYS = [field.name for field in fields(Anatomy) if field.name != "name"]
SHIFT_TO_ATLAS_MM = (3.0, -2.0, 1.0)
SCALE = 6.0  # of a head over the phantom: the rule's planes are in mm


@pytest.fixture(scope="module", autouse=True)
def rule_in_the_phantoms_size():
    """Draw regions as if the phantom were as large as a head, of which it has a sixth."""

    def draw(probabilities, points):
        return draw_regions_at(probabilities, points * SCALE)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anatomy_module, "draw_regions_at", draw)
        yield


@pytest.fixture(scope="module")
def small_atlas():
    return tiny_atlas()


@pytest.fixture(scope="module")
def label_map():
    """Return a head whose left half differs: its caudate is missing."""
    labels = head_labels()
    return labels.with_array(np.where(labels.array == 11, 2, labels.array))


@pytest.fixture(scope="module")
def path(label_map, tmp_path_factory):
    path = tmp_path_factory.mktemp("anatomies") / "head.01.nii.gz"
    write_image(label_map, path)
    return path


@pytest.fixture(scope="module")
def prepared(path, small_atlas):
    return load_anatomy(path, small_atlas)


def assert_same(first, second):
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), name)


def known_alignment(_fixed, _moving):
    to_lps = np.diag(LPS_FROM_RAS)[:3]
    return sitk.TranslationTransform(3, (np.array(SHIFT_TO_ATLAS_MM) * to_lps).tolist())


def on_grid_of(wanted, anatomy, name):
    """Return a label map of an anatomy on another's grid."""
    grid = Volume(wanted.tissue, wanted.affine)
    return resample(Volume(getattr(anatomy, name), anatomy.affine), grid, order=0).array


def coarse_points(anatomy):
    """Return where the coarse fields' voxels lie in the anatomy, shape (3, k, j, i)."""
    points = grid_points(anatomy.tissue.shape, anatomy.affine)
    return np.moveaxis(points[::COARSE_STEP, ::COARSE_STEP, ::COARSE_STEP], -1, 0)


def test_a_prepared_head_lies_about_the_middle_of_its_brain(prepared):
    inside = np.isin(prepared.tissue, [int(t) for t in INTRACRANIAL])
    middle = apply_affine(prepared.affine, np.argwhere(inside).mean(axis=0)[::-1])
    np.testing.assert_allclose(middle, 0.0, atol=1e-9)
    np.testing.assert_array_equal(prepared.affine[:3, :3], np.eye(3))
    assert all(n % COARSE_STEP == 1 for n in prepared.tissue.shape)
    assert prepared.name == "head.01"


def test_places_in_the_atlas_are_those_of_the_same_structures(prepared):
    inside = np.isin(prepared.tissue, [int(t) for t in INTRACRANIAL])
    inside = inside[::COARSE_STEP, ::COARSE_STEP, ::COARSE_STEP]
    shift = (prepared.atlas_points - coarse_points(prepared))[:, inside]
    spread_mm = np.linalg.norm(shift - np.median(shift, axis=1, keepdims=True), axis=0)
    assert np.median(spread_mm) < 0.5
    assert spread_mm.max() < 2.5


def test_a_real_heads_regions_are_drawn_in_its_own_tissue(prepared):
    drawn = set(np.unique(prepared.regions)) - {0}
    assert {5, 6, 7, 15, 16, 17} <= drawn
    assert 1 in drawn  # the right caudate
    assert 11 not in drawn  # the left one, which is missing
    points = grid_points(prepared.tissue.shape, prepared.affine)
    assert (points[(prepared.regions >= 1) & (prepared.regions <= 10)][:, 0] > -1.5).all()
    assert (points[prepared.regions >= 11][:, 0] < 1.5).all()


def test_depth_of_the_cortex_is_the_distance_from_fluid(prepared):
    cortex = prepared.tissue == Tissue.CORTEX
    assert (prepared.cortex_depth_mm[~cortex] == 0).all()
    assert prepared.cortex_depth_mm[cortex].min() == pytest.approx(1.0, abs=0.1)
    assert prepared.cortex_depth_mm[cortex].max() > 2.0


def test_ventricles_push_away_from_themselves(prepared):
    ventricles = np.argwhere(prepared.tissue == Tissue.VENTRICLE)[:, ::-1].astype(float)
    middle_mm = apply_affine(prepared.affine, ventricles).mean(axis=0)
    outwards = coarse_points(prepared) - middle_mm[:, None, None, None]
    push = prepared.ventricle_push
    length = np.linalg.norm(push, axis=0)
    assert length.max() <= 1.02
    beside = (np.abs(outwards[0]) > 4) & (np.abs(outwards[0]) < 12) & (length > 0.2)
    assert (np.sign(push[0][beside]) == np.sign(outwards[0][beside])).mean() > 0.9
    far = np.linalg.norm(outwards, axis=0) > 16
    assert np.median(length[far]) < np.median(length[beside])


def test_the_order_of_the_axes_in_the_file_tells_nothing(
    tmp_path, label_map, small_atlas, monkeypatch
):
    monkeypatch.setattr(anatomy_module, "align", known_alignment)
    path = tmp_path / "head.nii.gz"
    write_image(label_map, path)
    expected = load_anatomy(path, small_atlas)
    write_image(reordered(label_map, (1, 2, 0), (True, False, True)), path)
    assert_same(load_anatomy(path, small_atlas), expected)


def test_places_in_the_atlas_are_where_the_alignment_takes_voxels(
    label_map, small_atlas, monkeypatch
):
    monkeypatch.setattr(anatomy_module, "align", known_alignment)
    shifted = label_map.affine.copy()
    shifted[:3, 3] += [40.0, 50.0, 60.0]
    head = Volume(tissues_of(label_map.array.astype(np.int64)), shifted)
    anatomy = prepare_anatomy("head", head, small_atlas)
    inside = np.isin(head.array, [int(t) for t in INTRACRANIAL])
    brain_mm = apply_affine(shifted, np.argwhere(inside).mean(axis=0)[::-1])
    expected = coarse_points(anatomy) + np.reshape(brain_mm + SHIFT_TO_ATLAS_MM, (3, 1, 1, 1))
    np.testing.assert_allclose(anatomy.atlas_points, expected, atol=1e-3)


def test_a_mirrored_label_map_gives_the_mirrored_anatomy(
    tmp_path, label_map, small_atlas, prepared
):
    path = tmp_path / "head.nii.gz"
    write_image(label_map.with_array(np.ascontiguousarray(label_map.array[..., ::-1])), path)
    found, mirrored = load_anatomy(path, small_atlas), prepared.mirrored()
    np.testing.assert_array_equal(on_grid_of(mirrored, found, "tissue"), mirrored.tissue)
    labels = on_grid_of(mirrored, found, "regions")
    assert region_dice(labels, mirrored.regions)[np.r_[1:3, 4:13, 14:20]].mean() > 0.9
    assert 1 not in found.regions
    assert 11 in found.regions
    own, other = (
        np.median(a.atlas_points - coarse_points(a), axis=(1, 2, 3)) for a in (found, mirrored)
    )
    np.testing.assert_allclose(own, other, atol=0.2)


def test_mirroring_exchanges_sides_and_nothing_else(prepared):
    mirrored = prepared.mirrored()
    np.testing.assert_array_equal(mirrored.tissue, prepared.tissue[..., ::-1])
    np.testing.assert_array_equal(mirrored.regions, swap_sides(prepared.regions[..., ::-1]))
    for name in ("atlas_points", "ventricle_push"):
        field = getattr(prepared, name)[..., ::-1] * np.reshape([-1, 1, 1], (3, 1, 1, 1))
        np.testing.assert_array_equal(getattr(mirrored, name), field)
    points = grid_points(prepared.tissue.shape, prepared.affine)[:, :, ::-1] * [-1, 1, 1]
    np.testing.assert_allclose(grid_points(mirrored.tissue.shape, mirrored.affine), points)
    assert_same(mirrored.mirrored(), prepared)


def test_coarse_fields_that_do_not_fit_the_grid_are_not_mirrored():
    odd = phantom_anatomy((33, 41, 34))
    with pytest.raises(ValueError, match="multiple of 4 plus 1 voxels, got 34"):
        odd.mirrored()


def test_voxels_of_other_sizes_are_brought_to_one_mm(small_atlas, monkeypatch):
    monkeypatch.setattr(anatomy_module, "align", known_alignment)
    thick = np.pad(phantom_anatomy().tissue[::3], 6)
    head = Volume(thick, np.diag([1.0, 1.0, 3.0, 1.0]))
    anatomy = prepare_anatomy("thick", head, small_atlas)
    np.testing.assert_array_equal(anatomy.affine[:3, :3], np.eye(3))
    solid = [int(t) for t in INTRACRANIAL]
    expected_mm3 = 3 * np.isin(thick, solid).sum()
    assert np.isin(anatomy.tissue, solid).sum() == pytest.approx(expected_mm3, rel=0.05)


def test_what_lies_far_below_the_brain_is_cut_off(monkeypatch):
    monkeypatch.setattr(anatomy_module, "_HEIGHT_MM", 20)
    tissue = np.pad(phantom_anatomy().tissue, 6)
    box = anatomy_module._grid_box(tissue)
    brain_top = np.flatnonzero(np.isin(tissue, [int(t) for t in INTRACRANIAL]).any(axis=(1, 2)))[-1]
    assert box[0].start == brain_top + 1 - 20
    assert all((span.stop - span.start) % COARSE_STEP == 1 for span in box)


def test_a_head_at_the_end_of_its_image_still_gets_a_fitting_grid():
    tissue = np.pad(phantom_anatomy().tissue, ((0, 0), (1, 2), (3, 0)))
    for span, size in zip(anatomy_module._grid_box(tissue), tissue.shape, strict=True):
        assert (span.stop - span.start) % COARSE_STEP == 1
        assert 0 <= span.start < span.stop <= size


def test_the_second_load_equals_the_first(tmp_path, path, small_atlas, prepared, monkeypatch):
    cache = tmp_path / "made" / "here"
    monkeypatch.setattr(anatomy_module, "prepare_anatomy", lambda *_: prepared)
    first = load_anatomy(path, small_atlas, cache)
    monkeypatch.setattr(anatomy_module, "prepare_anatomy", None)  # never asked again
    second = load_anatomy(path, small_atlas, cache)
    assert_same(first, second)
    assert_same(first, prepared)  # which was loaded without a cache
    assert second.name == "head.01"


def test_the_cache_is_within_its_precision(monkeypatch, tmp_path, path, small_atlas):
    exact = phantom_anatomy()
    monkeypatch.setattr(anatomy_module, "prepare_anatomy", lambda *_: exact)
    kept = load_anatomy(path, small_atlas, tmp_path)
    np.testing.assert_array_equal(kept.tissue, exact.tissue)
    np.testing.assert_array_equal(kept.regions, exact.regions)
    np.testing.assert_allclose(kept.atlas_points, exact.atlas_points, atol=0.07)
    np.testing.assert_allclose(kept.cortex_depth_mm, exact.cortex_depth_mm, atol=0.1)
    assert all(getattr(kept, n).dtype == getattr(exact, n).dtype for n in ARRAYS)


def test_another_file_or_atlas_is_not_taken_from_the_cache(
    tmp_path, path, label_map, small_atlas, monkeypatch
):
    asked = []

    def prepare(*_):
        asked.append(1)
        return phantom_anatomy()

    monkeypatch.setattr(anatomy_module, "prepare_anatomy", prepare)
    load_anatomy(path, small_atlas, tmp_path)
    other_atlas = type(small_atlas)(
        **{**vars(small_atlas), "sha256": {"tissues": "c", "regions": "b"}}
    )
    load_anatomy(path, other_atlas, tmp_path)
    changed = tmp_path / path.name
    write_image(label_map.with_array(label_map.array + (label_map.array == 16)), changed)
    load_anatomy(changed, small_atlas, tmp_path)
    assert len(asked) == 3


def test_a_cache_holds_no_pickle_and_nothing_half_written(tmp_path, path, small_atlas, monkeypatch):
    monkeypatch.setattr(anatomy_module, "prepare_anatomy", lambda *_: phantom_anatomy())
    load_anatomy(path, small_atlas, tmp_path)
    (file,) = tmp_path.iterdir()
    with np.load(file, allow_pickle=False) as stored:
        assert all(stored[name].dtype.kind in "uif" for name in stored)


def test_a_write_that_fails_leaves_nothing(tmp_path, path, small_atlas, monkeypatch):
    def fail(file, **_arrays):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(anatomy_module, "prepare_anatomy", lambda *_: phantom_anatomy())
    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OutputError, match="does not take files") as refused:
        load_anatomy(path, small_atlas, tmp_path)
    assert refused.value.code is ErrorCode.OUTPUT_NOT_WRITABLE
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_is_a_file_is_refused_with_a_sentence(
    tmp_path, path, small_atlas, monkeypatch
):
    (tmp_path / "cache").write_text("mine")
    monkeypatch.setattr(anatomy_module, "prepare_anatomy", lambda *_: phantom_anatomy())
    with pytest.raises(OutputError, match="in cache, but it does not take files"):
        load_anatomy(path, small_atlas, tmp_path / "cache")


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", None])
def test_a_damaged_cache_is_told(tmp_path, path, small_atlas, monkeypatch, damage):
    monkeypatch.setattr(anatomy_module, "prepare_anatomy", lambda *_: phantom_anatomy())
    load_anatomy(path, small_atlas, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:2000] if damage is None else damage)
    with pytest.raises(FileRefusedError, match="got a damaged file; delete it"):
        load_anatomy(path, small_atlas, tmp_path)


def test_a_folder_is_loaded_in_the_order_of_names(tmp_path, label_map, small_atlas, monkeypatch):
    for name in ("b.nii.gz", "a.nrrd", "C.NII"):
        write_image(label_map, tmp_path / name.lower())
        (tmp_path / name.lower()).rename(tmp_path / name)
    (tmp_path / "readme.txt").write_text("not a head")
    monkeypatch.setattr(anatomy_module, "prepare_anatomy", lambda *_: phantom_anatomy())
    assert [p.name for p in anatomy_files(tmp_path)] == ["C.NII", "a.nrrd", "b.nii.gz"]
    assert len(load_anatomies(tmp_path, small_atlas)) == 3


def test_loading_a_folder_can_be_cancelled(tmp_path, label_map, small_atlas):
    write_image(label_map, tmp_path / "a.nii.gz")
    with pytest.raises(CancelledError):
        load_anatomies(tmp_path, small_atlas, progress=Progress(is_cancelled=lambda: True))


def test_a_folder_without_heads_is_refused(tmp_path):
    with pytest.raises(FileRefusedError, match="found no image") as refused:
        anatomy_files(tmp_path)
    assert refused.value.code is ErrorCode.NO_IMAGES
    with pytest.raises(FileRefusedError, match="no folder named absent") as refused:
        anatomy_files(tmp_path / "absent")
    assert refused.value.code is ErrorCode.FILE_NOT_FOUND


def test_what_is_no_label_map_is_refused(tmp_path, small_atlas):
    noise = np.random.default_rng(0).integers(-1000, 1000, (20, 20, 20)).astype(np.int16)
    write_image(Volume(noise, np.eye(4)), tmp_path / "ct.nii.gz")
    with pytest.raises(ContentRefusedError, match="FreeSurfer numbering"):
        load_anatomy(tmp_path / "ct.nii.gz", small_atlas, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_the_atlas_itself_serves_as_an_anatomy(small_atlas, monkeypatch):
    monkeypatch.setattr(average_head, "_SKULL_MM", 3.0)
    anatomy = atlas_anatomy(small_atlas, np.random.default_rng(1))
    assert anatomy.name == "atlas"
    assert all(n % COARSE_STEP == 1 for n in anatomy.tissue.shape)
    assert len(np.unique(anatomy.regions)) > 15
    shift = anatomy.atlas_points - coarse_points(anatomy)
    np.testing.assert_allclose(shift, shift[:, :1, :1, :1] + np.zeros_like(shift), atol=1e-4)
    again = atlas_anatomy(small_atlas, np.random.default_rng(1))
    assert_same(again, anatomy)
    other = atlas_anatomy(small_atlas, np.random.default_rng(2))
    assert (other.tissue != anatomy.tissue).any()
