from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from cohort_phantoms import labelled_images
from matplotlib.image import imread

from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.report import montage
from ASPECTSLib.report.montage import MontageRow, key_tiles, montage_png


@pytest.fixture(scope="module")
def volumes():
    """Return image, regions and infarct of a head; the infarct is the left L."""
    images = labelled_images()
    return [images[f"{name}.nii.gz"] for name in ("image", "regions", "infarct")]


@pytest.fixture(scope="module")
def tiles(volumes):
    return key_tiles(*volumes, Modality.NCCT)


def picture(rows):
    return imread(BytesIO(montage_png(rows, "Synthetic")))


def coloured(pixels):
    """Return where a picture is not grey."""
    return np.ptp(pixels[..., :3], axis=2) > 0.2


def test_the_patients_right_is_on_the_left_and_the_front_on_top(volumes):
    image, regions, infarct = volumes
    marked = np.zeros_like(image.array)
    marked[:, -8, -8] = 100  # front and right
    tile = key_tiles(image.with_array(marked), regions, infarct, Modality.NCCT)[0]
    rows, columns = np.nonzero(tile.image)
    assert rows.max() < tile.image.shape[0] / 2
    assert columns.max() < tile.image.shape[1] / 2


def test_the_infarct_of_a_tile_is_on_its_side(tiles):
    ganglionic, _ = tiles
    assert ganglionic.infarct.shape == ganglionic.image.shape
    assert np.nonzero(ganglionic.infarct)[1].min() > ganglionic.image.shape[1] / 2


def test_the_second_level_lies_above_the_first(volumes):
    image, regions, infarct = volumes
    heights = np.broadcast_to(np.arange(33, dtype=np.int16)[:, None, None], image.array.shape)
    lower, upper = key_tiles(image.with_array(heights), regions, infarct, Modality.NCCT)
    assert (upper.image.max() - lower.image.max()) * image.spacing_mm[2] == pytest.approx(20.0)


def test_tiles_have_one_scale_whatever_the_grid(volumes):
    coarse = [Volume(v.array[:, ::2, ::2], v.affine @ np.diag([2.0, 2, 1, 1])) for v in volumes]
    assert key_tiles(*coarse, Modality.NCCT)[0].image.shape == (300, 250)
    assert key_tiles(*volumes, Modality.NCCT)[0].image.shape == (300, 250)


def test_diffusion_is_windowed_by_its_own_brightness(volumes):
    image, regions, infarct = volumes
    bright = image.with_array(np.clip(image.array, 0, 100) * 10)
    low, high = key_tiles(bright, regions, infarct, Modality.DWI)[0].window
    assert low == 0
    assert 300 < high <= 1000


def test_the_infarct_is_outlined_on_the_second_copy_only(tiles):
    pixels = coloured(picture([MontageRow(["one"], tiles)]))
    columns = np.array_split(pixels[:, 210:], 4, axis=1)
    assert [bool(column.any()) for column in columns] == [False, True, False, False]


def test_each_case_has_a_row_up_to_a_limit(tiles, monkeypatch):
    monkeypatch.setattr(montage, "MAX_ROWS", 2)
    heights = [picture([MontageRow(["one"], tiles)] * count).shape[0] for count in (1, 2, 3)]
    assert heights[0] < heights[1] == heights[2]


def test_same_cases_same_bytes(tiles):
    rows = [MontageRow(["one", "healthy"], tiles)]
    assert montage_png(rows, "Synthetic") == montage_png(rows, "Synthetic")
    darker = [replace(tile, image=tile.image * 0.5) for tile in tiles]
    assert montage_png(rows, "Synthetic") != montage_png([MontageRow(["one"], darker)], "Synthetic")
