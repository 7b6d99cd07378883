"""What the networks see: intensities between 0 and 1 on grids of fixed size, the same in training and in use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.atlas.rules import orbitomeatal_axes
from ASPECTSLib.atlas.tissues import NCCT_CONTRAST_HU
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume, apply_affine, resample, shrink, shrink_factors
from ASPECTSLib.io.modality import Modality

CT_WINDOW_HU = (0.0, 80.0)
"""Brain window; bone and contrast agent are at its top. Scans clipped at 0 HU lose nothing by it."""

MR_RANGE = 2.5
"""Signals up to this multiple of the head's median are told apart."""

REST_OF_BRAIN = len(REGIONS) + 1
"""Label of the coarse network for brain that belongs to no region."""

HEAD_SPACING_MM = (4.0, 4.0, 4.0)
HEAD_SHAPE = (48, 64, 64)
"""Grid of the coarse network, along k, j, i: the upper 192 mm of the head."""

BRAIN_SPACING_MM = (2.0, 2.0, 4.0)
BRAIN_SHAPE = (48, 128, 128)
"""Grid of the brain mask's network, over the same part of the head."""

REGION_SPACING_MM = (1.5, 1.5, 3.0)
REGION_SHAPE = (24, 96, 112)
"""Grid of the fine network, along v, u, x of the atlas: slices along the orbitomeatal plane."""

_REGION_CENTRE_MM = (0.0, -12.0, 17.5)  # x, u, v: middle of the twenty regions
_PITCH_DEG = (
    11.0  # of the orbitomeatal plane in the atlas, as in `ASPECTSLib.atlas.rules.RegionRule`
)
_PRIOR_SIGMA_MM = 4.0  # of what people differ after an affine fit
_REGISTERED_SIGMA_MM = 1.6  # of what is left of that after a deformable one
_IN_POSE, _DEFORMED = 0.1, 1.3
"""Weights of the logarithms of both. They know of the same atlas, so that a plain sum would be too sure."""
_POSE_SIGMA_MM = 12.0
_PRIOR_FLOOR = 1e-3  # nothing is impossible
_FOREGROUND_HU = 1.0  # above air, also in scans clipped at 0 HU
_FOREGROUND_OF_PEAK = 0.15  # of the 99th percentile of an MR image
_HEAD_AREA_MM2 = 1500.0  # a slice with less is above the vertex
_ABOVE_VERTEX_MM = 8.0
_MIDDLE_DEPTH_MM = 110.0  # slices down to the skull base say where the head's middle is


def intensities(volume: Volume, modality: Modality) -> Volume:
    """Bring a scan to values between 0 and 1.

    Parameters
    ----------
    volume
        HU for CT; any unit for MR and for maps.
    modality
        Says whether values are densities.

    Returns
    -------
    Volume
        float32: CT linearly in `CT_WINDOW_HU`; others as multiples of the foreground's median, up to `MR_RANGE`.

    Raises
    ------
    ContentRefusedError
        NO_SIGNAL if the scan is empty.
    """
    array = volume.array.astype(np.float32)
    if modality.dicom_modality == "CT":
        low, high = CT_WINDOW_HU
        return volume.with_array(np.clip((array - low) / (high - low), 0, 1))
    inside = foreground(volume, modality)
    if not inside.any():
        raise ContentRefusedError(ErrorCode.NO_SIGNAL, "expected a head, found an empty scan")
    median = float(np.median(array[inside]))
    return volume.with_array(np.clip(array / (MR_RANGE * median), 0, 1))


def foreground(volume: Volume, modality: Modality) -> NDArray[np.bool_]:
    """Return what is not air, roughly."""
    if modality.dicom_modality == "CT":
        return volume.array > _FOREGROUND_HU
    values = volume.array[::2, ::2, ::2]
    positive = values[values > 0]
    peak = float(np.percentile(positive, 99)) if positive.size else 0.0
    return volume.array > max(_FOREGROUND_OF_PEAK * peak, 0.0)


def head_grid(
    volume: Volume,
    modality: Modality,
    spacing_mm: tuple[float, float, float] = HEAD_SPACING_MM,
    shape: tuple[int, int, int] = HEAD_SHAPE,
) -> Volume:
    """Return the empty grid over the upper part of a head.

    Parameters
    ----------
    volume
        Scan in the image frame, of any coverage, the neck included.
    modality
        Of the scan.
    spacing_mm, shape
        Along i, j, k and along k, j, i.

    Raises
    ------
    ContentRefusedError
        NO_BRAIN if no slice holds as much as a head.
    """
    coarse = shrink(volume, shrink_factors(volume, (4.0, 4.0, 4.0)))
    inside = foreground(coarse, modality)
    pixel_mm2 = float(coarse.spacing_mm[0] * coarse.spacing_mm[1])
    slices = np.flatnonzero(inside.sum(axis=(1, 2)) * pixel_mm2 > _HEAD_AREA_MM2)
    if not slices.size:
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "no slice of the scan holds a head")
    top_mm = float(coarse.affine[2, 3] + coarse.spacing_mm[2] * (slices[-1] + 0.5))
    depth = round(_MIDDLE_DEPTH_MM / coarse.spacing_mm[2])
    upper = np.argwhere(inside[max(slices[-1] - depth, 0) : slices[-1] + 1])[:, :0:-1]
    # The middle of the extent, not of mass: head holders and earrings are cut off by percentiles.
    low, high = np.percentile(upper, (1, 99), axis=0)
    middle_mm = coarse.affine[:2, 3] + coarse.spacing_mm[:2] * (low + high) / 2
    extent_mm = (np.array(shape[::-1]) - 1) * spacing_mm
    affine = np.diag([*spacing_mm, 1.0])
    affine[:2, 3] = middle_mm - extent_mm[:2] / 2
    affine[2, 3] = top_mm + _ABOVE_VERTEX_MM - extent_mm[2]
    return Volume(np.zeros(shape, np.uint8), affine)


def region_grid_affine() -> NDArray[np.float64]:
    """Return the affine of the fine network's grid, from (i, j, k) to MNI152 RAS mm."""
    affine = np.eye(4)
    axes = orbitomeatal_axes(_PITCH_DEG)
    extent_mm = (np.array(REGION_SHAPE[::-1]) - 1) * REGION_SPACING_MM
    affine[:3, :3] = axes * REGION_SPACING_MM
    affine[:3, 3] = axes @ (np.array(_REGION_CENTRE_MM) - extent_mm / 2)
    return affine


def region_grid(scan_from_atlas: NDArray[np.float64]) -> Volume:
    """Return the empty grid of the fine network where it lies in a scan.

    Parameters
    ----------
    scan_from_atlas
        4x4 matrix from MNI152 to the scan, RAS mm.
    """
    return Volume(np.zeros(REGION_SHAPE, np.uint8), scan_from_atlas @ region_grid_affine())


def on_grid(image: Volume, grid: Volume) -> NDArray[np.float32]:
    """Resample intensities on a network's grid; finer pixels are averaged first, so that noise does not alias."""
    wanted = tuple(float(s) for s in grid.spacing_mm)
    factors = shrink_factors(image, wanted)  # type: ignore[arg-type]
    return resample(shrink(image, factors), grid).array


def coordinates(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the place of each voxel on its grid along i, j and k, scaled to -1 to 1; shape (3, k, j, i).

    A convolution does not know where it is; with these channels it does, and right and left are told apart at once
    (Liu 2018, arXiv:1807.03247).
    """
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in shape]
    k, j, i = np.meshgrid(*axes, indexing="ij")
    return np.stack((i, j, k))


def with_coordinates(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an image (k, j, i) with its coordinates as channels, shape (4, k, j, i)."""
    return np.concatenate((image[None], coordinates(image.shape)))


@dataclass(frozen=True, eq=False)
class RegionPrior:
    """What is known of the regions before a scan is seen.

    Parameters
    ----------
    log_probability
        float32, shape (21, k, j, i) on the fine network's grid: of the background and of each region.
    centres_mm, volumes_ml
        Of the regions in the atlas, shapes (20, 3) and (20,).
    atlas
        That the prior is of.
    """

    log_probability: NDArray[np.float32]
    centres_mm: NDArray[np.float64]
    volumes_ml: NDArray[np.float64]
    atlas: Atlas

    @cached_property
    def head_log_probability(self) -> NDArray[np.float32]:
        """The same on the coarse network's grid, float32, shape (22, k, j, i): last the rest of the brain."""
        return _head_prior(self.atlas)


def region_prior(atlas: Atlas) -> RegionPrior:
    """Return the prior of an atlas that is not deformed to the patient.

    On the fine grid the regions are blurred by what people differ after an affine fit, on the coarse grid by what their
    poses differ.

    Parameters
    ----------
    atlas
        Tissues and regions in MNI152 space.
    """
    centres, volumes = label_centres(atlas.regions, len(REGIONS))
    return RegionPrior(_fine_prior(atlas), centres, volumes, atlas)


def registered_prior(shares: NDArray[np.float32], prior: RegionPrior) -> NDArray[np.float32]:
    """Return what is known beforehand of a scan to which an atlas was deformed.

    Parameters
    ----------
    shares
        Of the deformed atlas's background and regions in each voxel of the fine network's grid, 0 to 1; shape
        (21, *`REGION_SHAPE`).
    prior
        Of the atlas: in the pose of the head alone, which has its say where the registration is wrong.

    Returns
    -------
    numpy.ndarray
        float32, shape (21, k, j, i): weighted sum of logarithms of probabilities, as `RegionPrior.log_probability`, not
        scaled to add up to one.
    """
    sigma = _REGISTERED_SIGMA_MM / np.array(REGION_SPACING_MM[::-1])
    return _IN_POSE * prior.log_probability + _DEFORMED * _log_probability(shares, sigma)


def _fine_prior(atlas: Atlas) -> NDArray[np.float32]:
    grid = region_grid(np.eye(4))
    labels = resample(atlas.regions, grid, order=0).array
    shares = _one_of(labels, len(REGIONS) + 1)
    return _log_probability(shares, _PRIOR_SIGMA_MM / grid.spacing_mm[::-1])


def _head_prior(atlas: Atlas) -> NDArray[np.float32]:
    head = atlas.render(NCCT_CONTRAST_HU, brain_only=False)
    grid = head_grid(head, Modality.NCCT)
    labels = resample(atlas.regions, grid, order=0).array
    brain = resample(atlas.brain_probability(), grid).array > 0.5
    labels = np.where((labels == 0) & brain, REST_OF_BRAIN, labels)
    shares = _one_of(labels, REST_OF_BRAIN + 1)
    return _log_probability(shares, _POSE_SIGMA_MM / grid.spacing_mm[::-1])


def _one_of(labels: NDArray[np.integer], classes: int) -> NDArray[np.float32]:
    """Return for each class where it is, 0 or 1, shape (classes, k, j, i)."""
    return (labels == np.arange(classes)[:, None, None, None]).astype(np.float32)


def _log_probability(
    shares: NDArray[np.float32], sigma: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return logarithms of what is left of each class's shares after a blur; sigma is in voxels along k, j and i."""
    probability = _blurred(shares, sigma) + np.float32(_PRIOR_FLOOR)
    return np.log(probability / probability.sum(axis=0))


def _blurred(shares: NDArray[np.float32], sigma: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what `scipy.ndimage.gaussian_filter` makes of each class, all of them by one product along an axis."""
    along_k, along_j, along_i = (
        ndimage.gaussian_filter1d(np.eye(size, dtype=np.float32), width, axis=0)
        for size, width in zip(shares.shape[1:], sigma, strict=True)
    )
    planes = along_j @ (shares @ along_i.T)
    return np.einsum("kz,lzji->lkji", along_k, planes, optimize=True)


def coarse_channels(image: NDArray[np.float32], prior: RegionPrior) -> NDArray[np.float32]:
    """Return the input of the coarse network: image, coordinates and prior; shape (26, k, j, i)."""
    return np.concatenate((with_coordinates(image), prior.head_log_probability))


def fine_channels(
    image: NDArray[np.float32], log_probability: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the input of the fine network: image, coordinates and prior; shape (25, k, j, i).

    The prior is that of a `RegionPrior`, or of `registered_prior`.
    """
    return np.concatenate((with_coordinates(image), log_probability))


def fit_affine(
    source: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the 4x4 affine matrix that takes points to others with the least weighted squares.

    Parameters
    ----------
    source, target
        Shape (points, 3), mm; at least four points, not in one plane.
    weights
        Shape (points,), 0 or above.
    """
    homogeneous = np.c_[source, np.ones(len(source))]
    root = np.sqrt(weights)[:, None]
    solution, *_ = np.linalg.lstsq(homogeneous * root, target * root, rcond=None)
    matrix = np.eye(4)
    matrix[:3] = solution.T
    return matrix


def label_centres(labels: Volume, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centre in mm and the volume in mL of labels 1 to a count; centres of absent ones are 0."""
    flat = labels.array.ravel()
    numbers = np.bincount(flat, minlength=count + 1)[1 : count + 1].astype(np.float64)
    indices = np.indices(labels.array.shape).reshape(3, -1)[::-1]
    sums = [
        np.bincount(flat, weights=index, minlength=count + 1)[1 : count + 1] for index in indices
    ]
    centres_ijk = np.stack(sums, axis=1) / np.maximum(numbers, 1)[:, None]
    centres = apply_affine(labels.affine, centres_ijk)
    centres[numbers == 0] = 0
    return centres, numbers * labels.voxel_volume_ml
