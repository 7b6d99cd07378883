"""The picture of real and synthetic scans side by side: curves of what was measured, and slices in one window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import domain_measures as measures
import numpy as np
from domain_cases import HeadDwi
from domain_measures import HeadCt, NoisePatches
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WINDOW_HU = (0.0, 80.0)  # W80 L40
LEVELS_MM = (35.0, 60.0, 80.0, 105.0)  # below the vertex
SHOWN = 4  # scans of each kind
FIELD_MM = 205.0
DWI_LEVELS = (0.45, 0.62)  # share of the brain's height
_COLOURS = ("tab:blue", "tab:orange")
_TILE_INCHES = 3.2
_DPI = 60

Noisy = Sequence[tuple[HeadCt, NoisePatches | None]]


@dataclass(frozen=True, eq=False)
class Domains:
    """What is drawn: head CT with their noise and DWI, real and synthetic."""

    real_ct: Noisy
    made_ct: Noisy
    real_dwi: Sequence[HeadDwi]
    made_dwi: Sequence[HeadDwi]

    @property
    def cts(self) -> tuple[Noisy, Noisy]:
        """Real and synthetic ones."""
        return self.real_ct, self.made_ct

    @property
    def dwis(self) -> tuple[Sequence[HeadDwi], Sequence[HeadDwi]]:
        """Real and synthetic ones."""
        return self.real_dwi, self.made_dwi


def draw_domains(domains: Domains, path: Path) -> None:
    """Write the picture: curves above, slices of real scans to the left and of synthetic ones to the right."""
    from matplotlib import pyplot as plt

    rows, columns = 1 + len(LEVELS_MM) + len(DWI_LEVELS), 2 * SHOWN
    size = (_TILE_INCHES * columns, _TILE_INCHES * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained")
    curves = (
        brain_histograms,
        dwi_histograms,
        noise_spectra,
        noise_by_thickness,
        ventricle_profiles,
        skull_widths,
        side_differences,
    )
    for axis, draw in zip(axes[0], curves, strict=False):
        draw(axis, domains)
        axis.tick_params(labelsize=7)
    for axis in (*axes[0, len(curves) :], *axes[1:].ravel()):
        axis.axis("off")
    for side, cts in enumerate(domains.cts):
        for column, (ct, _) in enumerate(cts[:SHOWN]):
            _show_ct(axes[1 : 1 + len(LEVELS_MM), side * SHOWN + column], ct)
    for side, dwis in enumerate(domains.dwis):
        for column, dwi in enumerate(dwis[:SHOWN]):
            _show_dwi(axes[1 + len(LEVELS_MM) :, side * SHOWN + column], dwi)
    figure.savefig(path, dpi=_DPI)
    plt.close(figure)


def brain_histograms(axis: Axes, domains: Domains) -> None:
    """Draw the density of brain, smoothed, without its rim."""
    bins = np.arange(-5.0, 75.0, 1.0)
    for colour, cts in zip(_COLOURS, domains.cts, strict=True):
        for ct, _ in cts:
            values = measures.inner_brain_hu(ct)
            axis.plot(bins[:-1], np.histogram(values, bins, density=True)[0], color=colour, lw=0.8)
    axis.set_title("brain, smoothed [HU]: real blue", fontsize=8)


def dwi_histograms(axis: Axes, domains: Domains) -> None:
    """Draw the diffusion-weighted signal of brain over its median."""
    bins = np.arange(0.0, 2.6, 0.04)
    for colour, dwis in zip(_COLOURS, domains.dwis, strict=True):
        for dwi in dwis:
            values = dwi.signal[dwi.brain] / np.median(dwi.signal[dwi.brain])
            axis.plot(bins[:-1], np.histogram(values, bins, density=True)[0], color=colour, lw=0.8)
    axis.set_title("DWI over its median", fontsize=8)


def noise_spectra(axis: Axes, domains: Domains) -> None:
    """Draw the radial power of the noise."""
    for colour, cts in zip(_COLOURS, domains.cts, strict=True):
        for _, noise in cts:
            if noise:
                axis.semilogy(*noise.spectrum(), color=colour, lw=0.8)
    axis.set_ylim(1e-3, 10.0)
    axis.set_title("noise power by 1/mm", fontsize=8)


def noise_by_thickness(axis: Axes, domains: Domains) -> None:
    """Draw the noise of each scan over its slice thickness."""
    for colour, cts in zip(_COLOURS, domains.cts, strict=True):
        points = [(ct.slice_mm, noise.deviation) for ct, noise in cts if noise]
        axis.plot(*zip(*points, strict=True), "o", color=colour, ms=4)
    axis.set_title("noise [HU] by slices [mm]", fontsize=8)


def ventricle_profiles(axis: Axes, domains: Domains) -> None:
    """Draw the mean density across the ventricles' walls."""
    for colour, cts in zip(_COLOURS, domains.cts, strict=True):
        for ct, _ in cts:
            axis.plot(*measures.ventricle_profile(ct), color=colour, lw=0.8)
    axis.set_title("ventricle to brain [HU by mm]", fontsize=8)


def skull_widths(axis: Axes, domains: Domains) -> None:
    """Draw the widths of the inner skull's border."""
    bins = np.arange(0.0, 9.0, 0.4)
    for colour, cts in zip(_COLOURS, domains.cts, strict=True):
        for ct, _ in cts:
            counts = np.histogram(measures.skull_edges_mm(ct), bins, density=True)[0]
            axis.plot(bins[:-1], counts, color=colour, lw=0.8)
    axis.set_title("inner skull, 10 to 90 % [mm]", fontsize=8)


def side_differences(axis: Axes, domains: Domains) -> None:
    """Draw the differences of sides of healthy regions of the synthetic scans."""
    values = [v for ct, _ in domains.made_ct for v in measures.side_differences_hu(ct)]
    axis.hist(values, np.arange(-6.5, 7.0, 1.0), color=_COLOURS[1])
    axis.set_title("right less left, synthetic [HU]", fontsize=8)


def _show_ct(axes: NDArray[np.object_], ct: HeadCt) -> None:
    for axis, level_mm in zip(axes, LEVELS_MM, strict=True):
        k = max(ct.vertex - round(level_mm / ct.slice_mm), 0)
        picture = _field(ct.hu[k], ct.hu[k] > max(-300.0, ct.hu.min() + 5.0), ct.pixel_mm)
        # Rows run to the front and columns to the right: readers see the front above and the right on the left.
        axis.imshow(picture[::-1, ::-1], cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1])
    axes[0].set_title(ct.name, fontsize=8)


def _show_dwi(axes: NDArray[np.object_], dwi: HeadDwi) -> None:
    slices = np.flatnonzero(dwi.brain.any(axis=(1, 2)))
    white = 2.2 * float(np.median(dwi.signal[dwi.brain]))
    for axis, share in zip(axes, DWI_LEVELS, strict=True):
        k = slices[round(share * (len(slices) - 1))]
        picture = _field(dwi.signal[k], dwi.brain[k], dwi.spacing_mm[0])
        axis.imshow(picture[::-1, ::-1], cmap="gray", vmin=0.0, vmax=white)
    axes[0].set_title(dwi.name, fontsize=8)


def _field(
    image: NDArray[np.floating], head: NDArray[np.bool_], pixel_mm: float
) -> NDArray[np.floating]:
    """Cut a square of one size out around the head."""
    half = round(FIELD_MM / 2.0 / pixel_mm)
    rows, columns = np.nonzero(head)
    padded = np.pad(image, half, constant_values=float(image.min()))
    row, column = (int(n.min() + n.max()) // 2 if len(n) else half for n in (rows, columns))
    return padded[row : row + 2 * half, column : column + 2 * half]
