"""The picture of a cohort: the two key slices of every scan, plain and with the outline of the infarct.

matplotlib is imported on use, as in `ASPECTSLib.report.figure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import INFARCT_COLOUR
from ASPECTSLib.geometry import Volume, apply_affine, crop, resample
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.report.wording import RESEARCH_ONLY
from ASPECTSLib.scoring.key_slices import find_key_slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_ROWS = 24
"""Cases that are shown; of a larger cohort it is the first ones."""

_LEVELS = ("ganglionic", "supraganglionic")
_WINDOWS = {Modality.NCCT: (0.0, 80.0), Modality.CTA: (0.0, 160.0), Modality.CBF: (0.0, 80.0)}
"""In HU and mL/100 g/min; the brightest voxels of a slice of any other modality are white."""

_BRIGHTEST_PERCENTILE = 99.8
_FIELD_MM = (200.0, 240.0)  # right to left, back to front
_PIXEL_MM = 0.8
_TILE_INCHES = 2.0
_CAPTION_INCHES = 2.1
_TITLE_INCHES = 0.75
_FOOT_INCHES = 0.3
_DPI = 100
_BACKGROUND, _TEXT, _FAINT = "black", "white", "0.7"


@dataclass(frozen=True, eq=False)
class Tile:
    """A slice as radiologists see it: the patient's right on the left, the front on top.

    Parameters
    ----------
    image
        float32, rows from the front to the back.
    infarct
        bool, same shape.
    window
        Values that are black and white.
    title
        Modality and level.
    """

    image: NDArray[np.float32]
    infarct: NDArray[np.bool_]
    window: tuple[float, float]
    title: str


@dataclass(frozen=True, eq=False)
class MontageRow:
    """A case: what is said of it, line by line, and its tiles."""

    lines: Sequence[str]
    tiles: Sequence[Tile]


def key_tiles(
    image: Volume, regions: Volume, infarct: Volume, modality: Modality
) -> tuple[Tile, Tile]:
    """Cut the ganglionic and the supraganglionic slice out of a scan.

    Parameters
    ----------
    image
        Scan in the image frame.
    regions, infarct
        Label map and mask on its grid.
    modality
        Decides the window.
    """
    found = find_key_slices(regions.array, float(image.spacing_mm[2]))
    marked = np.argwhere(regions.array > 0)[:, ::-1]
    middle_mm = apply_affine(image.affine, marked.mean(axis=0) if len(marked) else np.zeros(3))
    tiles = []
    for level, k in zip(_LEVELS, (found.ganglionic, found.supraganglionic), strict=True):
        field = _field(image, k, middle_mm)
        rows, columns = image.array.shape[1:]
        box = (slice(k, k + 1), slice(0, rows), slice(0, columns))
        pixels = _pixels(crop(image, box), field, order=1)
        high = float(np.percentile(pixels, _BRIGHTEST_PERCENTILE))
        window = _WINDOWS.get(modality, (0.0, max(high, 1.0)))
        marked_here = crop(infarct, box)
        marked_here = marked_here.with_array(marked_here.array.astype(np.uint8))
        mask = _pixels(marked_here, field, order=0) > 0
        tiles.append(Tile(pixels.astype(np.float32), mask, window, f"{modality.value}\n{level}"))
    return tiles[0], tiles[1]


def montage_png(rows: Sequence[MontageRow], title: str) -> bytes:
    """Draw a row for each case; each tile stands there twice, the second time with the outline of the infarct.

    Parameters
    ----------
    rows
        The first `MAX_ROWS` are shown; all have the same columns.
    title
        Stands on top.

    Returns
    -------
    bytes
        A PNG file; same rows, same bytes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = rows[:MAX_ROWS]
    tile_height = _TILE_INCHES * _FIELD_MM[1] / _FIELD_MM[0]
    columns = 2 * len(shown[0].tiles)
    width = _CAPTION_INCHES + columns * _TILE_INCHES
    height = _TITLE_INCHES + len(shown) * tile_height + _FOOT_INCHES
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    for number, row in enumerate(shown):
        top = height - _TITLE_INCHES - number * tile_height
        _write_lines(figure, row.lines, top / height, width)
        for column in range(columns):
            left = _CAPTION_INCHES + column * _TILE_INCHES
            box = (left / width, (top - tile_height) / height)
            axis = figure.add_axes((*box, _TILE_INCHES / width, tile_height / height))
            tile = row.tiles[column // 2]
            _draw_tile(axis, tile, outlined=column % 2 == 1)
            if number == 0:
                _write_heading(axis, tile.title, outlined=column % 2 == 1)
    left_out = len(rows) - len(shown)
    more = f"   The first {len(shown)} of {len(rows)} cases." if left_out else ""
    figure.text(0.05 / width, 1 - 0.25 / height, title, color=_TEXT, fontsize=12, va="center")
    figure.text(0.05 / width, 0.1 / height, RESEARCH_ONLY + more, color=_TEXT, fontsize=9)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", facecolor=_BACKGROUND, metadata={"Software": None})
    return buffer.getvalue()


def _field(image: Volume, k: int, middle_mm: NDArray[np.float64]) -> Volume:
    """Return the empty grid of a tile: one slice of a scan, around the middle of the regions."""
    width, height = (round(mm / _PIXEL_MM) for mm in _FIELD_MM)
    affine = np.diag([_PIXEL_MM, _PIXEL_MM, float(image.spacing_mm[2]), 1.0])
    affine[:2, 3] = middle_mm[:2] - (np.array([width, height]) - 1) / 2 * _PIXEL_MM
    affine[2, 3] = image.affine[2, 3] + k * image.affine[2, 2]
    return Volume(np.zeros((1, height, width), np.uint8), affine)


def _pixels(image: Volume, field: Volume, order: int) -> NDArray:
    """Return a slice with front on top and right on the left."""
    outside = float(image.array.min())
    return resample(image, field, order=order, fill=outside).array[0, ::-1, ::-1]


def _draw_tile(axis: Axes, tile: Tile, *, outlined: bool) -> None:
    low, high = tile.window
    axis.imshow(tile.image, cmap="gray", vmin=low, vmax=high, aspect="auto")
    axis.set_axis_off()
    for x, word in ((0.03, "R"), (0.97, "L")):
        place = {"ha": "left" if word == "R" else "right", "va": "center"}
        axis.text(x, 0.5, word, color=_TEXT, fontsize=9, transform=axis.transAxes, **place)
    if outlined and tile.infarct.any():
        colour = np.array(INFARCT_COLOUR) / 255.0
        axis.contour(tile.infarct, levels=[0.5], colors=[colour], linewidths=1.2)


def _write_heading(axis: Axes, title: str, *, outlined: bool) -> None:
    words = f"{title}\ntrue infarct outlined" if outlined else f"{title}\n"
    axis.text(
        0.5,
        1.01,
        words,
        color=_FAINT,
        fontsize=7,
        ha="center",
        va="bottom",
        transform=axis.transAxes,
    )


def _write_lines(figure: Figure, lines: Sequence[str], top: float, width: float) -> None:
    text = "\n".join(lines)
    place = {"va": "top", "linespacing": 1.5}
    figure.text(0.05 / width, top - 0.01, text, color=_TEXT, fontsize=8.5, **place)
