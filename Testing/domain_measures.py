"""Numbers by which synthetic and real head scans are compared: noise, sharpness, densities, symmetry.

All are taken from the image alone in the same way for both, so that what an estimator gets wrong it gets wrong twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, contralateral
from ASPECTSLib.geometry import Volume, bounding_box

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

SPECTRUM_STEP_PER_MM = 0.1
SPECTRUM_END_PER_MM = 1.0
_PATCH_MM = 14.0
_PATCHES = 80  # the most homogeneous ones
_BRAIN_RIM_MM = 4.0
_STRUCTURE_MM = 1.5  # blur that leaves anatomy and takes noise
_DEEP_MM = 22.0  # from the skull, where ventricles lie and sulci do not
_FLUID_DROP_HU = 11.0
_WALLS_MM = (35.0, 75.0)  # below the vertex the skull stands upright in the slice
_BONE_HU = 300.0
_HEAD_HU = -300.0
_RAYS = 120
_CROSS = np.array([[0.0, 0.25, 0.0], [0.25, 0.0, 0.25], [0.0, 0.25, 0.0]])
_DEVIATION_PER_MEDIAN = 1.4826  # of absolute deviations, for normal noise
_LEAST_VENTRICLE_MM2 = 150.0
_FLUID_MARGIN_MM = 2.5
_WALL_REACH_MM, _WALL_STEP_MM = 7.0, 0.5
_LEAST_PROFILE = 8  # points
_RAY_STEP_MM = 0.1


@dataclass(frozen=True, eq=False)
class HeadCt:
    """A head CT to be measured.

    Parameters
    ----------
    name
        For tables.
    volume
        HU, in the image frame.
    brain
        bool, on the same grid.
    regions
        uint8 label map; None where there is none.
    affected
        Labels of regions with infarct.
    """

    name: str
    volume: Volume
    brain: Mask
    regions: NDArray[np.uint8] | None = None
    affected: frozenset[int] = frozenset()

    @cached_property
    def hu(self) -> NDArray[np.float32]:
        """Densities."""
        return self.volume.array.astype(np.float32)

    @property
    def pixel_mm(self) -> float:
        """Pixel spacing."""
        return float(self.volume.spacing_mm[0])

    @property
    def slice_mm(self) -> float:
        """Distance of slices."""
        return float(self.volume.spacing_mm[2])

    @cached_property
    def smooth(self) -> NDArray[np.float32]:
        """Densities without noise and without small structures, in-plane."""
        sigma = _STRUCTURE_MM / self.pixel_mm
        return ndimage.gaussian_filter(self.hu, (0, sigma, sigma), truncate=3.0)

    @cached_property
    def from_skull_mm(self) -> NDArray[np.float32]:
        """Distance of brain from its border within the slice; 0 outside."""
        distance = np.zeros(self.brain.shape, np.float32)
        rows, columns = self.box
        for k, image in enumerate(self.brain[:, rows, columns]):
            if image.any():
                away = ndimage.distance_transform_edt(image)
                distance[k, rows, columns] = away * self.pixel_mm
        return distance

    @cached_property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns with brain in any slice, and one more on each side."""
        return bounding_box(self.brain, (0, 1, 1))[1:]

    @cached_property
    def from_ventricles_mm(self) -> NDArray[np.float32]:
        """Distance from the ventricles' walls within the slice, negative inside; in the brain's box, else infinite."""
        mask = ventricles(self)
        signed = np.full(mask.shape, np.inf, np.float32)
        for k in np.flatnonzero(mask.sum(axis=(1, 2)) * self.pixel_mm**2 > _LEAST_VENTRICLE_MM2):
            outside, inside = (ndimage.distance_transform_edt(m) for m in (~mask[k], mask[k]))
            signed[k] = (outside - inside) * self.pixel_mm
        return signed

    @cached_property
    def vertex(self) -> int:
        """Highest slice with more than a little bone."""
        bone_mm2 = (self.volume.array > _BONE_HU).sum(axis=(1, 2)) * self.pixel_mm**2
        return int(np.flatnonzero(bone_mm2 > 300.0).max())

    def below_vertex(self, limits_mm: tuple[float, float]) -> range:
        """Return the slices between two depths below the vertex."""
        near, far = (self.vertex - round(limit / self.slice_mm) for limit in limits_mm)
        return range(max(far, 0), near + 1)


@dataclass(frozen=True, eq=False)
class NoisePatches:
    """What is left of homogeneous tissue when its slow changes are taken off.

    Parameters
    ----------
    residuals
        HU, shape (patches, rows, columns).
    places
        Slice, first row and first column of each.
    from_middle_mm
        Distance of each patch from the middle of the brain in its slice.
    pixel_mm
        Pixel spacing.
    """

    residuals: Array
    places: NDArray[np.intp]
    from_middle_mm: Array
    pixel_mm: float

    @property
    def deviation(self) -> float:
        """Noise in HU."""
        return float(np.sqrt((self.residuals**2).mean()))

    @property
    def centre_to_rim(self) -> float:
        """Noise of the patches in the middle of the head over that of those near the skull."""
        order = np.argsort(self.from_middle_mm)
        third = max(len(order) // 3, 1)
        inner, outer = (self.residuals[part] for part in (order[:third], order[-third:]))
        return float(np.sqrt((inner**2).mean() / (outer**2).mean()))

    def spectrum(self) -> tuple[Array, Array]:
        """Return spatial frequencies, 1/mm, and the radial noise power at them, mean 1 up to 1/mm."""
        size = self.residuals.shape[1]
        window = np.outer(np.hanning(size), np.hanning(size))
        power = (np.abs(np.fft.fft2(self.residuals * window)) ** 2).mean(axis=0)
        along = np.fft.fftfreq(size, self.pixel_mm)
        radius = np.hypot(*np.meshgrid(along, along))
        edges = np.arange(0.5, SPECTRUM_END_PER_MM / SPECTRUM_STEP_PER_MM) * SPECTRUM_STEP_PER_MM
        within = [(radius >= e) & (radius < e + SPECTRUM_STEP_PER_MM) for e in edges]
        radial = np.array([power[w].mean() if w.any() else 0.0 for w in within])
        return edges + SPECTRUM_STEP_PER_MM / 2, radial / radial.mean()

    def mean_frequency(self) -> float:
        """Return the mean of the noise power's frequency in two dimensions, 1/mm."""
        frequency, power = self.spectrum()
        return float((frequency**2 * power).sum() / (frequency * power).sum())


def noise_patches(ct: HeadCt) -> NoisePatches:
    """Find the most homogeneous patches of brain and take a parabola off each."""
    size = round(_PATCH_MM / ct.pixel_mm)
    inside = ct.from_skull_mm > _BRAIN_RIM_MM
    places, structure = [], []
    for k in range(len(inside)):
        for j in range(0, inside.shape[1] - size, size // 2):
            for i in range(0, inside.shape[2] - size, size // 2):
                part = (k, slice(j, j + size), slice(i, i + size))
                if inside[part].all():
                    places.append((k, j, i))
                    structure.append(ct.smooth[part].std())
    chosen = np.array(places)[np.argsort(structure)[:_PATCHES]]
    residuals = np.stack([_residual(_part(ct.hu, place, size)) for place in chosen])
    middles = [_middle_of_brain(ct, place[0]) for place in chosen]
    away = np.hypot(*(chosen[:, 1:] + size / 2 - np.array(middles)).T) * ct.pixel_mm
    return NoisePatches(residuals, chosen, away, ct.pixel_mm)


def slice_correlation(ct: HeadCt, patches: NoisePatches) -> float:
    """Return the correlation of the noise of neighbouring slices, 0 to 1."""
    size = patches.residuals.shape[1]
    products, powers = [], []
    for place, residual in zip(patches.places, patches.residuals, strict=True):
        if place[0] + 1 < len(ct.hu):
            above = _residual(_part(ct.hu, place + np.array([1, 0, 0]), size))
            products.append((residual * above).mean())
            powers.append(np.sqrt((residual**2).mean() * (above**2).mean()))
    return float(np.sum(products) / np.sum(powers))


def inner_brain_hu(ct: HeadCt) -> Array:
    """Return the smoothed density of brain, without its rim."""
    return ct.smooth[ct.from_skull_mm > _BRAIN_RIM_MM]


def brain_percentiles(ct: HeadCt, percents: tuple[float, ...]) -> Array:
    """Return percentiles of the smoothed density of brain, without its rim."""
    return np.percentile(inner_brain_hu(ct), percents)


def ventricles(ct: HeadCt) -> Mask:
    """Return fluid far from the skull, within the rows and columns of the brain's box."""
    median = brain_percentiles(ct, (50.0,))[0]
    smooth, depth = _boxed(ct, ct.smooth), _boxed(ct, ct.from_skull_mm)
    fluid = (smooth < median - _FLUID_DROP_HU) & (depth > _DEEP_MM)
    opened = ndimage.binary_opening(fluid, np.ones((1, 3, 3)), iterations=2)
    labels, count = ndimage.label(opened)
    if not count:
        return opened
    sizes = np.bincount(labels.ravel())[1:]
    return np.isin(labels, 1 + np.flatnonzero(sizes > 0.2 * sizes.max()))


def fluid_hu(ct: HeadCt) -> float:
    """Return the density of the ventricles' middle; nan where they are too narrow."""
    signed = ct.from_ventricles_mm
    inner = signed < -_FLUID_MARGIN_MM
    return float(_boxed(ct, ct.hu)[inner].mean()) if inner.sum() > 50 else float("nan")


def ventricle_profile(ct: HeadCt) -> tuple[Array, Array]:
    """Return distances from the ventricles' walls, mm, outwards, and the mean density there."""
    near = np.abs(ct.from_ventricles_mm) < _WALL_REACH_MM
    steps = np.rint(ct.from_ventricles_mm[near] / _WALL_STEP_MM).astype(int)
    found = np.unique(steps)
    values = _boxed(ct, ct.hu)[near]
    return found * _WALL_STEP_MM, ndimage.mean(values, steps, found)


def ventricle_wall_mm(ct: HeadCt) -> float:
    """Return the 10-to-90 % width of the ventricles' walls; nan where they are too narrow."""
    profile = ventricle_profile(ct)
    return width_10_90(*profile) if len(profile[0]) > _LEAST_PROFILE else float("nan")


def skull_edges_mm(ct: HeadCt) -> Array:
    """Return the 10-to-90 % widths of the inner skull's border along rays from the middle of the brain."""
    widths = []
    for k in ct.below_vertex(_WALLS_MM):
        if ct.brain[k].sum() * ct.pixel_mm**2 < 6000.0:
            continue
        for profile in _rays(ct, k):
            width = rise_mm(profile)
            if width is not None:
                widths.append(width)
    return np.array(widths)


def rise_mm(profile: Array) -> float | None:
    """Return how far a profile takes from 10 to 90 % of the way from brain to its first peak of bone."""
    above = np.flatnonzero(profile > _BONE_HU)
    reach = round(8.0 / _RAY_STEP_MM)
    if not len(above) or above[0] < reach:
        return None
    crossing = above[0]
    low = float(np.median(profile[crossing - reach : crossing - reach // 2]))
    peak = int(profile[crossing : crossing + reach].argmax()) + crossing
    high = float(profile[peak])
    before, after = low + 0.1 * (high - low), low + 0.9 * (high - low)
    start = np.flatnonzero(profile[:crossing] < before)
    end = np.flatnonzero(profile[crossing:] >= after)
    if high < 2.0 * _BONE_HU or not len(start) or not len(end):
        return None
    return float((end[0] + crossing - start[-1]) * _RAY_STEP_MM)


def rim_excess_hu(ct: HeadCt) -> float:
    """Return how much brighter the outer brain is than the inner one, by an upper percentile that leaves out fluid."""
    distance = ct.from_skull_mm
    levels = np.zeros(len(distance), bool)
    levels[list(ct.below_vertex(_WALLS_MM))] = True
    outer = levels[:, None, None] & (distance > 3.0) & (distance < 8.0)
    inner = levels[:, None, None] & (distance > 15.0) & (distance < 30.0)
    return float(np.percentile(ct.smooth[outer], 75) - np.percentile(ct.smooth[inner], 75))


def scalp_percentiles(ct: HeadCt, percents: tuple[float, ...]) -> Array:
    """Return percentiles of the density between skin and skull, in the upper head."""
    values = []
    for k in ct.below_vertex((20.0, 60.0)):
        head = ndimage.binary_fill_holes(ndimage.binary_opening(ct.hu[k] > _HEAD_HU, iterations=2))
        skull = ndimage.binary_fill_holes(ndimage.binary_closing(ct.hu[k] > _BONE_HU, iterations=3))
        skull = ndimage.binary_dilation(skull, iterations=2)
        labels, _ = ndimage.label(head)
        head = labels == labels[skull].max(initial=0)
        values.append(ct.hu[k][head & ~skull])
    return np.percentile(np.concatenate(values), percents)


def bone_percentiles(ct: HeadCt, percents: tuple[float, ...]) -> Array:
    """Return percentiles of the density of the vault."""
    part = ct.hu[list(ct.below_vertex(_WALLS_MM))]
    return np.percentile(part[part > _BONE_HU], percents)


def region_contrasts_hu(ct: HeadCt) -> dict[str, list[float]]:
    """Return lentiform nucleus, caudate and insula less internal capsule, for each side without infarct in them."""
    medians = _region_medians(ct)
    contrasts: dict[str, list[float]] = {}
    for code in (RegionCode.L, RegionCode.C, RegionCode.I):
        pairs = [
            (r.label, w.label)
            for r in REGIONS
            for w in REGIONS
            if r.code is code and w.code is RegionCode.IC and r.side is w.side
        ]
        contrasts[code.value] = [
            medians[grey] - medians[white]
            for grey, white in pairs
            if grey in medians and white in medians and not {grey, white} & ct.affected
        ]
    return contrasts


def side_differences_hu(ct: HeadCt) -> list[float]:
    """Return right less left of each pair of regions without infarct."""
    medians = _region_medians(ct)
    differences = []
    for region in REGIONS[: len(REGIONS) // 2]:
        labels = {region.label, contralateral(region).label}
        if labels <= medians.keys() and not labels & ct.affected:
            differences.append(medians[min(labels)] - medians[max(labels)])
    return differences


def relative_percentile(signal: Array, brain: Mask, percent: float) -> float:
    """Return a percentile of the signal in a brain over its median."""
    inside = signal[brain]
    return float(np.percentile(inside, percent) / np.median(inside))


def grain(signal: Array, brain: Mask) -> float:
    """Return how far pixels of a brain differ from their four neighbours, as a deviation over the median signal."""
    neighbours = ndimage.convolve(signal, _CROSS[None], mode="nearest")
    inside = ndimage.binary_erosion(brain, np.ones((1, 3, 3)))
    differences = (signal - neighbours)[inside]
    middle = np.median(np.abs(differences - np.median(differences)))
    return float(_DEVIATION_PER_MEDIAN * middle / np.sqrt(1.25) / np.median(signal[brain]))


def width_10_90(distances_mm: Array, values: Array) -> float:
    """Return over which distance a rising profile goes from 10 to 90 % of its rise."""
    low, high = values[:3].mean(), values[-3:].mean()
    share = np.maximum.accumulate((values - low) / (high - low))
    return float(np.interp(0.9, share, distances_mm) - np.interp(0.1, share, distances_mm))


def _region_medians(ct: HeadCt) -> dict[int, float]:
    if ct.regions is None:
        return {}
    sizes = np.bincount(ct.regions.ravel(), minlength=len(REGIONS) + 1)
    return {
        r.label: float(np.median(ct.hu[ct.regions == r.label]))
        for r in REGIONS
        if sizes[r.label] > 50
    }


def _boxed(ct: HeadCt, array: Array) -> Array:
    return array[(slice(None), *ct.box)]


def _part(array: Array, place: NDArray[np.intp], size: int) -> Array:
    k, j, i = place
    return array[k, j : j + size, i : i + size]


def _residual(patch: Array) -> Array:
    rows, columns = np.mgrid[-1.0 : 1.0 : patch.shape[0] * 1j, -1.0 : 1.0 : patch.shape[1] * 1j]
    terms = (np.ones_like(rows), rows, columns, rows * columns, rows**2, columns**2)
    basis = np.stack([term.ravel() for term in terms], axis=1)
    weights = np.linalg.lstsq(basis, patch.ravel(), rcond=None)[0]
    return patch - (basis @ weights).reshape(patch.shape)


def _middle_of_brain(ct: HeadCt, k: int) -> tuple[float, float]:
    rows, columns = np.nonzero(ct.brain[k])
    return float(rows.mean()), float(columns.mean())


def _rays(ct: HeadCt, k: int) -> list[Array]:
    row, column = _middle_of_brain(ct, k)
    along = np.arange(0.0, 120.0, _RAY_STEP_MM) / ct.pixel_mm
    profiles = []
    for angle in np.linspace(0.0, 2 * np.pi, _RAYS, endpoint=False):
        points = np.stack((row + along * np.sin(angle), column + along * np.cos(angle)))
        profiles.append(ndimage.map_coordinates(ct.hu[k], points, order=1, mode="nearest"))
    return profiles
