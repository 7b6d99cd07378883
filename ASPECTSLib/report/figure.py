"""The picture of a result: the key slices, plain and annotated, with score, table and warnings.

matplotlib is imported on use: it is not in every Slicer, and without it there is a result, only no
picture.
"""

from __future__ import annotations

from io import BytesIO
from textwrap import shorten, wrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, Region, Side
from ASPECTSLib.geometry import Volume, bounding_box, canonicalize
from ASPECTSLib.report.result import RegionInfo, StudyResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STROKE_WINDOW_HU = (20.0, 60.0)
"""Width 40, level 40."""

HEATMAP_LIMIT_HU = 8.0

_SIZE_INCHES = (15.0, 9.0)
_DPI = 100
_MARGIN_MM = np.array(
    [0.0, 45.0, 22.0]
)  # around the regions along (k, j, i): shows both poles and the skull
_BACKGROUND = "black"
_TEXT = "white"
_FILL = 0.4
_RESEARCH_ONLY = "Research use only. Not a medical device."


def report_png(result: StudyResult, scan: Volume, regions: Volume, heatmap: Volume) -> bytes:
    """Draw the report picture.

    Slices are shown as radiologists see them: the patient's right on the left of the picture, the
    front on top.

    Parameters
    ----------
    result
        What to show.
    scan, regions, heatmap
        CT in HU, label map and HU difference, on one grid.

    Returns
    -------
    bytes
        A PNG file.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        2,
        4,
        width_ratios=(1, 1, 1, 1.15),
        left=0.005,
        right=0.995,
        bottom=0.06,
        top=0.93,
        wspace=0.02,
        hspace=0.06,
    )
    _draw_slices(figure, grid, result, scan, regions, heatmap)
    _draw_header(figure, result)
    _draw_table(figure.add_subplot(grid[:, 3]), result)
    figure.text(0.005, 0.012, _RESEARCH_ONLY, color=_TEXT, fontsize=10)
    buffer = BytesIO()
    # No software name or date in the file: same result, same bytes.
    figure.savefig(buffer, format="png", facecolor=_BACKGROUND, metadata={"Software": None})
    return buffer.getvalue()


def _draw_slices(
    figure: Figure,
    grid,
    result: StudyResult,
    scan: Volume,
    regions: Volume,
    heatmap: Volume,
) -> None:
    canonical = canonicalize(scan)
    volume = canonical.volume
    labels, difference = canonicalize(regions).volume.array, canonicalize(heatmap).volume.array
    margin = tuple(int(n) for n in np.ceil(_MARGIN_MM / volume.spacing_mm[::-1]))
    # Without any region, which an abstained study may be, the whole slices are shown.
    box = bounding_box(labels > 0 if labels.any() else np.ones(labels.shape, bool), margin)
    aspect = volume.spacing_mm[1] / volume.spacing_mm[0]
    key_slices = result.key_slices
    rows = (("ganglionic", key_slices.ganglionic), ("supraganglionic", key_slices.supraganglionic))
    for row, (name, index) in enumerate(rows):
        k = canonical.restore_slice(index)
        image, label, change = (
            _radiological(a[k], box) for a in (volume.array, labels, difference)
        )
        axes = [figure.add_subplot(grid[row, column]) for column in range(3)]
        for axis in axes:
            axis.imshow(
                image,
                cmap="gray",
                vmin=STROKE_WINDOW_HU[0],
                vmax=STROKE_WINDOW_HU[1],
                aspect=aspect,
            )
            _mark_sides(axis)
        _annotate(axes[1], label, result)
        _overlay_difference(axes[2], change)
        axes[0].set_title(f"{name}, slice {index}", color=_TEXT, fontsize=10, pad=3)
        axes[1].set_title("affected filled, others outlined", color=_TEXT, fontsize=10, pad=3)
        axes[2].set_title(
            f"HU minus mirrored side: blue −{HEATMAP_LIMIT_HU:.0f} to red +{HEATMAP_LIMIT_HU:.0f}",
            color=_TEXT,
            fontsize=10,
            pad=3,
        )


def _radiological(image: NDArray, box: tuple[slice, slice, slice]) -> NDArray:
    """Cut the box and turn a slice from right-anterior index order to front on top, right on the left."""
    return image[box[1], box[2]][::-1, ::-1]


def _mark_sides(axis: Axes) -> None:
    axis.set_axis_off()
    for x, word in ((0.02, "R"), (0.94, "L")):
        axis.text(
            x, 0.5, word, color=_TEXT, fontsize=13, fontweight="bold", transform=axis.transAxes
        )


def _annotate(axis: Axes, labels: NDArray[np.uint8], result: StudyResult) -> None:
    calls = {(info.region, info.side): info for info in result.regions}
    overlay = np.zeros((*labels.shape, 4))
    for region in REGIONS:
        mask = labels == region.label
        if not mask.any():
            continue
        colour = np.array(region.colour) / 255.0
        info = calls[region.code.value, region.side.value]
        if is_affected(info):
            overlay[mask] = (*colour, _FILL)
        axis.contour(mask, levels=[0.5], colors=[colour], linewidths=1.0)
        j, i = _label_place(mask)
        axis.text(i, j, region.code.value, color=_TEXT, fontsize=8, ha="center", va="center")
    axis.imshow(overlay, aspect=axis.get_aspect())


def _label_place(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the voxel of a mask that is closest to its centre."""
    places = np.argwhere(mask)
    nearest = np.argmin(((places - places.mean(axis=0)) ** 2).sum(axis=1))
    return int(places[nearest][0]), int(places[nearest][1])


def _overlay_difference(axis: Axes, difference: NDArray[np.float32]) -> None:
    shown = np.ma.masked_where(difference == 0, difference)
    axis.imshow(
        shown,
        cmap="RdBu_r",
        vmin=-HEATMAP_LIMIT_HU,
        vmax=HEATMAP_LIMIT_HU,
        alpha=0.65,
        aspect=axis.get_aspect(),
    )


def headline(result: StudyResult) -> str:
    """Return the score in one line of words."""
    aspects = result.aspects
    if result.quality.abstained:
        return "No score: the program abstained"
    sides = f"right {aspects.right}, left {aspects.left}"
    edited = ", edited" if any(info.override for info in result.regions) else ""
    words = {"none": "no region affected", "bilateral": "both sides alike"}
    side = words.get(str(aspects.side), str(aspects.side).upper())
    return f"ASPECTS {aspects.score} / 10   {side}   ({sides}{edited})"


def is_affected(info: RegionInfo) -> bool:
    """Return the call that counts: the override where there is one, else the program's."""
    return bool(info.override.affected if info.override else info.affected)


def _draw_header(figure: Figure, result: StudyResult) -> None:
    figure.text(0.005, 0.965, headline(result), color=_TEXT, fontsize=20, fontweight="bold")
    details = f"{result.input.modality}, method {result.method.name} {result.method.version}"
    figure.text(0.995, 0.97, details, color=_TEXT, fontsize=10, ha="right")


def _draw_table(axis: Axes, result: StudyResult) -> None:
    axis.set_axis_off()
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    columns = (0.02, 0.12, 0.52)
    for x, word in zip(columns, ("", "right", "left"), strict=True):
        axis.text(x, 0.97, word, color=_TEXT, fontsize=12, fontweight="bold")
    infos = {(info.region, info.side): info for info in result.regions}
    for row, region in enumerate(r for r in REGIONS if r.side is Side.RIGHT):
        y = 0.92 - 0.05 * row
        axis.text(
            columns[0], y, region.code.value, color=_colour(region), fontsize=12, fontweight="bold"
        )
        for x, side in zip(columns[1:], (Side.RIGHT, Side.LEFT), strict=True):
            _draw_call(axis, x, y, infos[region.code.value, side.value])
    axis.text(
        columns[0],
        0.42,
        "probability of infarct, median HU here | other side",
        color=_TEXT,
        fontsize=9,
    )
    axis.text(
        columns[0],
        0.39,
        "● affected  ○ not affected  ◐ unsure  – not called",
        color=_TEXT,
        fontsize=9,
    )
    _draw_warnings(axis, result)


def _colour(region: Region) -> tuple[float, float, float]:
    red, green, blue = region.colour
    return red / 255, green / 255, blue / 255


def _draw_call(axis: Axes, x: float, y: float, info: RegionInfo) -> None:
    affected = is_affected(info)
    sign = "◐" if info.unsure and not info.override else ("●" if affected else "○")
    if info.affected is None and info.override is None:
        sign = "–"
    probability = "  –  " if info.probability is None else f"{info.probability:.2f}"
    medians = "not compared"
    if info.median is not None and info.contralateral_median is not None:
        medians = f"{info.median:.1f} | {info.contralateral_median:.1f}"
    edited = "  edited" if info.override else ""
    text = f"{sign} {probability}  {medians}{edited}"
    axis.text(x, y, text, color=_TEXT, fontsize=10, fontweight="bold" if affected else "normal")


def _draw_warnings(axis: Axes, result: StudyResult) -> None:
    y = 0.33
    for warning in result.quality.warnings:
        for number, line in enumerate(wrap(shorten(warning.message, 300), 52)):
            axis.text(0.02, y, ("! " if number == 0 else "  ") + line, color="#f0e442", fontsize=10)
            y -= 0.03
        y -= 0.01
