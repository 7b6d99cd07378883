"""The midsagittal plane of a head and the symmetric pose that it gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from ASPECTSLib.geometry import Volume, apply_affine, shrink, shrink_factors
from ASPECTSLib.preprocessing.components import largest_component

_SEARCH_SPACING_MM = (
    4.0  # finer does no better: at 2 mm the same plane is found, seven times slower
)
_HEAD_THRESHOLD_HU = -200.0  # between air and fat
_STRIPPED_THRESHOLD_HU = 0.5  # scans clipped at 0 HU or stripped of the skull have 0 outside
_WINDOW_HU = (
    -100.0,
    200.0,
)  # skin and skull included: on the brain window alone the search can fail
_BLUR_MM = 4.0
_COARSE_ANGLES_DEG = np.arange(-30.0, 31.0, 7.5)
_COARSE_OFFSETS_MM = (-8.0, 0.0, 8.0)
_STARTS_REFINED = 3
_RANKED_POINTS = 3_000  # of some 30,000 in a head at 4 mm: enough to tell starts apart
_REFINED_POINTS = 10_000  # moves the plane by less than 0.2 degrees against all points
_HOLDER_GAP_VOXELS = 1  # opening that parts the head from the head holder


@dataclass(frozen=True, eq=False)
class Midplane:
    """A plane n·x = offset in the image frame.

    Parameters
    ----------
    normal
        Unit vector, pointing to the patient's right (positive first component).
    offset_mm
        Signed distance of the plane from the origin along the normal.
    similarity
        Correlation of the head with its mirror image, -1 to 1.
    """

    normal: NDArray[np.float64]
    offset_mm: float
    similarity: float

    @property
    def reflection(self) -> NDArray[np.float64]:
        """4x4 matrix that takes a point to its mirror image; its own inverse."""
        matrix = np.eye(4)
        matrix[:3, :3] -= 2.0 * np.outer(self.normal, self.normal)
        matrix[:3, 3] = 2.0 * self.offset_mm * self.normal
        return matrix

    @property
    def pose(self) -> NDArray[np.float64]:
        """4x4 rigid matrix from the image frame to the symmetric pose, where the plane is x = 0.

        It is the smallest rotation that turns the normal to the x axis, after a shift along the
        normal.
        """
        rotation = _rotation_between(self.normal, np.array([1.0, 0.0, 0.0]))
        matrix = np.eye(4)
        matrix[:3, :3] = rotation
        matrix[:3, 3] = -self.offset_mm * np.array([1.0, 0.0, 0.0])
        return matrix

    def mirrored(self) -> Midplane:
        """Return the plane of the mirror image of the head, x turned to -x."""
        return Midplane(self.normal * np.array([1.0, -1.0, -1.0]), -self.offset_mm, self.similarity)

    @property
    def yaw_deg(self) -> float:
        """Rotation of the head about the foot-to-head axis, in degrees; positive turns the face to the left."""
        return float(np.degrees(np.arctan2(self.normal[1], self.normal[0])))

    @property
    def roll_deg(self) -> float:
        """Tilt of the head to a shoulder, in degrees; positive raises the right side."""
        return float(np.degrees(np.arctan2(self.normal[2], self.normal[0])))


def find_midplane(volume: Volume) -> Midplane:
    """Find the plane in which a head is most like its mirror image.

    The whole head is compared with its reflection by normalised correlation at 4 mm, over yaw, roll
    and offset: a coarse grid over 30 degrees each way, then a simplex search from the best starts.
    The search is symmetric in itself: a mirrored scan gives the mirrored plane.

    Parameters
    ----------
    volume
        CT in HU, in the image frame.

    Returns
    -------
    Midplane
        The plane in the image frame of the volume.
    """
    coarse = shrink(volume, shrink_factors(volume, (_SEARCH_SPACING_MM,) * 3))
    head = head_mask(coarse)
    if not head.any():
        return Midplane(np.array([1.0, 0.0, 0.0]), 0.0, 0.0)
    lowest, highest = _WINDOW_HU
    windowed = np.where(head, np.clip(coarse.array, lowest, highest) - lowest, 0.0)
    # Without blur, linear interpolation rewards planes that fall on the voxel grid.
    sigma = _BLUR_MM / coarse.spacing_mm[::-1]
    values = ndimage.gaussian_filter(windowed.astype(np.float32), sigma, mode="nearest")
    points = apply_affine(coarse.affine, np.argwhere(head)[:, ::-1].astype(np.float64))
    centre = points.mean(axis=0)
    cost = _MirrorCost(values, coarse.affine, points, values[head], centre, _REFINED_POINTS)
    angles = np.radians(_COARSE_ANGLES_DEG)
    starts = [
        (yaw, roll, shift) for yaw in angles for roll in angles for shift in _COARSE_OFFSETS_MM
    ]
    thinned = _MirrorCost(values, coarse.affine, points, values[head], centre, _RANKED_POINTS)
    ranked = sorted(starts, key=thinned)[:_STARTS_REFINED]
    fits = [_refine(cost, start) for start in ranked]
    best = min(fits, key=lambda fit: fit.fun)
    normal, offset_mm = _plane(best.x, centre)
    return Midplane(normal, offset_mm, float(-best.fun))


def head_mask(volume: Volume) -> NDArray[np.bool_]:
    """Mask the head without head holder and table: the largest body, opened and filled slice by slice.

    Parameters
    ----------
    volume
        CT in HU on a coarse grid (about 4 mm).
    """
    clipped = float(volume.array.min()) > _HEAD_THRESHOLD_HU
    body = volume.array > (_STRIPPED_THRESHOLD_HU if clipped else _HEAD_THRESHOLD_HU)
    in_plane = ndimage.generate_binary_structure(3, 1)
    opened = ndimage.binary_opening(body, in_plane, iterations=_HOLDER_GAP_VOXELS)
    largest = largest_component(opened)
    if not largest.any():
        return body
    head = ndimage.binary_dilation(largest, in_plane) & body
    return np.stack([ndimage.binary_fill_holes(image) for image in head])


class _MirrorCost:
    """Minus the correlation of a head with its reflection, as a function of (yaw, roll, shift)."""

    def __init__(
        self,
        values: NDArray[np.float32],
        affine: NDArray[np.float64],
        points: NDArray[np.float64],
        samples: NDArray[np.float32],
        centre: NDArray[np.float64],
        wanted_points: int,
    ) -> None:
        step = max(len(points) // wanted_points, 1)
        samples = samples[::step]
        self._values = values
        self._to_voxels = np.linalg.inv(affine)
        self._points = points[::step]
        self._samples = samples - samples.mean() if len(samples) else samples
        self._centre = centre

    def __call__(self, parameters: NDArray[np.float64] | tuple[float, float, float]) -> float:
        normal, offset_mm = _plane(parameters, self._centre)
        mirrored = self._points - 2.0 * np.outer(self._points @ normal - offset_mm, normal)
        voxels = apply_affine(self._to_voxels, mirrored)[:, ::-1].T
        # Nearest, not zero, beyond the grid: a scan cut off at the neck must not punish every roll.
        reflected = ndimage.map_coordinates(self._values, voxels, order=1, mode="nearest")
        reflected = reflected - reflected.mean()
        norm = float(np.sqrt((self._samples**2).sum() * (reflected**2).sum()))
        return -float((self._samples * reflected).sum()) / norm if norm > 0 else 0.0


def _plane(
    parameters: NDArray[np.float64] | tuple[float, float, float], centre: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    yaw, roll, shift_mm = parameters
    normal = np.array([1.0, np.tan(yaw), np.tan(roll)])
    normal /= np.linalg.norm(normal)
    return normal, float(normal @ centre) + float(shift_mm)


def _refine(cost: _MirrorCost, start: tuple[float, float, float]) -> optimize.OptimizeResult:
    step = np.array([np.radians(4.0), np.radians(4.0), 3.0])
    simplex = np.array(start) + np.vstack([np.zeros(3), np.diag(step)])
    options = {"initial_simplex": simplex, "xatol": 1e-3, "fatol": 1e-5, "maxiter": 120}
    return optimize.minimize(cost, np.array(start), method="Nelder-Mead", options=options)


def _rotation_between(
    source: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    axis = np.cross(source, target)
    cosine = float(source @ target)
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1.0 + cosine)
