from __future__ import annotations

import numpy as np
import pytest
from atlas_phantoms import head_labels
from axis_orders import AXIS_ORDERS, reordered
from synthetic_head_phantoms import phantom_anatomy

from ASPECTSLib.atlas.freesurfer import FREESURFER_LABELS, read_tissues, tissues_of
from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine
from ASPECTSLib.io.images import write_image

VESSEL, AMYGDALA_LEFT, SKIN = 30, 18, 530


@pytest.fixture(scope="module")
def labels():
    return head_labels().array.astype(np.int64)


@pytest.fixture
def scaled():
    """Return a label map whose axes have three lengths, three spacings and an origin of its own."""
    volume = head_labels()
    affine = volume.affine @ np.diag([1.0, 1.25, 1.5, 1.0])
    affine[:3, 3] += [7.0, -3.0, 11.0]
    return Volume(volume.array[:-1, :, :-2], affine)


def test_every_tissue_is_told_by_its_label(labels):
    expected = np.pad(phantom_anatomy().tissue, 6)
    np.testing.assert_array_equal(tissues_of(labels), expected)
    assert set(np.unique(expected)) == {int(t) for t in Tissue}


def test_no_label_is_of_two_tissues():
    members = [label for some in FREESURFER_LABELS.values() for label in some]
    assert len(members) == len(set(members))


def test_both_sides_of_a_structure_are_one_tissue(labels):
    assert tissues_of(labels)[labels == 12].tolist() == tissues_of(labels)[labels == 51].tolist()
    assert (tissues_of(labels)[labels == AMYGDALA_LEFT] == Tissue.CORTEX).all()


def test_labels_without_a_class_take_their_neighbours(labels):
    centre = np.argwhere(labels == 2)
    inner = [at for at in centre if (labels[tuple(slice(n - 1, n + 2) for n in at)] == 2).all()]
    changed = labels.copy()
    changed[tuple(inner[0])] = VESSEL
    np.testing.assert_array_equal(tissues_of(changed), tissues_of(labels))


def test_labels_outside_of_the_brain_that_have_no_name_are_soft_tissue(labels):
    changed = np.where(labels == SKIN, 777, labels)
    np.testing.assert_array_equal(tissues_of(changed), tissues_of(labels))


def test_labels_are_left_as_they_are(labels):
    before = labels.copy()
    tissues_of(labels)
    np.testing.assert_array_equal(labels, before)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda labels: np.where(labels == 41, 2, labels), "labels 41 are missing"),
        (lambda labels: np.where(labels > 0, labels % 3 + 1, 0), "labels 41, 42, .* are missing"),
        (lambda labels: np.where(labels == SKIN, -1, labels), "labels below 0 are present"),
        (np.zeros_like, "labels 2, 41, 3, 42, 4, 43, 12, 51 are missing"),
    ],
)
def test_other_numberings_are_refused(labels, change, words):
    with pytest.raises(ContentRefusedError, match=f"FreeSurfer numbering, but {words}") as refused:
        tissues_of(change(labels))
    assert refused.value.code is ErrorCode.WRONG_MODALITY


def test_an_image_that_happens_to_hold_all_labels_is_refused(labels):
    image = np.random.default_rng(1).integers(0, 400, labels.shape)
    with pytest.raises(ContentRefusedError, match=r"FreeSurfer numbering, but \d+ % of its voxels"):
        tissues_of(image)


def test_fractions_of_labels_are_refused(tmp_path):
    volume = head_labels()
    blurred = volume.array.astype(np.float32)
    blurred[20, 20] += 0.5
    write_image(volume.with_array(blurred), tmp_path / "head.nii.gz")
    with pytest.raises(ContentRefusedError, match="expected whole numbers") as refused:
        read_tissues(tmp_path / "head.nii.gz")
    assert refused.value.code is ErrorCode.WRONG_MODALITY


def test_the_order_of_the_axes_in_the_file_tells_nothing(tmp_path, scaled):
    path = tmp_path / "head.nrrd"
    write_image(scaled, path)
    expected = read_tissues(path)
    np.testing.assert_allclose(expected.affine, scaled.affine, atol=1e-5)
    for order, flips in AXIS_ORDERS[::5]:
        write_image(reordered(scaled, order, flips), path)
        found = read_tissues(path)
        np.testing.assert_array_equal(found.array, expected.array)
        np.testing.assert_allclose(found.affine, expected.affine, atol=1e-4)


def test_left_lies_on_the_left_of_the_world_whatever_the_order_of_axes(tmp_path):
    volume = head_labels()
    only_left = np.where(np.isin(volume.array, (12, 51)), volume.array, 0)
    left_x_mm = apply_affine(volume.affine, np.argwhere(only_left == 12)[:, ::-1].astype(float))
    assert (left_x_mm[:, 0] < 0).all()
    marked = volume.array.copy()
    marked[volume.array == 51] = 41  # the right putamen is gone, but for one voxel
    marked[tuple(np.argwhere(volume.array == 51)[0])] = 51
    path = tmp_path / "head.nrrd"
    write_image(reordered(volume.with_array(marked), (2, 0, 1), (True, False, True)), path)
    found = read_tissues(path)
    putamen = np.argwhere(found.array == Tissue.PUTAMEN)[:, ::-1].astype(float)
    assert np.median(apply_affine(found.affine, putamen)[:, 0]) < -1.0
