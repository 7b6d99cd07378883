"""What each network sees of a patient: image and labels on the network's grid, made as they are made in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, swap_sides
from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.asymmetry_inputs import PAIRS, SIDES, PatchSpec
from ASPECTSLib.inference.infarct_inputs import INFARCT_CHANNELS
from ASPECTSLib.inference.inputs import (
    BRAIN_SHAPE,
    BRAIN_SPACING_MM,
    REST_OF_BRAIN,
    RegionPrior,
    coarse_channels,
    fine_channels,
    fit_affine,
    head_grid,
    intensities,
    on_grid,
    region_grid,
    registered_prior,
)
from ASPECTSLib.inference.slice_finder_inputs import WINDOWS_HU
from ASPECTSLib.inference.slice_inputs import (
    ANATOMY_PIXELS,
    ANATOMY_SLICE_CHANNELS,
    INFARCT_PIXELS,
    INFARCT_SLICE_CHANNELS,
    Pixels,
)
from ASPECTSLib.inference.slices import CODES
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.training.asymmetry_loss import called_rightly
from ASPECTSLib.training.asymmetry_view import look_at_pair
from ASPECTSLib.training.infarct_view import look_at_infarct
from ASPECTSLib.training.labelled import Labelled
from ASPECTSLib.training.registered import registered_atlas
from ASPECTSLib.training.slice_finder_view import look_at_slices, nearness
from ASPECTSLib.training.slice_views import look_at_infarct_slices, look_at_region_slices
from ASPECTSLib.training.validation import Measure, dice_by_class

_Value = TypeVar("_Value", np.float32, np.uint8)

_GAIN, _GAMMA = (0.85, 1.18), (0.85, 1.18)
_SHIFT = 0.04  # 3 HU of the brain window
_NOISE = 0.03
_GRID_SHIFT_MM = 10.0  # the head's middle and top are found less well in real scans
_CENTRE_ERROR_MM = 2.5  # of each region's centre as the coarse network finds it
_POSE_ERROR_MM = 2.0  # common to all regions


@dataclass(frozen=True, eq=False)
class View:
    """A way to look at a patient.

    Parameters
    ----------
    channels, classes
        Of the network.
    look
        Returns image (channels, k, j, i), float32, and labels, uint8, as the task's loss takes them; (k, j, i) in
        segmentation.
    measure
        Of the validation.
    validation_looks
        How often each patient is looked at in the validation: more than once where a look shows one region.
    of_patches
        Makes the view for other patches, where the recipe says how they are cut, and in what share of the healthy ones
        an infarct is painted.
    pixels, of_pixels
        Of networks of slices: what they see, and what makes the view for others.
    of_registered
        Makes the view in which a share of the looks begins with the deformed atlas, where the task begins with one.
    """

    channels: int
    classes: int
    look: Callable[[Labelled, RegionPrior, Draw], tuple[NDArray[np.float32], NDArray[np.uint8]]]
    measure: Measure = dice_by_class
    validation_looks: int = 1
    of_patches: Callable[[PatchSpec, float], View] | None = None
    pixels: Pixels | None = None
    of_pixels: Callable[[Pixels], View] | None = None
    of_registered: Callable[[float], View] | None = None

    def cut_as(self, patches: PatchSpec, painted: float = 0.0) -> View:
        """Return the view for a recipe's patches; it is the same where nothing is cut."""
        return self if self.of_patches is None else self.of_patches(patches, painted)

    def with_pixels(self, size_mm: float) -> View:
        """Return the view for a recipe's pixels; it is the same for 0, and where there are no slices."""
        if self.of_pixels is None or size_mm == 0.0:
            return self
        return self.of_pixels(Pixels.of_size(size_mm))

    def registering(self, share: float) -> View:
        """Return the view in which that share of the looks begins with the deformed atlas, where any can."""
        return self if self.of_registered is None else self.of_registered(share)


def look_at_brain(
    scan: Labelled, _prior: RegionPrior, draw: Draw
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the upper head at 2 mm in-plane, and the brain mask."""
    grid = _shifted(head_grid(scan.image, scan.modality, BRAIN_SPACING_MM, BRAIN_SHAPE), draw)
    image = on_grid(intensities(scan.image, scan.modality), grid)
    image, brain = _augmented(image, scan.brain_on(grid).astype(np.uint8), draw, _SAME_SIDE)
    return image[None], brain


def look_at_regions_coarsely(
    scan: Labelled, prior: RegionPrior, draw: Draw
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the upper head at 4 mm, and regions with the rest of the brain."""
    grid = _shifted(head_grid(scan.image, scan.modality), draw)
    image = on_grid(intensities(scan.image, scan.modality), grid)
    regions = scan.regions_on(grid)
    rest = (regions == 0) & scan.brain_on(grid)
    labels = np.where(rest, REST_OF_BRAIN, regions).astype(np.uint8)
    image, labels = _augmented(image, labels, draw, _OTHER_SIDE)
    return coarse_channels(image, prior), labels


def look_at_regions_finely(
    scan: Labelled, prior: RegionPrior, draw: Draw, *, registered: float = 0.0
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the regions' levels in the atlas's pose, with coordinates and a prior, and the regions.

    The prior is that of the atlas in that pose or, in a share of the looks, of the atlas deformed to the patient, too.
    """
    noise = draw.generator.standard_normal
    errors_mm = _CENTRE_ERROR_MM * noise(scan.centres_mm.shape) + _POSE_ERROR_MM * noise(3)
    found_mm = scan.centres_mm + errors_mm
    grid = region_grid(fit_affine(prior.centres_mm, found_mm, scan.volumes_ml))
    image = _varied(on_grid(intensities(scan.image, scan.modality), grid), draw)
    truth, known = scan.regions_on(grid), prior.log_probability
    is_mirrored = not draw.chance(0.5)
    if is_mirrored:
        image, truth = _flipped(image), _OTHER_SIDE[_flipped(truth)]
    if draw.part("prior").chance(registered):
        shares = registered_atlas(scan, prior).shares_on(grid)
        if is_mirrored:
            shares = _flipped(shares[_OTHER_SIDE[: len(shares)]])
        known = registered_prior(shares, prior)
    return fine_channels(image, known), truth


def _fine_view(registered: float = 0.0) -> View:
    look = partial(look_at_regions_finely, registered=registered)
    labels = len(REGIONS) + 1
    return View(4 + labels, labels, look, of_registered=_fine_view)


def _anatomy_view(pixels: Pixels) -> View:
    look = partial(look_at_region_slices, pixels=pixels)
    classes = len(CODES) + 1
    return View(ANATOMY_SLICE_CHANNELS, classes, look, pixels=pixels, of_pixels=_anatomy_view)


def _infarct_view(pixels: Pixels) -> View:
    look = partial(look_at_infarct_slices, pixels=pixels)
    return View(INFARCT_SLICE_CHANNELS, 2, look, pixels=pixels, of_pixels=_infarct_view)


def _asymmetry_view(task: str, patches: PatchSpec | None = None, painted: float = 0.0) -> View:
    spec, codes = patches or PatchSpec(), PAIRS[task]
    return View(
        spec.channels,
        len(SIDES),
        partial(look_at_pair, codes=codes, spec=spec, painted=painted),
        called_rightly,
        validation_looks=2 * len(codes),
        of_patches=partial(_asymmetry_view, task),
    )


VIEWS: Mapping[str, View] = MappingProxyType(
    {
        "brain": View(1, 2, look_at_brain),
        "infarct": View(INFARCT_CHANNELS, 2, look_at_infarct),
        "ncct-anatomy": _anatomy_view(ANATOMY_PIXELS),
        "ncct-infarct": _infarct_view(INFARCT_PIXELS),
        "regions-coarse": View(4 + REST_OF_BRAIN + 1, REST_OF_BRAIN + 1, look_at_regions_coarsely),
        "regions-fine": _fine_view(),
        "slice-finder": View(len(WINDOWS_HU), 2, look_at_slices, nearness),
        **{task: _asymmetry_view(task) for task in PAIRS},
    }
)
"""By the task of a model."""


def _shifted(grid: Volume, draw: Draw) -> Volume:
    affine = grid.affine.copy()
    affine[:3, 3] += [draw.uniform(-_GRID_SHIFT_MM, _GRID_SHIFT_MM) for _ in range(3)]
    return Volume(grid.array, affine)


def _augmented(
    image: NDArray[np.float32],
    labels: NDArray[np.uint8],
    draw: Draw,
    other_side: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return an image with other grey values, and one in two mirrored with right and left exchanged."""
    varied = _varied(image, draw)
    if draw.chance(0.5):
        return varied, labels
    return _flipped(varied), other_side[_flipped(labels)]


def _varied(image: NDArray[np.float32], draw: Draw) -> NDArray[np.float32]:
    """Return an image with other grey values."""
    gain, gamma = draw.log_uniform(*_GAIN), draw.log_uniform(*_GAMMA)
    shift = draw.uniform(-_SHIFT, _SHIFT)
    noise = draw.uniform(0.0, _NOISE) * draw.generator.standard_normal(image.shape, np.float32)
    varied = np.clip(np.power(image, gamma) * gain + shift * (image > 0), 0, 1)
    return np.clip(varied + noise * (image > 0), 0, 1).astype(np.float32)


def _flipped(array: NDArray[_Value]) -> NDArray[_Value]:
    """Return the mirror image of what lies along i, the last axis."""
    return np.ascontiguousarray(array[..., ::-1])


def _exchanged(classes: int) -> NDArray[np.uint8]:
    """Return the label of each class on the other side; what is no region has none."""
    labels = np.arange(classes, dtype=np.uint8)
    regions = len(REGIONS) + 1
    labels[:regions] = swap_sides(labels[:regions])
    return labels


_SAME_SIDE = np.arange(2, dtype=np.uint8)  # background and brain
_OTHER_SIDE = _exchanged(REST_OF_BRAIN + 1)
