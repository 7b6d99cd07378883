"""A groupwise template of head CT: registration to the mean, new mean, sharpening, and the mean shape, four times.

As in Sun et al. 2024 (doi:10.1038/s41597-024-03973-y) and Avants et al. 2010 (doi:10.1016/j.neuroimage.2009.09.062),
with these differences: the first template is the mean after affine registration to the atlas that ships, not one
subject, so that the result lies in MNI152 space and hangs on nobody's head; and everybody takes part together with the
own mirror image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlases.build_cases import PreparedCase
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import to_sitk
from ASPECTSLib.preprocessing.intensity import REGISTRATION_WINDOW_HU
from ASPECTSLib.registration.mapping import Mapping, warp

_INVERSE_ITERATIONS = 12
_MIN_COVERED = 0.25  # of the cases: a place that fewer scans show is left out of the template
_DIFFUSION_STEP, _DIFFUSION_STEPS = 0.0625, 10  # steps of up to 0.125 are stable at 2 mm
_CONDUCTANCE = 2.0
_X = np.array([-1.0, 1.0, 1.0])  # of a vector in the mirror image


@dataclass(eq=False)
class TemplateSums:
    """What has been added up over the cases of an iteration, on the grid of the template.

    Parameters
    ----------
    count
        Cases so far.
    image, brain, covered, spread_mm
        float64, shape (k, j, i): HU, brain masks, fields of view, and lengths of the displacements.
    shift_mm
        float64, shape (k, j, i, 3): displacements from the template to the cases.
    """

    count: int
    image: NDArray[np.float64]
    brain: NDArray[np.float64]
    covered: NDArray[np.float64]
    spread_mm: NDArray[np.float64]
    shift_mm: NDArray[np.float64]

    @classmethod
    def empty(cls, grid: Volume) -> TemplateSums:
        """Return sums of nothing."""
        shape = grid.array.shape
        return cls(0, *(np.zeros(shape) for _ in range(4)), np.zeros((*shape, 3)))


@dataclass(frozen=True, eq=False)
class Template:
    """A template on its grid, which is symmetric about x = 0.

    Parameters
    ----------
    image
        float32 HU, 0 outside the brain.
    brain
        float32 probability of lying inside the skull.
    """

    image: Volume
    brain: Volume


def add_case(sums: TemplateSums, case: PreparedCase, mapping: Mapping, grid: Volume) -> None:
    """Add a case, as it looks on the template, to the sums."""
    sums.count += 1
    everywhere = case.brain.with_array(np.ones(case.brain.array.shape, np.float32))
    mask = case.brain.with_array(case.brain.array.astype(np.float32))
    sums.image += warp(case.fixed, mapping, grid).array
    sums.brain += warp(mask, mapping, grid).array
    sums.covered += warp(everywhere, mapping, grid).array
    shift_mm = displacement_on(mapping, grid)
    sums.shift_mm += shift_mm
    sums.spread_mm += np.linalg.norm(shift_mm, axis=-1)


def mean_template(sums: TemplateSums, grid: Volume) -> Template:
    """Return the mean of all cases and their mirror images; where brain is in less than half of them, there is none."""
    image, brain, covered = (s + s[..., ::-1] for s in (sums.image, sums.brain, sums.covered))
    seen = covered >= 2 * sums.count * _MIN_COVERED
    probability = np.divide(brain, covered, out=np.zeros_like(brain), where=seen)
    inside = probability > 0.5
    mean = np.divide(image, brain, out=np.zeros_like(image), where=inside)
    return Template(
        grid.with_array(np.where(inside, mean, 0).astype(np.float32)),
        grid.with_array(np.clip(probability, 0, 1).astype(np.float32)),
    )


def mean_shift_mm(sums: TemplateSums) -> NDArray[np.float64]:
    """Return the mean displacement from the template to the cases and their mirror images, RAS mm."""
    shift = sums.shift_mm + sums.shift_mm[..., ::-1, :] * _X
    return shift / (2 * sums.count)


def sharpened(template: Template) -> Template:
    """Return a template with its edges raised by its Laplacian, as the averaging blurred them."""
    inside = template.image.array > 0
    image = sitk.LaplacianSharpening(to_sitk(_continued(template.image)))
    lowest, highest = REGISTRATION_WINDOW_HU
    array = np.clip(sitk.GetArrayFromImage(image), lowest, highest)
    sharp = np.where(inside, array, 0).astype(np.float32)
    return Template(template.image.with_array(sharp), template.brain)


def denoised(template: Template) -> Template:
    """Return a template without the noise that few heads leave and sharpening raises; edges stay.

    Curvature-driven diffusion (Whitaker 1994), which stops at edges. A median of 3 x 3 x 3 voxels takes thin sulci as
    well: on nine synthetic heads the regions lost up to 0.004 Dice by it, by this 0.001.
    """
    image = sitk.CurvatureAnisotropicDiffusion(
        to_sitk(_continued(template.image)),
        timeStep=_DIFFUSION_STEP,
        conductanceParameter=_CONDUCTANCE,
        numberOfIterations=_DIFFUSION_STEPS,
    )
    inside = template.image.array > 0
    smooth = np.where(inside, sitk.GetArrayFromImage(image), 0).astype(np.float32)
    return Template(template.image.with_array(smooth), template.brain)


def _continued(image: Volume) -> Volume:
    """Go on beyond the brain with the nearest values of its rim, which is no edge of the tissue."""
    outside = image.array <= 0
    nearest = ndimage.distance_transform_edt(outside, return_distances=False, return_indices=True)
    return image.with_array(image.array[tuple(nearest)])


def symmetrised(template: Template) -> Template:
    """Return the mean of a template and its mirror image, to the last digit symmetric about x = 0."""
    brain = (template.brain.array + template.brain.array[..., ::-1]) / 2
    image = _continued(template.image).array
    image = np.where(brain > 0.5, (image + image[..., ::-1]) / 2, 0)
    return Template(template.image.with_array(image), template.brain.with_array(brain))


def to_mean_shape(template: Template, shift_mm: NDArray[np.float64]) -> Template:
    """Return a template moved to where its structures lie in the mean case.

    Parameters
    ----------
    template
        To which the cases were registered.
    shift_mm
        Mean displacement from it to the cases, on its grid.
    """
    mapping = inverse_of(shift_mm, template.image)
    brain = warp(template.brain, mapping, template.brain)
    image = warp(_continued(template.image), mapping, template.image).array
    return Template(brain.with_array(np.where(brain.array > 0.5, image, 0)), brain)


def inverse_of(shift_mm: NDArray[np.float64], grid: Volume) -> Mapping:
    """Return the mapping that undoes a displacement, by fixed-point iteration (doi:10.1118/1.2816107).

    Parameters
    ----------
    shift_mm
        RAS mm, shape (k, j, i, 3), on an axis-aligned grid.
    grid
        Of the displacement.
    """
    spacing_kji = grid.spacing_mm[::-1]
    places = np.indices(grid.array.shape).astype(np.float64)
    inverse = -shift_mm
    for _ in range(_INVERSE_ITERATIONS):
        moved = places + np.moveaxis(inverse[..., ::-1] / spacing_kji, -1, 0)
        inverse = -np.stack(
            [
                ndimage.map_coordinates(shift_mm[..., c], moved, order=1, mode="nearest")
                for c in range(3)
            ],
            axis=-1,
        )
    return Mapping(np.eye(4), inverse, grid)


def displacement_on(mapping: Mapping, grid: Volume) -> NDArray[np.float64]:
    """Return the displacement of a mapping on another grid, RAS mm, shape (k, j, i, 3); 0 for an affine one."""
    if mapping.displacement_mm is None or mapping.grid is None:
        return np.zeros((*grid.array.shape, 3))
    parts = [
        sitk.Resample(
            to_sitk(mapping.grid.with_array(mapping.displacement_mm[..., c])),
            to_sitk(grid),
            sitk.Transform(),
            sitk.sitkLinear,
            0.0,
        )
        for c in range(3)
    ]
    return np.stack([sitk.GetArrayFromImage(part) for part in parts], axis=-1)
