"""The pictures of a built atlas: its key slices with their regions, and how the deformations change.

As figures 4 and 6 of Sun et al. 2024, doi:10.1038/s41597-024-03973-y. matplotlib is imported on use, as in
`ASPECTSLib.report.figure`.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.regions import REGIONS, Level
from ASPECTSLib.atlas.template_atlas import ALL_AGES
from ASPECTSLib.atlases.build import BuiltAtlas
from ASPECTSLib.atlases.level_planes import level_slice
from ASPECTSLib.geometry import Volume
from ASPECTSLib.report.wording import RESEARCH_ONLY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ATLAS_PICTURE, DEFORMATION_PICTURE = "atlas.png", "deformation.png"

_WINDOW_HU = (0.0, 60.0)
_MAX_SPREAD_MM = 5.0
_PANEL_INCHES = (2.3, 2.5)
_DPI = 120
_MARGIN_INCHES = 0.35


def build_pngs(atlases: Mapping[AgeGroup | None, BuiltAtlas]) -> dict[str, bytes]:
    """Draw all pictures.

    Parameters
    ----------
    atlases
        By age group; None is for all ages.

    Returns
    -------
    dict
        PNG by the name of the file.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    return {
        ATLAS_PICTURE: _png(_atlas_figure(atlases)),
        DEFORMATION_PICTURE: _png(_deformation_figure(atlases)),
    }


def _atlas_figure(atlases: Mapping[AgeGroup | None, BuiltAtlas]) -> Figure:
    figure, axes = _panels(len(atlases), 2 * len(Level))
    for row, (group, built) in zip(axes, atlases.items(), strict=True):
        for level, (plain, marked) in zip(Level, (row[:2], row[2:]), strict=True):
            image = _cut(built.atlas.template, built, level)
            labels = _cut(built.atlas.regions, built, level, order=0)
            for panel in (plain, marked):
                panel.imshow(image, cmap="gray", vmin=_WINDOW_HU[0], vmax=_WINDOW_HU[1])
            _outline(marked, labels)
            title = f"ages {group.value if group else ALL_AGES}, {level.value}"
            plain.set_title(title, fontsize=7, loc="left")
    return figure


def _deformation_figure(atlases: Mapping[AgeGroup | None, BuiltAtlas]) -> Figure:
    columns = max(len(built.steps) for built in atlases.values())
    figure, axes = _panels(len(atlases), columns)
    shown = None
    for row, (group, built) in zip(axes, atlases.items(), strict=True):
        for panel, (number, step) in zip(row, enumerate(built.steps, start=1), strict=False):
            spread = built.atlas.template.with_array(step.spread_mm)
            image = _cut(spread, built, Level.GANGLIONIC)
            shown = panel.imshow(image, cmap="viridis", vmin=0, vmax=_MAX_SPREAD_MM)
            words = f"{group.value if group else ALL_AGES}, iteration {number}: "
            panel.set_title(f"{words}{step.mean_spread_mm:.2f} mm", fontsize=7, loc="left")
    figure.colorbar(shown, ax=axes.ravel().tolist(), label="mean displacement, mm", shrink=0.8)
    return figure


def _panels(rows: int, columns: int) -> tuple[Figure, NDArray[np.object_]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (columns * _PANEL_INCHES[0], rows * _PANEL_INCHES[1] + _MARGIN_INCHES)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel in axes.ravel():
        panel.set_axis_off()
    figure.supxlabel(RESEARCH_ONLY, fontsize=6)
    return figure, axes


def _cut(volume: Volume, built: BuiltAtlas, level: Level, *, order: int = 1) -> NDArray[np.generic]:
    """Cut a level out, as radiologists see it: the patient's right on the left, the front on top."""
    return level_slice(volume, built.atlas.regions, level, order=order)[::-1, ::-1]


def _outline(panel: Axes, labels: NDArray[np.generic]) -> None:
    for region in REGIONS:
        mask = labels == region.label
        if mask.any():
            colour = [channel / 255 for channel in region.colour]
            panel.contour(mask, levels=[0.5], colors=[colour], linewidths=0.9)


def _png(figure: Figure) -> bytes:
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
    return stream.getvalue()
