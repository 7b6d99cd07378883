"""A head on diffusion-weighted MRI, made in code: its ADC is known everywhere, on any grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.geometry import Volume, apply_affine

TISSUE_ADC, FLUID_ADC, INFARCT_ADC = 800.0, 2900.0, 480.0
TISSUE_B0, FLUID_B0, INFARCT_B0 = 1000.0, 3000.0, 1150.0
BRAIN_AXES_MM = (64.0, 80.0, 56.0)

Array = NDArray[np.float64]


def oblique_affine(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Array:
    """Return the affine of a grid of shape (k, j, i), turned by 8 degrees about the left-right axis."""
    angle = np.radians(8.0)
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(spacing_mm)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape[::-1]) - 1.0) / 2.0)
    return affine


class DiffusionHead:
    """Brain with ventricles, a rim of fluid and a left infarct, sampled on one grid.

    Parameters
    ----------
    shape, spacing_mm
        Of the grid, along (k, j, i) and along (i, j, k).
    affine
        To RAS mm; oblique when left out.
    """

    def __init__(
        self,
        shape: tuple[int, int, int] = (20, 48, 44),
        spacing_mm: tuple[float, float, float] = (4.0, 4.5, 7.0),
        affine: Array | None = None,
    ) -> None:
        self.affine = oblique_affine(shape, spacing_mm) if affine is None else affine
        k, j, i = np.indices(shape)
        points = apply_affine(self.affine, np.stack([i, j, k], axis=-1).astype(float))
        distance = _ellipsoid(points, (0.0, 0.0, 0.0), BRAIN_AXES_MM)
        rim = (distance <= 1.0) & (distance > 0.92)
        ventricles = _ellipsoid(points * [-1, 1, 1], (10.0, 0.0, 8.0), (8.0, 30.0, 14.0)) <= 1.0
        ventricles |= _ellipsoid(points, (10.0, 0.0, 8.0), (8.0, 30.0, 14.0)) <= 1.0
        self.brain = distance <= 1.0
        self.fluid = self.brain & (rim | ventricles)
        ball = _ellipsoid(points, (-38.0, 5.0, 5.0), (15.0, 24.0, 18.0)) <= 1.0
        self.infarct = self.brain & ball & ~self.fluid
        noise = np.random.default_rng(2).normal(1.0, 0.04, shape)
        self._texture = np.clip(noise, 0.9, 1.1)

    def volume(self, array: NDArray[np.generic]) -> Volume:
        return Volume(array, self.affine)

    @property
    def adc(self) -> Volume:
        """ADC in 1e-6 mm2/s, float64; 0 outside of the brain."""
        return self.volume(self._texture * self._by_tissue(TISSUE_ADC, FLUID_ADC, INFARCT_ADC))

    @property
    def b0(self) -> Volume:
        """Signal without weighting, float64."""
        return self.volume(self._by_tissue(TISSUE_B0, FLUID_B0, INFARCT_B0))

    def weighted(self, b_value: float = 1000.0) -> Volume:
        """Signal at a b-value, float64."""
        return self.volume(self.b0.array * np.exp(-b_value * 1e-6 * self.adc.array))

    def _by_tissue(self, tissue: float, fluid: float, infarct: float) -> Array:
        array = np.where(self.brain, tissue, 0.0)
        array[self.fluid] = fluid
        array[self.infarct] = infarct
        return array


def _ellipsoid(points: Array, centre: tuple[float, ...], axes_mm: tuple[float, ...]) -> Array:
    return np.sqrt((((points - np.array(centre)) / np.array(axes_mm)) ** 2).sum(axis=-1))
