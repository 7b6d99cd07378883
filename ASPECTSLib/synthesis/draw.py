"""The one source of randomness of synthetic patients: same seed, same patient, on any device."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_Choice = TypeVar("_Choice")

_LATTICE_PER_SIGMA = 1.5  # step of the lattice that smooth noise is drawn on


class Draw:
    """Random numbers by name.

    Numbers are always drawn on the CPU and moved, so that a GPU makes the same patient. Each part has a stream of its
    own, named after what it decides: a new part does not change the others.

    Parameters
    ----------
    seed
        Any whole numbers, 0 or above, that identify the patient.
    device
        Where tensors are wanted.
    """

    def __init__(self, seed: Sequence[int], device: torch.device | str = "cpu") -> None:
        self._seed = tuple(seed)
        self.device = torch.device(device)
        self._generator = np.random.default_rng(np.random.SeedSequence(self._seed))

    def part(self, name: str) -> Draw:
        """Return an independent source for one part of the patient."""
        return Draw((*self._seed, zlib.crc32(name.encode())), self.device)

    @property
    def generator(self) -> np.random.Generator:
        """The generator itself, for functions of numpy."""
        return self._generator

    def uniform(self, low: float, high: float) -> float:
        """Return a number between two others."""
        return float(self._generator.uniform(low, high))

    def log_uniform(self, low: float, high: float) -> float:
        """Return a number between two positive others, evenly by its logarithm."""
        return float(np.exp(self._generator.uniform(np.log(low), np.log(high))))

    def normal(self, mean: float, deviation: float) -> float:
        """Return a normal number, cut off at two and a half deviations."""
        return mean + deviation * float(np.clip(self._generator.standard_normal(), -2.5, 2.5))

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return bool(self._generator.uniform() < probability)

    def pick(self, choices: Sequence[_Choice]) -> _Choice:
        """Return one of several, all as likely."""
        return choices[int(self._generator.integers(len(choices)))]

    def noise(self, *shape: int) -> Tensor:
        """Return independent standard normal numbers, float32."""
        return torch.from_numpy(self._generator.standard_normal(shape, np.float32)).to(self.device)

    def smooth(self, shape: tuple[int, int, int], sigma_voxels: float) -> Tensor:
        """Return smooth noise of about unit variance, float32, shape (k, j, i).

        Parameters
        ----------
        shape
            Size along k, j and i.
        sigma_voxels
            How far it stays alike, in voxels.
        """
        step = max(sigma_voxels * _LATTICE_PER_SIGMA, 1.0)
        lattice = tuple(max(int(n / step) + 2, 3) for n in shape)
        coarse = self.noise(1, 1, *lattice)
        if step > 1.0:
            coarse = functional.avg_pool3d(functional.pad(coarse, (1,) * 6, "replicate"), 2, 1)
        coarse = coarse / coarse.std().clamp_min(1e-6)
        return functional.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[
            0, 0
        ]
