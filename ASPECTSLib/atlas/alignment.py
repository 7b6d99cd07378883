"""Registration of tissue maps in made-up intensities: affine, then symmetric-forces demons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ASPECTSLib.atlas.tissues import Tissue

REGISTRATION_INTENSITY: Mapping[Tissue, float] = MappingProxyType(
    {
        Tissue.AIR: 0,
        Tissue.CSF: 40,
        Tissue.VENTRICLE: 20,
        Tissue.CORTEX: 120,
        Tissue.WHITE_MATTER: 200,
        Tissue.CAUDATE: 100,
        Tissue.PUTAMEN: 105,
        Tissue.PALLIDUM: 150,
        Tissue.THALAMUS: 140,
        Tissue.CEREBELLAR_CORTEX: 120,
        Tissue.CEREBELLAR_WHITE_MATTER: 180,
        Tissue.BRAINSTEM: 170,
        Tissue.BONE: 0,
        Tissue.SOFT_TISSUE: 0,
    }
)
"""Intensities for registration, spread so that neighbouring structures differ; no modality's contrast."""

_SAMPLING_SEED = 1  # samples are jittered, by the clock unless told otherwise
_DEMONS_LEVELS = ((4.0, 40), (2.0, 30))  # spacing in mm, iterations


def registration_intensities() -> NDArray[np.float32]:
    """Return the intensity of each tissue class, in the order of `Tissue`."""
    return np.array([REGISTRATION_INTENSITY[tissue] for tissue in Tissue], np.float32)


def align(fixed: sitk.Image, moving: sitk.Image) -> sitk.Transform:
    """Register two heads in registration intensities.

    Parameters
    ----------
    fixed, moving
        float32, in registration intensities, on isotropic grids of 1 or 2 mm.

    Returns
    -------
    SimpleITK.Transform
        From points of the fixed to points of the moving head, LPS mm.
    """
    return _deform(fixed, moving, _affine(fixed, moving))


def _affine(fixed: sitk.Image, moving: sitk.Image) -> sitk.Transform:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.25, _SAMPLING_SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, 150, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([6, 3])
    method.SetSmoothingSigmasPerLevel([4, 2])
    start = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(fixed, moving)
    return start


def _deform(fixed: sitk.Image, moving: sitk.Image, start: sitk.Transform) -> sitk.Transform:
    field = None
    for spacing_mm, iterations in _DEMONS_LEVELS:
        fixed_level = sitk.SmoothingRecursiveGaussian(_shrink(fixed, spacing_mm), spacing_mm / 2)
        smooth = sitk.SmoothingRecursiveGaussian(moving, spacing_mm / 2)
        moving_level = sitk.Resample(smooth, fixed_level, start, sitk.sitkLinear, 0.0)
        demons = sitk.FastSymmetricForcesDemonsRegistrationFilter()
        demons.SetNumberOfIterations(iterations)
        demons.SetStandardDeviations(1.5)
        demons.SetSmoothUpdateField(True)
        demons.SetUpdateFieldStandardDeviations(1.0)
        if field is None:
            field = demons.Execute(fixed_level, moving_level)
        else:
            field = sitk.Resample(field, fixed_level)
            field = demons.Execute(fixed_level, moving_level, field)
    return sitk.CompositeTransform([start, sitk.DisplacementFieldTransform(field)])


def _shrink(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    factor = round(spacing_mm / image.GetSpacing()[0])
    return sitk.Shrink(sitk.SmoothingRecursiveGaussian(image, spacing_mm / 2.5), [factor] * 3)
