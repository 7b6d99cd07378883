"""Affine registration of a head scan to the atlas."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ASPECTSLib.geometry import Volume, apply_affine, resample, shrink, shrink_factors
from ASPECTSLib.io.images import to_sitk
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.interruptible import execute
from ASPECTSLib.registration.mapping import affine_from_sitk, affine_to_sitk

_SEARCH_SPACING_MM = 8.0
_SPACING_MM = 4.0
_PITCHES_DEG = np.arange(
    -25.0, 46.0, 5.0
)  # chin down to chin up; scans along the orbitomeatal line lie near 11
_SHIFTS_MM = np.arange(-15.0, 16.0, 7.5)
_SCALE = 0.93  # MNI152 heads are larger than most: this is near the middle of what adults need
_MAX_ITERATIONS = 100
_STEP_MM = 3.0
_MIN_STEP_MM = 0.01
_WORK_UNITS = 4  # fixed, so that sums, and with them results, do not depend on the machine's cores


def register_affine(
    fixed: Volume, moving: Volume, pose: NDArray[np.float64], progress: Progress | None = None
) -> NDArray[np.float64]:
    """Register a scan to a template by mean squares at 4 mm, from the symmetric pose.

    Pitch and height, which the pose leaves open, are searched first on a coarse grid.

    Parameters
    ----------
    fixed
        Scan, 0 outside the brain, in the image frame.
    moving
        Template in the same contrast, 0 outside the brain, in atlas space.
    pose
        4x4 matrix from the image frame to the symmetric pose, whose midsagittal plane is x = 0.
    progress
        Asked for cancellation between iterations.

    Returns
    -------
    numpy.ndarray
        4x4 matrix from scan points to atlas points, RAS mm.
    """
    coarse_moving = shrink(moving, shrink_factors(moving, (_SPACING_MM,) * 3))
    start = _search_pitch_and_height(
        shrink(fixed, shrink_factors(fixed, (_SEARCH_SPACING_MM,) * 3)), coarse_moving, pose
    )
    coarse_fixed = shrink(fixed, shrink_factors(fixed, (_SPACING_MM,) * 3))
    return _optimize(coarse_fixed, coarse_moving, start, progress or Progress())


def starting_matrices(
    fixed: Volume, moving: Volume, pose: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Return the matrices among which a registration looks for its start: every pitch and height of the posed head.

    Parameters
    ----------
    fixed, moving, pose
        As in `register_affine`, on coarse grids.

    Returns
    -------
    list
        4x4 matrices from scan points to atlas points, RAS mm.
    """
    fixed_points = apply_affine(
        pose @ fixed.affine, np.argwhere(fixed.array > 0)[:, ::-1].astype(float)
    )
    moving_points = apply_affine(
        moving.affine, np.argwhere(moving.array > 0)[:, ::-1].astype(float)
    )
    return [
        _start(fixed_points, moving_points, float(pitch), float(shift)) @ pose
        for pitch in _PITCHES_DEG
        for shift in _SHIFTS_MM
    ]


def _search_pitch_and_height(
    fixed: Volume, moving: Volume, pose: NDArray[np.float64]
) -> NDArray[np.float64]:
    candidates = starting_matrices(fixed, moving, pose)
    return min(candidates, key=lambda matrix: _mean_squares(fixed, moving, matrix))


def _start(
    fixed_points: NDArray[np.float64],
    moving_points: NDArray[np.float64],
    pitch_deg: float,
    shift_mm: float,
) -> NDArray[np.float64]:
    """Pitch and scale the posed head, then lay its middle (front to back) and its vertex on the template's."""
    cosine, sine = np.cos(np.radians(pitch_deg)), np.sin(np.radians(pitch_deg))
    matrix = np.eye(4)
    matrix[:3, :3] = _SCALE * np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    turned = apply_affine(matrix, fixed_points)
    matrix[1, 3] = (
        np.percentile(moving_points[:, 1], [1, 99]).mean()
        - np.percentile(turned[:, 1], [1, 99]).mean()
    )
    matrix[2, 3] = (
        np.percentile(moving_points[:, 2], 99) - np.percentile(turned[:, 2], 99) + shift_mm
    )
    return matrix


def _mean_squares(fixed: Volume, moving: Volume, matrix: NDArray[np.float64]) -> float:
    difference = resample(moving, fixed, matrix).array - fixed.array
    return float(np.mean(difference**2))


def _optimize(
    fixed: Volume, moving: Volume, start: NDArray[np.float64], progress: Progress
) -> NDArray[np.float64]:
    transform = affine_to_sitk(start)
    centre = apply_affine(fixed.affine, np.array([fixed.size]) / 2.0)[0]
    _set_centre(transform, centre * (-1, -1, 1))
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfWorkUnits(_WORK_UNITS)
    method.SetMetricAsMeanSquares()
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        _STEP_MM, _MIN_STEP_MM, _MAX_ITERATIONS, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    execute(method, progress, to_sitk(fixed), to_sitk(moving))
    return affine_from_sitk(transform)


def _set_centre(transform: sitk.AffineTransform, centre: NDArray[np.float64]) -> None:
    """Move the centre of rotation without changing what the transform does."""
    moved = np.array(transform.TransformPoint([float(c) for c in centre]))
    transform.SetCenter([float(c) for c in centre])
    transform.SetTranslation([float(c) for c in moved - centre])
