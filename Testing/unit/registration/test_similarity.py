from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ASPECTSLib.registration.settings import SimilarityName  # noqa: E402
from ASPECTSLib.registration.similarity import make_similarity, window_sum  # noqa: E402

SHAPE = (1, 1, 6, 8, 7)
NAMES = list(SimilarityName)


def images(seed=0):
    generator = torch.Generator().manual_seed(seed)
    fixed = torch.rand(SHAPE, generator=generator, dtype=torch.float64) * 30.0
    warped = 0.5 * fixed + torch.rand(SHAPE, generator=generator, dtype=torch.float64) * 20.0
    weight = torch.rand(SHAPE, generator=generator, dtype=torch.float64)
    return fixed, warped, weight


def measure(name, fixed, weight):
    return make_similarity(name, fixed, weight, (1, 2, 2), 0.5)


@pytest.mark.parametrize("name", NAMES)
def test_derivative_is_what_a_small_change_of_a_voxel_does_to_the_value(name):
    fixed, warped, weight = images()
    # The range of the histogram is taken as fixed: its ends lie in voxels that are not changed.
    warped[0, 0, 0, 0, :2] = torch.tensor([-1.0, 60.0])
    similarity = measure(name, fixed, weight)
    derivative = similarity.derivative(warped)
    for voxel in ((0, 0, 3, 4, 3), (0, 0, 5, 7, 6), (0, 0, 1, 0, 2)):
        values = []
        for change in (1e-4, -1e-4):
            changed = warped.clone()
            changed[voxel] += change
            values.append(similarity.value(changed))
        slope = (values[0] - values[1]) / 2e-4
        assert float(derivative[voxel]) == pytest.approx(slope, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_both_derivatives_are_those_with_the_images_in_either_role(name):
    fixed, warped, weight = images()
    by_fixed, by_warped = measure(name, fixed, weight).derivatives(warped)
    assert torch.allclose(by_warped, measure(name, fixed, weight).derivative(warped), atol=1e-12)
    assert torch.allclose(by_fixed, measure(name, warped, weight).derivative(fixed), atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_most_like_itself(name):
    fixed, warped, weight = images()
    similarity = measure(name, fixed, weight)
    assert similarity.value(fixed) > similarity.value(warped)


def test_local_correlation_does_not_care_for_gain_and_offset():
    fixed, warped, weight = images()
    similarity = make_similarity(SimilarityName.LOCAL_CORRELATION, fixed, weight, (2, 2, 2), 1e-6)
    assert similarity.value(3.0 * warped + 20.0) == pytest.approx(
        similarity.value(warped), rel=1e-6
    )


def test_mutual_information_sees_an_inverted_contrast():
    fixed, warped, weight = images()
    similarity = measure(SimilarityName.MUTUAL_INFORMATION, fixed, weight)
    assert similarity.value(50.0 - fixed) == pytest.approx(similarity.value(fixed), rel=1e-6)
    assert similarity.value(50.0 - fixed) > similarity.value(warped)


@pytest.mark.parametrize("name", NAMES)
def test_what_has_no_weight_pulls_nothing(name):
    fixed, warped, weight = images()
    weight[..., 4:] = 0.0
    derivative = measure(name, fixed, weight).derivative(warped)
    # Windows of local correlation reach two voxels beyond their middle.
    assert torch.all(derivative[..., 6:] == 0)
    assert torch.any(derivative[..., :4] != 0)


@pytest.mark.parametrize("name", NAMES)
def test_constant_images_pull_nothing(name):
    constant = torch.full(SHAPE, 7.0, dtype=torch.float64)
    derivative = measure(name, constant, torch.ones_like(constant)).derivative(constant)
    assert torch.all(derivative == 0)


def test_window_sums_are_those_of_the_voxels_around():
    image = images()[0]
    padded = np.pad(image[0, 0].numpy(), ((1, 1), (2, 2), (0, 0)))
    expected = sum(padded[k : k + 6, j : j + 8] for k in range(3) for j in range(5))
    assert window_sum(image, (1, 2, 0))[0, 0].numpy() == pytest.approx(expected)
