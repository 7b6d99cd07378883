from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from ASPECTSLib.synthesis.draw import Draw

SMOOTH_SHAPE = (24, 30, 28)


def numbers(draw):
    """Return one number of each kind."""
    return [
        draw.uniform(2.0, 3.0),
        draw.log_uniform(1.0, 100.0),
        draw.normal(5.0, 2.0),
        draw.chance(0.5),
        draw.pick("abcdefgh"),
        draw.noise(2, 3).tolist(),
        draw.smooth((4, 5, 6), 2.0).tolist(),
        draw.generator.integers(1000),
    ]


def test_the_same_seed_draws_the_same():
    assert numbers(Draw((3, 1))) == numbers(Draw((3, 1)))


@pytest.mark.parametrize("other", [(3, 2), (1, 3), (3,), (3, 1, 1)])
def test_another_seed_draws_others(other):
    assert Draw((3, 1)).noise(8).tolist() != Draw(other).noise(8).tolist()


def test_a_part_depends_on_its_name_and_not_on_what_was_drawn_before():
    fresh, used = Draw((3, 1)), Draw((3, 1))
    numbers(used)
    numbers(used.part("pose"))
    assert numbers(used.part("shape")) == numbers(fresh.part("shape"))
    assert fresh.part("shape").noise(8).tolist() != fresh.part("pose").noise(8).tolist()


def test_drawing_a_part_takes_nothing_from_the_whole():
    whole, parted = Draw((3, 1)), Draw((3, 1))
    numbers(parted.part("pose"))
    assert numbers(parted) == numbers(whole)


def test_parts_of_parts_are_their_own():
    draw = Draw((3, 1))
    nested = [draw.part("a").part("b"), draw.part("b").part("a"), draw.part("a"), draw.part("b")]
    drawn = {tuple(one.noise(4).tolist()) for one in nested}
    assert len(drawn) == len(nested)


def test_torch_has_no_part_in_it():
    before = torch.random.get_rng_state()
    first = numbers(Draw((7,)))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(12345)
    assert numbers(Draw((7,))) == first


def test_numbers_lie_where_they_are_asked_for():
    draw = Draw((1,))
    evenly = [draw.uniform(-2.0, 4.0) for _ in range(400)]
    assert stats.kstest(evenly, stats.uniform(-2.0, 6.0).cdf).pvalue > 0.01
    by_logarithm = np.log10([draw.log_uniform(0.1, 10.0) for _ in range(400)])
    assert stats.kstest(by_logarithm, stats.uniform(-1.0, 2.0).cdf).pvalue > 0.01


def test_normal_numbers_are_cut_off_at_two_and_a_half_deviations():
    draw = Draw((1,))
    drawn = np.array([draw.normal(10.0, 2.0) for _ in range(2000)])
    assert drawn.mean() == pytest.approx(10.0, abs=0.15)
    assert drawn.std() == pytest.approx(2.0, rel=0.08)
    assert (drawn.min(), drawn.max()) == (pytest.approx(5.0), pytest.approx(15.0))


def test_chances_are_met_as_often_as_asked():
    draw = Draw((1,))
    assert sum(draw.chance(0.2) for _ in range(1000)) == pytest.approx(200, abs=40)
    assert not any(draw.chance(0.0) for _ in range(50))
    assert all(draw.chance(1.0) for _ in range(50))


def test_all_choices_are_as_likely():
    draw = Draw((1,))
    picked = [draw.pick(("a", "b", "c")) for _ in range(900)]
    assert all(picked.count(one) == pytest.approx(300, abs=60) for one in "abc")


def test_noise_is_white_and_in_single_precision():
    noise = Draw((1,)).noise(20, 30, 40)
    assert noise.dtype == torch.float32
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.03)
    assert float(noise.std()) == pytest.approx(1.0, abs=0.02)
    assert abs(float((noise[1:] * noise[:-1]).mean())) < 0.03


def correlation(field, distance):
    first, second = field[..., distance:], field[..., :-distance]
    return np.corrcoef(first.flatten(), second.flatten())[0, 1]


@pytest.mark.parametrize("sigma", [1.5, 3.0, 6.0])
def test_smooth_noise_has_about_unit_variance(sigma):
    fields = [Draw((n,)).smooth(SMOOTH_SHAPE, sigma) for n in range(8)]
    assert all(field.shape == SMOOTH_SHAPE for field in fields)
    spread = np.sqrt(np.mean([float((field**2).mean()) for field in fields]))
    assert 0.6 < spread < 1.2


def test_smooth_noise_stays_alike_as_far_as_asked():
    draw = Draw((1,))
    rough, smooth = draw.smooth(SMOOTH_SHAPE, 1.0), draw.smooth(SMOOTH_SHAPE, 5.0)
    assert correlation(smooth, 2) > 0.8
    assert correlation(rough, 4) < 0.4 < correlation(smooth, 4)


def test_noise_that_is_hardly_smooth_varies_from_voxel_to_voxel():
    field = Draw((1,)).smooth(SMOOTH_SHAPE, 0.3)
    assert correlation(field, 3) < 0.2
    assert 0.4 < float(field.std()) < 1.1


def test_smooth_noise_on_a_grid_smaller_than_its_reach_is_still_finite():
    field = Draw((1,)).smooth((2, 1, 3), 40.0)
    assert field.shape == (2, 1, 3)
    assert field.isfinite().all()
