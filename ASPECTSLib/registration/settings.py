"""What a registration in torch is made with; needs no torch itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SimilarityName(StrEnum):
    """Measures of similarity."""

    LOCAL_CORRELATION = "local-correlation"
    MEAN_SQUARES = "mean-squares"
    MUTUAL_INFORMATION = "mutual-information"


@dataclass(frozen=True)
class Level:
    """How one level is gone through.

    Parameters
    ----------
    steps
        How many are made.
    step_sigma_mm, field_sigma_mm
        Smoothing of each step, and of the field after it.
    """

    steps: int
    step_sigma_mm: float
    field_sigma_mm: float


@dataclass(frozen=True)
class DeformableSettings:
    """What a deformable registration is made with; the defaults are for head CT in HU.

    Smoothing, noise, windows and weights were tuned on eight pairs of synthetic head CT, one's regions carried to the
    other. More steps, further levels and further channels of the images gained less than 0.003 Dice there.

    Parameters
    ----------
    similarity
        What is made larger.
    radius_voxels
        Of the windows of local correlation along x, y and z, of which slices are thick.
    noise
        Of local correlation, in the images' unit: structure below it is not listened to.
    spacing_mm
        Of the finest grid along x, y and z; thicker slices stay as they are.
    levels
        Coarse to fine; each is twice as fine in-plane as the one before.
    step_voxels
        Longest displacement of a step, in voxels of the field, which is half as fine in-plane as the images.
    image_sigma_mm
        In-plane smoothing of both images on the finest level.
    symmetric
        Whether both images are brought halfway, which treats them alike and takes twice as long.
    device
        Of torch. CPU is the reference; a GPU agrees within 0.1 mm, as sums have another order there.
    """

    similarity: SimilarityName = SimilarityName.LOCAL_CORRELATION
    radius_voxels: tuple[int, int, int] = (3, 3, 1)
    noise: float = 0.5
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.5)
    levels: tuple[Level, ...] = (Level(40, 8.0, 6.0), Level(15, 8.0, 4.0))
    step_voxels: float = 0.25
    image_sigma_mm: float = 1.0
    symmetric: bool = True
    device: str = "cpu"
