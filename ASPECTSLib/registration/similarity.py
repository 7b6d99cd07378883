"""How alike two images are, and which change of the warped one would make them more alike; in closed form.

Each measure is made for a fixed image; `derivative` takes the warped moving image, shape (1, C, D, H, W), and returns
for each of its voxels the derivative of the measure, which is the larger the better the images agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ASPECTSLib.registration.settings import SimilarityName


class Similarity(Protocol):
    """A measure for one fixed image."""

    def value(self, warped: Tensor) -> float:
        """Return the measure; larger is more alike."""
        ...

    def derivative(self, warped: Tensor) -> Tensor:
        """Return the derivative of the measure with respect to each voxel of the warped image."""
        ...

    def derivatives(self, warped: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivatives with respect to each voxel of the fixed image, and of the warped one."""
        ...


def make_similarity(
    name: SimilarityName, fixed: Tensor, weight: Tensor, radii: tuple[int, int, int], noise: float
) -> Similarity:
    """Make a measure.

    Parameters
    ----------
    name
        Which.
    fixed
        Shape (1, 1, D, H, W).
    weight
        Of each voxel, same shape.
    radii, noise
        Of local correlation, as there.
    """
    if name == SimilarityName.MEAN_SQUARES:
        return MeanSquares(fixed, weight)
    if name == SimilarityName.MUTUAL_INFORMATION:
        return MutualInformation(fixed, weight)
    return LocalCorrelation(fixed, weight, radii, noise)


@dataclass(frozen=True, eq=False)
class MeanSquares:
    """The negative mean of squared differences.

    Parameters
    ----------
    fixed
        Shape (1, C, D, H, W).
    weight
        Of each voxel, shape (1, 1, D, H, W).
    """

    fixed: Tensor
    weight: Tensor

    def value(self, warped: Tensor) -> float:
        """Return the negative mean of the squared difference."""
        return -float((self.weight * (self.fixed - warped) ** 2).sum() / self.weight.sum())

    def derivative(self, warped: Tensor) -> Tensor:
        """Return twice the weighted difference, over the sum of weights."""
        return (self.fixed - warped) * (2.0 * self.weight / self.weight.sum())

    def derivatives(self, warped: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivatives by either image, of which one is the other's negative."""
        by_warped = self.derivative(warped)
        return -by_warped, by_warped


class LocalCorrelation:
    """The mean over all windows of correlation times its magnitude, which listens to windows that agree somewhat.

    Parameters
    ----------
    fixed
        Shape (1, C, D, H, W).
    weight
        Of the window around each voxel, shape (1, 1, D, H, W).
    radii
        Half width of the window along D, H and W, in voxels.
    noise
        Standard deviation below which structure is not listened to, in the images' unit.

    Notes
    -----
    Avants 2008 (doi:10.1016/j.media.2007.06.004) differentiates the window around each voxel alone; here all windows
    that hold the voxel count, which takes a second pass of window sums.
    """

    def __init__(
        self, fixed: Tensor, weight: Tensor, radii: tuple[int, int, int], noise: float
    ) -> None:
        self._fixed, self._radii = fixed, radii
        self._count = window_sum(torch.ones_like(fixed[:, :1]), radii)
        self._weight = weight / weight.sum()
        self._mean = window_sum(fixed, radii) / self._count
        self._floor = noise**2
        self._variance = window_sum(fixed * fixed, radii) / self._count - self._mean**2
        self._variance = self._variance.clamp_(min=0) + self._floor

    def value(self, warped: Tensor) -> float:
        """Return the mean of the correlation times its magnitude."""
        _, correlation, _ = self._correlate(warped)
        return float((correlation * correlation.abs() * self._weight).sum())

    def derivative(self, warped: Tensor) -> Tensor:
        """Return the derivative, summed over all windows that hold a voxel."""
        mean, of_both, correlation, variance = self._shares(warped)
        of_warped = of_both * correlation * (self._variance / variance).sqrt_()
        offset = of_warped * mean - of_both * self._mean
        sums = window_sum(torch.cat((of_both, of_warped, offset), 1), self._radii)
        by_both, by_warped, rest = sums.chunk(3, 1)
        return self._fixed * by_both - warped * by_warped + rest

    def derivatives(self, warped: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivatives by either image, with half the window sums that each on its own would take."""
        mean, of_both, correlation, variance = self._shares(warped)
        ratio = (self._variance / variance).sqrt_()
        of_warped, of_fixed = of_both * correlation * ratio, of_both * correlation / ratio
        offsets = of_fixed * self._mean - of_both * mean, of_warped * mean - of_both * self._mean
        sums = window_sum(torch.cat((of_both, of_fixed, of_warped, *offsets), 1), self._radii)
        by_both, by_fixed, by_warped, *rest = sums.chunk(5, 1)
        return (
            warped * by_both - self._fixed * by_fixed + rest[0],
            self._fixed * by_both - warped * by_warped + rest[1],
        )

    def _shares(self, warped: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return mean and variance of the warped image, the correlation, and what each window adds to a product."""
        mean, correlation, variance = self._correlate(warped)
        share = 2.0 * correlation.abs() * self._weight / self._count
        return mean, share / (self._variance * variance).sqrt_(), correlation, variance

    def _correlate(self, warped: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        products = torch.cat((warped, warped * warped, warped * self._fixed), 1)
        mean, square, product = (window_sum(products, self._radii) / self._count).chunk(3, 1)
        variance = (square - mean**2).clamp_(min=0) + self._floor
        covariance = product - mean * self._mean
        return mean, covariance / (self._variance * variance).sqrt_(), variance


class MutualInformation:
    """Mutual information of the intensities of one channel, of a joint histogram with a triangular window.

    Parameters
    ----------
    fixed
        Shape (1, 1, D, H, W).
    weight
        Of each voxel, shape (1, 1, D, H, W).
    bins
        Of each image's range.

    Notes
    -----
    Mattes 2003 (doi:10.1109/TMI.2003.809072). The histogram is a product of two matrices, in a fixed order of sums on
    CPU and GPU alike; scattered additions are not.
    """

    def __init__(self, fixed: Tensor, weight: Tensor, bins: int = 32) -> None:
        self._bins, self._fixed, self._weight = bins, fixed, weight
        self._inside = weight.flatten() > 0
        self._shape = fixed.shape
        chosen = fixed.flatten()[self._inside]
        weights = weight.flatten()[self._inside]
        self._shares, _ = _bin_shares(chosen, self._range(chosen), bins)
        self._shares = self._shares * (weights / weights.sum())[:, None]

    def value(self, warped: Tensor) -> float:
        """Return the mutual information, in nats."""
        chosen = warped.flatten()[self._inside]
        shares, _ = _bin_shares(chosen, self._range(chosen), self._bins)
        joint = self._shares.T @ shares
        return float((joint * _log_ratio(joint, joint.sum(0) * joint.sum(1)[:, None])).sum())

    def derivative(self, warped: Tensor) -> Tensor:
        """Return the derivative; the range of the warped image is taken as fixed."""
        chosen = warped.flatten()[self._inside]
        limits = self._range(chosen)
        shares, slopes = _bin_shares(chosen, limits, self._bins)
        joint = self._shares.T @ shares
        result = torch.zeros_like(warped).flatten()
        result[self._inside] = ((self._shares @ _log_ratio(joint, joint.sum(0))) * slopes).sum(1)
        return result.view(self._shape)

    def derivatives(self, warped: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivatives by either image; the measure is the same with the images swapped."""
        swapped = MutualInformation(warped, self._weight, self._bins)
        return swapped.derivative(self._fixed), self.derivative(warped)

    @staticmethod
    def _range(values: Tensor) -> tuple[Tensor, Tensor]:
        return values.min(), values.max()


def window_sum(image: Tensor, radii: tuple[int, int, int]) -> Tensor:
    """Sum over the window of 2 r + 1 voxels around each, along D, H and W; beyond the image there is 0."""
    for axis, radius in zip((2, 3, 4), radii, strict=True):
        if radius == 0:
            continue
        total = image.clone()
        n = image.shape[axis]
        for shift in range(1, min(radius, n - 1) + 1):
            total.narrow(axis, shift, n - shift).add_(image.narrow(axis, 0, n - shift))
            total.narrow(axis, 0, n - shift).add_(image.narrow(axis, shift, n - shift))
        image = total
    return image


def _bin_shares(values: Tensor, limits: tuple[Tensor, Tensor], bins: int) -> tuple[Tensor, Tensor]:
    """Share each value between its two nearest bins; return the shares and their slopes, shape (voxels, bins)."""
    lowest, highest = limits
    scale = (bins - 1) / (highest - lowest).clamp(min=1e-6)
    place = (values - lowest) * scale
    away = place[:, None] - torch.arange(bins, device=values.device)
    shares = (1.0 - away.abs()).clamp_(min=0)
    slopes = torch.where(shares > 0, -torch.sign(away), 0.0) * scale
    return shares, slopes


def _log_ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    return torch.where(numerator > 0, torch.log(numerator / denominator.clamp(min=1e-30)), 0.0)
