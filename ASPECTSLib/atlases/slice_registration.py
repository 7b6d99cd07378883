"""Registration of one slice of an atlas to one slice of a scan: affine, then symmetric-forces demons, in the plane."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ASPECTSLib.geometry import Volume
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.interruptible import execute

_AFFINE_SPACING_MM = 2.0
_DEMONS_LEVELS = ((2.0, 60), (1.0, 40))  # spacing in mm, iterations
# The field is as stiff as in `ASPECTSLib.registration.deformable`, in mm.
_FIELD_SIGMA_MM = 6.0
_UPDATE_SIGMA_MM = 2.0
_STEP_MM, _MIN_STEP_MM, _ITERATIONS = 2.0, 0.005, 150
_WORK_UNITS = 4  # fixed, so that sums do not depend on the machine's cores


def register_slices(
    fixed: Volume, moving: Volume, start: NDArray[np.float64], progress: Progress
) -> sitk.Transform:
    """Register an atlas slice to a slice of a scan.

    Parameters
    ----------
    fixed
        One slice of a scan, its axes running right and anterior, 0 outside the brain.
    moving
        One slice of an atlas in like contrast, axes right and anterior, x = 0 the midline, 0 outside the brain.
    start
        3x3 matrix from the scan's plane to the atlas's, homogeneous mm to the right and to the front.
    progress
        Asked for cancellation between iterations.

    Returns
    -------
    SimpleITK.Transform
        Two-dimensional, from points (right, front) of the scan to points of the atlas, mm.

    Notes
    -----
    Symmetric-forces demons (doi:10.1007/978-3-540-75757-3_39). Coordinates run to the right and to the front, not LPS.
    """
    images = [to_plane(volume) for volume in (fixed, moving)]
    affine = _affine(images[0], images[1], start, progress)
    field = None
    for spacing_mm, iterations in _DEMONS_LEVELS:
        level = _coarse(images[0], spacing_mm)
        warped = sitk.Resample(
            _smoothed(images[1], spacing_mm), level, affine, sitk.sitkLinear, 0.0
        )
        if field is not None:
            field = sitk.Resample(
                field, level, sitk.Transform(2, sitk.sitkIdentity), sitk.sitkLinear, 0.0
            )
        field = _demons(level, warped, field, iterations, progress)
    return sitk.CompositeTransform([affine, sitk.DisplacementFieldTransform(field)])


def to_plane(volume: Volume) -> sitk.Image:
    """Return one slice whose axes run right and anterior as a two-dimensional image in these coordinates."""
    image = sitk.GetImageFromArray(volume.array[0].astype(np.float32))
    image.SetSpacing(volume.spacing_mm[:2].tolist())
    image.SetOrigin(volume.affine[:2, 3].tolist())
    return image


def _affine(
    fixed: sitk.Image, moving: sitk.Image, start: NDArray[np.float64], progress: Progress
) -> sitk.AffineTransform:
    transform = sitk.AffineTransform(2)
    transform.SetMatrix(start[:2, :2].ravel().tolist())
    transform.SetTranslation(start[:2, 2].tolist())
    coarse = [_coarse(image, _AFFINE_SPACING_MM) for image in (fixed, moving)]
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfWorkUnits(_WORK_UNITS)
    method.SetMetricAsMeanSquares()
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        _STEP_MM, _MIN_STEP_MM, _ITERATIONS, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    execute(method, progress, *coarse)
    return transform


def _demons(
    fixed: sitk.Image,
    moving: sitk.Image,
    start: sitk.Image | None,
    iterations: int,
    progress: Progress,
) -> sitk.Image:
    spacing_mm = np.array(fixed.GetSpacing())
    demons = sitk.FastSymmetricForcesDemonsRegistrationFilter()
    demons.SetNumberOfIterations(iterations)
    demons.SetStandardDeviations((_FIELD_SIGMA_MM / spacing_mm).tolist())
    demons.SetSmoothUpdateField(True)
    demons.SetUpdateFieldStandardDeviations((_UPDATE_SIGMA_MM / spacing_mm).tolist())
    images = (fixed, moving) if start is None else (fixed, moving, start)
    return execute(demons, progress, *images)


def _coarse(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    """Smooth and shrink to about a spacing."""
    factors = [max(round(spacing_mm / s), 1) for s in image.GetSpacing()]
    return sitk.Shrink(_smoothed(image, spacing_mm), factors)


def _smoothed(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    return sitk.SmoothingRecursiveGaussian(image, spacing_mm / 2)
