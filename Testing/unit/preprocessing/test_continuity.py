import numpy as np
import pytest

from ASPECTSLib.errors import ErrorCode, GeometryRefusedError
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.io.notes import NoteCode
from ASPECTSLib.preprocessing.continuity import check_continuity

SPACING_MM = np.array([4.0, 4.0, 5.0])


def cone(slices: int = 32) -> np.ndarray:
    """A head that widens evenly from slice to slice."""
    k, j, i = np.indices((slices, 60, 60))
    return np.where(np.hypot(i - 30, j - 30) < 8 + 0.6 * k, 35.0, -1000.0).astype(np.float32)


def volume(array: np.ndarray) -> Volume:
    return Volume(array, centred_affine(array.shape, SPACING_MM))


def test_whole_stack_is_accepted_without_a_note():
    assert check_continuity(volume(cone())) == ()


def test_stack_with_slices_cut_out_of_the_middle_is_refused():
    array = np.delete(cone(), slice(14, 18), axis=0)
    with pytest.raises(GeometryRefusedError, match="slices are missing") as caught:
        check_continuity(volume(array))
    assert caught.value.code is ErrorCode.MISSING_SLICES


def test_small_jump_is_noted():
    array = np.delete(cone(), 15, axis=0)
    notes = check_continuity(volume(array))
    assert [note.code for note in notes] == [NoteCode.SLICE_JUMP]


def test_mirrored_stack_gives_the_same_answer():
    array = np.delete(cone(), 15, axis=0)
    assert check_continuity(volume(array)) == check_continuity(volume(array[..., ::-1].copy()))
