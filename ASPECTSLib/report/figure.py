"""The picture of a result: the key slices, plain and annotated, with score, table and warnings.

matplotlib is imported on use: it is not in every Slicer, and without it there is a result, only no
picture.
"""

from __future__ import annotations

from io import BytesIO
from textwrap import shorten, wrap
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import INFARCT_COLOUR, REGIONS, Region, Side
from ASPECTSLib.geometry import Volume, bounding_box, canonicalize
from ASPECTSLib.report.looks import HeatLook, heat_look_of, look_of
from ASPECTSLib.report.result import RegionInfo, StudyResult
from ASPECTSLib.report.wording import (
    LEGEND,
    RESEARCH_ONLY,
    automatic_text,
    call_sign,
    contrast_lines,
    core_lines,
    headline,
    override_text,
    values_text,
    values_words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

_SIZE_INCHES = (15.0, 9.0)
_DPI = 100
_MARGIN_MM = np.array(
    [0.0, 45.0, 22.0]
)  # around the regions along (k, j, i): shows both poles and the skull
_BACKGROUND = "black"
_TEXT = "white"
_FILL = 0.4
_WARNING = "#f0e442"
_VALUES_BESIDE_CALL = 0.15  # of the axes of the table
_NOTES_TOP = 0.34  # of the axes of the table
_NOTE_SIZES = {10.0: (0.03, 52), 8.5: (0.022, 62), 7.0: (0.016, 72), 6.0: (0.0135, 84)}
"""Step from line to line, and characters a line, by the size in points: the first that holds all notes is taken."""

_LONGEST_NOTE = 300


class FigureImages(Protocol):
    """The images that the picture is drawn of, on one grid."""

    scan: Volume
    regions: Volume
    heatmap: Volume
    compared: Volume
    infarct: Volume | None


def report_png(result: StudyResult, images: FigureImages) -> bytes:
    """Draw the report picture.

    Slices are shown as radiologists see them: the patient's right on the left of the picture, the
    front on top.

    Parameters
    ----------
    result
        What to show.
    images
        Scan, label map, heat map, map of compared voxels, and the infarct mask where there is one.

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
    grid = _grid(figure)
    _draw_slices(figure, grid, result, images)
    _draw_header(figure, result)
    _draw_table(figure.add_subplot(grid[:, 3]), result)
    figure.text(0.005, 0.012, RESEARCH_ONLY, color=_TEXT, fontsize=10)
    buffer = BytesIO()
    # No software name or date in the file: same result, same bytes.
    figure.savefig(buffer, format="png", facecolor=_BACKGROUND, metadata={"Software": None})
    return buffer.getvalue()


def _grid(figure: Figure) -> GridSpec:
    """Divide the picture into two rows of three slices, and the table beside them."""
    return figure.add_gridspec(
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


def _draw_slices(figure: Figure, grid: GridSpec, result: StudyResult, images: FigureImages) -> None:
    canonical = canonicalize(images.scan)
    volume = canonical.volume
    labels = canonical.reorder(images.regions.array)
    heatmap = canonical.reorder(images.heatmap.array)
    look, heat_look = look_of(result.input.modality), heat_look_of(result.method.heatmap)
    window = look.window_of(images.scan.array, images.compared.array > 0)
    infarct = None if images.infarct is None else canonical.reorder(images.infarct.array) > 0
    margin = tuple(int(n) for n in np.ceil(_MARGIN_MM / volume.spacing_mm[::-1]))
    # Without any region, which an abstained study may be, the whole slices are shown.
    box = bounding_box(labels > 0 if labels.any() else np.ones(labels.shape, bool), margin)
    aspect = volume.spacing_mm[1] / volume.spacing_mm[0]
    key_slices = result.key_slices
    rows = (("ganglionic", key_slices.ganglionic), ("supraganglionic", key_slices.supraganglionic))
    for row, (name, index) in enumerate(rows):
        k = canonical.restore_slice(index)
        axes = [figure.add_subplot(grid[row, column]) for column in range(3)]
        for axis in axes:
            _draw_slice(axis, _radiological(volume.array[k], box), window, aspect)
        _annotate(axes[1], _radiological(labels[k], box), result)
        if infarct is not None:
            _outline_infarct(axes[1], _radiological(infarct[k], box))
        _overlay_heatmap(axes[2], _radiological(heatmap[k], box), heat_look)
        titles = (
            f"{name}, slice {index}",
            "affected filled, others outlined",
            heat_look.words,
        )
        for axis, title in zip(axes, titles, strict=True):
            axis.set_title(title, color=_TEXT, fontsize=10, pad=3)


def _draw_slice(axis: Axes, image: NDArray, window: tuple[float, float], aspect: float) -> None:
    lowest, highest = window
    axis.imshow(image, cmap="gray", vmin=lowest, vmax=highest, aspect=aspect)
    _mark_sides(axis)


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
        if info.final_call:
            overlay[mask] = (*colour, _FILL)
        axis.contour(mask, levels=[0.5], colors=[colour], linewidths=1.0)
        j, i = _label_place(mask)
        axis.text(i, j, region.code.value, color=_TEXT, fontsize=8, ha="center", va="center")
    axis.imshow(overlay, aspect=axis.get_aspect())


def _outline_infarct(axis: Axes, mask: NDArray[np.bool_]) -> None:
    if mask.any():
        colour = np.array(INFARCT_COLOUR) / 255.0
        axis.contour(mask, levels=[0.5], colors=[colour], linewidths=2.0)


def _label_place(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the voxel of a mask that is closest to its centre."""
    places = np.argwhere(mask)
    nearest = np.argmin(((places - places.mean(axis=0)) ** 2).sum(axis=1))
    return int(places[nearest][0]), int(places[nearest][1])


def _overlay_heatmap(axis: Axes, values: NDArray[np.float32], look: HeatLook) -> None:
    lowest, highest = look.limits
    shown = np.ma.masked_where(np.abs(values) < look.unpainted, values)
    axis.imshow(
        shown,
        cmap=look.colours,
        vmin=lowest,
        vmax=highest,
        alpha=0.65,
        aspect=axis.get_aspect(),
    )


def _draw_header(figure: Figure, result: StudyResult) -> None:
    figure.text(0.005, 0.965, headline(result), color=_TEXT, fontsize=20, fontweight="bold")
    details = f"{result.input.modality}, method {result.method.name} {result.method.version}"
    figure.text(0.995, 0.97, details, color=_TEXT, fontsize=10, ha="right")


def _draw_table(axis: Axes, result: StudyResult) -> None:
    axis.set_axis_off()
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    columns = (0.02, 0.12, 0.54)
    for x, word in zip(columns, ("", "right", "left"), strict=True):
        axis.text(x, 0.97, word, color=_TEXT, fontsize=12, fontweight="bold")
    infos = {(info.region, info.side): info for info in result.regions}
    for row, region in enumerate(r for r in REGIONS if r.side is Side.RIGHT):
        y = 0.92 - 0.05 * row
        axis.text(
            columns[0], y, region.code.value, color=_colour(region), fontsize=12, fontweight="bold"
        )
        for x, side in zip(columns[1:], (Side.RIGHT, Side.LEFT), strict=True):
            _draw_call(axis, x, y, infos[region.code.value, side.value], result)
    axis.text(
        columns[0],
        0.42,
        f"probability of being affected, {values_words(result.input.modality)}",
        color=_TEXT,
        fontsize=9,
    )
    axis.text(
        columns[0],
        0.39,
        LEGEND,
        color=_TEXT,
        fontsize=9,
    )
    _draw_notes(axis, result)


def _colour(region: Region) -> tuple[float, float, float]:
    red, green, blue = region.colour
    return red / 255, green / 255, blue / 255


def _draw_call(axis: Axes, x: float, y: float, info: RegionInfo, result: StudyResult) -> None:
    probability = "  –  " if info.probability is None else f"{info.probability:.2f}"
    edited = "✎" if info.override else " "
    weight = "bold" if info.final_call else "normal"
    call = f"{call_sign(info)}{edited}{probability}"
    axis.text(x, y, call, color=_TEXT, fontsize=10, fontweight=weight)
    # Never bold: it would reach into the call of the other side.
    values = values_text(info, result.input.modality)
    axis.text(x + _VALUES_BESIDE_CALL, y, values, color=_TEXT, fontsize=10)


def _draw_notes(axis: Axes, result: StudyResult) -> None:
    """Write the warnings, then what a person changed, below the table."""
    notes = [("! ", warning.message, _WARNING) for warning in result.quality.warnings]
    said = (*core_lines(result.core), *contrast_lines(result.contrast))
    notes += [("", line, _TEXT) for line in said]
    if result.is_edited:
        notes.append(("edited; ", automatic_text(result), _TEXT))
    notes += [("edited: ", override_text(info), _TEXT) for info in result.regions if info.override]
    notes += [("edited: ", f"{e.what}, {e.by}, {e.when}", _TEXT) for e in result.edits]
    for points, (step, columns) in _NOTE_SIZES.items():
        size, lines, room = points, _wrapped(notes, columns), int(_NOTES_TOP / step)
        if len(lines) <= room:
            break
    else:
        left_out = len(lines) - room + 1
        lines = [*lines[: room - 1], (f"{left_out} more lines are in result.json", _WARNING)]
    for number, (line, colour) in enumerate(lines):
        axis.text(0.02, _NOTES_TOP - number * step, line, color=colour, fontsize=size)


def _wrapped(notes: list[tuple[str, str, str]], columns: int) -> list[tuple[str, str]]:
    """Break notes (mark, text, colour) into lines of text with their colour."""
    return [
        ((mark if number == 0 else " " * len(mark)) + line, colour)
        for mark, text, colour in notes
        for number, line in enumerate(wrap(shorten(text, _LONGEST_NOTE), columns - len(mark)))
    ]
