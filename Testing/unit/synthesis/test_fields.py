from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic_head_phantoms import SHAPE, phantom_anatomy

from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.fields import (
    Patch,
    any_voxel,
    blob,
    blurred,
    coarse_box,
    every,
    fine_box,
    fine_part,
    is_any,
    kept_to_side,
    made_fine,
    middle_i,
    right_half,
    shape_of,
    voxel_of,
)


@pytest.fixture(scope="module")
def anatomy():
    return phantom_anatomy()


def ramps(shape):
    """Return k, j and i of each voxel."""
    return torch.from_numpy(np.indices(shape).astype(np.float32))


def test_a_part_of_a_fine_field_is_that_part_of_the_whole():
    coarse = torch.from_numpy(every(ramps(SHAPE)[0].numpy()).copy())[None] ** 2
    mask = np.zeros(coarse.shape[1:], bool)
    mask[2:4, 5, 3:7] = True
    box = fine_box(mask, 1)
    assert box == (slice(4, 17), slice(16, 25), slice(8, 29))
    assert coarse_box(box) == (slice(1, 5), slice(4, 7), slice(2, 8))
    torch.testing.assert_close(fine_part(coarse, box), made_fine(coarse, SHAPE)[:, *box])


def test_fine_fields_keep_what_grows_evenly():
    fine = ramps(SHAPE)
    coarse = fine[:, ::4, ::4, ::4]
    torch.testing.assert_close(made_fine(coarse, SHAPE), fine)


def test_a_blur_keeps_the_sum_and_spreads_as_asked():
    field = torch.zeros((31, 33, 35))
    field[15, 16, 17] = 1.0
    soft = blurred(field, 2.0)
    assert float(soft.sum()) == pytest.approx(1.0, abs=1e-5)
    for axis, line in enumerate(ramps(field.shape)):
        at = (15, 16, 17)[axis]
        assert float((soft * (line - at) ** 2).sum()) == pytest.approx(2.0**2, rel=0.15)


def test_a_blur_keeps_what_is_even_up_to_the_ends():
    even = torch.full((5, 6, 7), 3.0)
    torch.testing.assert_close(blurred(even, 4.0), even)


def test_a_patch_lies_in_its_box_and_only_raises():
    box = (slice(1, 3), slice(0, 2), slice(2, 4))
    patch = Patch(torch.full((2, 2, 2), 0.5), box)
    whole = patch.on((4, 4, 4))
    assert float(whole.sum()) == 4.0
    whole[1, 0, 2] = 0.8
    patch.add_to(whole)
    assert float(whole.sum()) == pytest.approx(4.3)


def test_a_blob_has_its_place_and_about_its_size(anatomy):
    radii = (4.0, 6.0, 5.0)
    drawn = blob(anatomy, np.array([16.0, 20.0, 15.0]), radii, Draw((1,))).on(SHAPE)
    middle = [float((drawn * line).sum() / drawn.sum()) for line in ramps(SHAPE)]
    np.testing.assert_allclose(middle, [15, 20, 16], atol=1.0)
    assert float(drawn.sum()) == pytest.approx(4 / 3 * np.pi * np.prod(radii), rel=0.4)


def test_a_blob_at_the_end_of_the_grid_is_cut(anatomy):
    drawn = blob(anatomy, np.array([0.0, 40.0, 32.0]), (5.0, 5.0, 5.0), Draw((1,)))
    assert shape_of(drawn.box) == tuple(drawn.values.shape)
    assert drawn.box[1].stop == SHAPE[1]


def test_sides_are_those_of_the_patient(anatomy):
    assert middle_i(anatomy) == (SHAPE[2] - 1) / 2
    everywhere = tuple(slice(0, n) for n in SHAPE)
    right = right_half(anatomy, everywhere, torch.device("cpu"))
    assert bool(right[..., 17:].all())
    assert not bool(right[..., :17].any())
    patch = Patch(torch.ones(SHAPE), everywhere)
    kept = kept_to_side(patch, anatomy, np.array([30.0, 20.0, 20.0])).values
    assert torch.equal(kept > 0, right)


def test_a_place_in_the_atlas_is_found_between_voxels(anatomy):
    for voxel in ((8, 12, 20), (28, 0, 4)):
        i, j, k = voxel
        point = anatomy.atlas_points[:, k // 4, j // 4, i // 4]
        np.testing.assert_allclose(voxel_of(anatomy, point), voxel, atol=1e-4)
        np.testing.assert_allclose(voxel_of(anatomy, point + 0.5), np.add(voxel, 0.5), atol=1e-4)


def test_voxels_are_drawn_from_the_mask():
    mask = np.zeros((4, 5, 6), bool)
    mask[1, 2, 3] = True
    assert any_voxel(mask, Draw((1,))).tolist() == [12.0, 8.0, 4.0]


def test_tissues_are_found_by_name(anatomy):
    tissue = torch.from_numpy(anatomy.tissue)
    expected = np.isin(anatomy.tissue, (Tissue.CSF, Tissue.BONE))
    np.testing.assert_array_equal(is_any(tissue, Tissue.CSF, Tissue.BONE).numpy(), expected)
