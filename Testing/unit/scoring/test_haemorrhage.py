import numpy as np
import pytest

from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.scoring.haemorrhage import largest_hyperdense_ml

SHAPE = (20, 60, 60)
SPACING_MM = np.array([2.0, 2.0, 5.0])


def brain() -> tuple[np.ndarray, np.ndarray]:
    k, j, i = np.indices(SHAPE)
    mask = ((i - 30) ** 2 + (j - 30) ** 2) < 25**2
    return np.where(mask, 35.0, 0.0).astype(np.float32), mask & (k > 1)


def largest(density: np.ndarray, mask: np.ndarray) -> float:
    return largest_hyperdense_ml(Volume(density, centred_affine(SHAPE, SPACING_MM)), mask)


def test_brain_of_normal_density_has_no_hyperdense_volume():
    density, mask = brain()
    assert largest(density, mask) == 0.0


def test_volume_of_the_largest_haematoma_is_found():
    density, mask = brain()
    density[8:12, 25:35, 25:35] = 65.0
    density[15, 30, 20] = 65.0
    assert largest(density, mask) == pytest.approx(4 * 10 * 10 * 20 / 1000)


def test_dense_rim_along_the_skull_is_not_counted():
    density, mask = brain()
    _, j, i = np.indices(SHAPE)
    rim = mask & (((i - 30) ** 2 + (j - 30) ** 2) > 23**2)
    density[rim] = 90.0
    assert largest(density, mask) == 0.0


def test_mirrored_brain_has_the_same_volume():
    density, mask = brain()
    density[8:12, 25:35, 15:25] = 65.0
    assert largest(density[..., ::-1].copy(), mask[..., ::-1].copy()) == largest(density, mask)
