"""The pictures of the severity study: ROC curves, scores and volumes against NIHSS, regions by group, the two sides.

matplotlib is imported on use, as in `ASPECTSLib.report.figure`. Colours are those of Okabe & Ito (2008), which remain
distinct in colour blindness, and each group has a marker or hatch of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.report.wording import RESEARCH_ONLY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OVERVIEW_FILE = "severity.png"

_BLUE, _VERMILION = "#0072b2", "#d55e00"
_GREY, _FAINT, _DARK = "0.55", "0.4", "0.15"
_GROUP_COLOURS = (_BLUE, _VERMILION)
_GROUP_MARKERS = ("o", "^")
_SIDES = ((1, "left", _BLUE, "o"), (-1, "right", _VERMILION, "^"))
_ANY_SIDE = (*_SIDES, (0, "neither", _GREY, "x"))
_LINE_STYLES = ("-", "--")
_BEST_LOOK = {"marker": "o", "markersize": 5}
_PUBLISHED_LOOK = {"marker": "s", "markersize": 9, "markerfacecolor": "none"}
_DPI = 150
_PANEL_INCHES = (5.4, 4.6)
_FOOT_LINE_INCHES = 0.15
_FOOT_CHARACTERS = 17  # an inch, at the size of the foot
_PADDING_INCHES = 0.1
_OVERVIEW_COLUMNS = 3
_JITTER = 0.13  # of a point of ASPECTS or NIHSS: whole numbers would lie on one another
_APART = 0.18  # of a point: the groups of one whole number beside each other
_LINEAR_ML = 1.0  # volumes below are drawn on a linear scale, so that 0 mL has a place
_VOLUME_TICKS_ML = (0, 1, 3, 10, 30, 100, 300, 1000)
_MAX_NIHSS = 42


@dataclass(frozen=True, eq=False)
class RocLine:
    """A ROC curve and what is marked on it.

    Parameters
    ----------
    label
        Name and area under the curve, in words.
    false_positive_rate, sensitivity
        Shape (points,), from (0, 0) to (1, 1).
    marks
        Places (false positive rate, sensitivity) of cut-offs, with their words; the first is the best, others are
        published ones.
    """

    label: str
    false_positive_rate: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    marks: Sequence[tuple[float, float, str]]


@dataclass(frozen=True, eq=False)
class PatientPoints:
    """A point for each patient, shape (n,) each; sides are 1 for left strokes, -1 for right ones, 0 for neither."""

    nihss: NDArray[np.int64]
    aspects: NDArray[np.int64]
    volume_ml: NDArray[np.float64]
    side: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RegionBars:
    """How often each region is affected in two groups.

    Parameters
    ----------
    codes
        Of the regions.
    shares
        Share with the ends of its interval, 0 to 1, shape (2 groups, regions, 3).
    starred
        Regions in which the groups differ, bool, shape (regions,).
    star
        What a star means.
    """

    codes: Sequence[str]
    shares: NDArray[np.float64]
    starred: NDArray[np.bool_]
    star: str


@dataclass(frozen=True)
class VolumeBand:
    """Core volume of left and right strokes of like NIHSS: number, median and quartiles in mL, None for nobody."""

    label: str
    left: tuple[int, float, float, float] | None
    right: tuple[int, float, float, float] | None


@dataclass(frozen=True, eq=False)
class SeverityFigures:
    """Everything that is drawn.

    Parameters
    ----------
    cohort
        Who, and how many, in words.
    nihss
        From which a stroke is moderate to severe.
    group_names
        Of mild and moderate-severe strokes, with their numbers.
    roc
        Curves.
    points
        Patients.
    correlations
        Words for ASPECTS with NIHSS, core volume with NIHSS, and ASPECTS with core volume.
    cutoffs
        ASPECTS and core volume in mL at which strokes are told apart best here.
    bars
        Regions.
    bands
        The two sides.
    """

    cohort: str
    nihss: int
    group_names: tuple[str, str]
    roc: Sequence[RocLine]
    points: PatientPoints
    correlations: tuple[str, str, str]
    cutoffs: tuple[float, float]
    bars: RegionBars
    bands: Sequence[VolumeBand]


_Panel = Callable[["Axes", SeverityFigures], None]


def severity_pngs(figures: SeverityFigures) -> dict[str, bytes]:
    """Draw all pictures: one file a subject, and all of them together.

    Returns
    -------
    dict
        PNG files by name; same figures, same bytes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    files = {name: _png(panels, figures, len(panels)) for name, panels in _FILES.items()}
    every_panel = [panel for panels in _FILES.values() for panel in panels]
    return {**files, OVERVIEW_FILE: _png(every_panel, figures, _OVERVIEW_COLUMNS)}


def _png(panels: Sequence[_Panel], figures: SeverityFigures, columns: int) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(panels) // columns)
    width = columns * _PANEL_INCHES[0]
    foot = wrap(f"{figures.cohort}. {RESEARCH_ONLY}", int(width * _FOOT_CHARACTERS))
    foot_inches = (len(foot) + 1) * _FOOT_LINE_INCHES
    height = rows * _PANEL_INCHES[1] + foot_inches
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white", layout="constrained")
    pads = {"w_pad": _PADDING_INCHES, "h_pad": _PADDING_INCHES}
    bottom = foot_inches / height
    figure.get_layout_engine().set(rect=(0, bottom, 1, 1 - bottom), **pads)
    FigureCanvasAgg(figure)
    for number, panel in enumerate(panels):
        axis = figure.add_subplot(rows, columns, number + 1)
        axis.spines[["top", "right"]].set_visible(False)
        panel(axis, figures)
    place = (_PADDING_INCHES / width, _PADDING_INCHES / height)
    figure.text(*place, "\n".join(foot), fontsize=7.5, color=_FAINT)
    buffer = BytesIO()
    # No software name or date in the file: same figures, same bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _draw_roc(axis: Axes, figures: SeverityFigures) -> None:
    axis.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle=":")
    for line, colour, style in zip(figures.roc, _GROUP_COLOURS, _LINE_STYLES, strict=True):
        axis.plot(
            line.false_positive_rate,
            line.sensitivity,
            color=colour,
            linestyle=style,
            label=line.label,
        )
        for number, (x, y, words) in enumerate(line.marks):
            look = _PUBLISHED_LOOK if number else _BEST_LOOK
            axis.plot(x, y, color=colour, linestyle="none", label=words, **look)
    axis.set_aspect("equal")
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axis.set(xlabel="1 − specificity", ylabel="sensitivity")
    axis.set_title(f"Mild against moderate–severe (NIHSS ≥ {figures.nihss})", fontsize=10)
    axis.legend(fontsize=7, loc="lower right", frameon=False)


def _draw_aspects(axis: Axes, figures: SeverityFigures) -> None:
    points = figures.points
    for sign, name, colour, marker in _ANY_SIDE:
        chosen = points.side == sign
        x = points.aspects[chosen] - sign * _APART
        look = (f"{name}, n = {len(x)}", colour, marker)
        _scatter(axis, x, points.nihss[chosen], look, (_JITTER, 2 * _JITTER))
    _mark_threshold(axis, figures.nihss)
    _mark_cutoff(axis.axvline, figures.cutoffs[0] + 0.5, f"best cut-off ≤ {figures.cutoffs[0]:.0f}")
    axis.set_xticks(range(11))
    axis.set(xlabel="ASPECTS", ylabel="NIHSS", ylim=(-1, _MAX_NIHSS + 1))
    axis.set_title(figures.correlations[0], fontsize=10)
    axis.legend(fontsize=7, loc="upper right", frameon=False)


def _draw_volume(axis: Axes, figures: SeverityFigures) -> None:
    points = figures.points
    for sign, name, colour, marker in _ANY_SIDE:
        chosen = points.side == sign
        x, y = points.volume_ml[chosen], points.nihss[chosen]
        look = (f"{name}, n = {len(x)}", colour, marker)
        _scatter(axis, x, y, look, (0.0, 2 * _JITTER))
    _mark_threshold(axis, figures.nihss)
    _mark_cutoff(axis.axvline, figures.cutoffs[1], f"best cut-off ≥ {figures.cutoffs[1]:.4g} mL")
    axis.set_xscale("symlog", linthresh=_LINEAR_ML)
    _volume_ticks(axis.xaxis, axis.set_xlim, points.volume_ml)
    axis.set(xlabel="core volume (mL)", ylabel="NIHSS", ylim=(-1, _MAX_NIHSS + 1))
    axis.set_title(figures.correlations[1], fontsize=10)
    axis.legend(fontsize=7, loc="upper left", frameon=False)


def _draw_regions(axis: Axes, figures: SeverityFigures) -> None:
    bars = figures.bars
    places = np.arange(len(bars.codes))
    for number, shares in enumerate(100 * bars.shares):
        value, low, high = shares.T
        axis.bar(
            places + (number - 0.5) * 0.4,
            value,
            0.38,
            yerr=np.abs([value - low, high - value]),
            color=_GROUP_COLOURS[number],
            hatch=("", "///")[number],
            edgecolor="white",
            linewidth=0.0,
            label=figures.group_names[number],
            error_kw={"elinewidth": 0.9, "capsize": 2, "ecolor": _DARK},
        )
    top = 100 * bars.shares[..., 2].max(axis=0)
    for place in np.flatnonzero(bars.starred):
        axis.text(place, top[place] + 1, "*", ha="center", fontsize=11)
    axis.set_xticks(places, bars.codes)
    axis.set(xlabel="region of the affected side", ylabel="patients who lose the point (%)")
    axis.set_ylim(0, max(1.25 * float(top.max()), 1.0))
    axis.set_title(f"Regions affected; * {bars.star}", fontsize=10)
    axis.legend(fontsize=7, loc="upper right", frameon=False)


def _draw_score_and_volume(axis: Axes, figures: SeverityFigures) -> None:
    points = figures.points
    severe = points.nihss >= figures.nihss
    for number, chosen in enumerate((~severe, severe)):
        x = points.aspects[chosen] + (2 * number - 1) * _APART
        look = (figures.group_names[number], _GROUP_COLOURS[number], _GROUP_MARKERS[number])
        _scatter(axis, x, points.volume_ml[chosen], look, (_JITTER, 0.0))
    _mark_cutoff(axis.axvline, figures.cutoffs[0] + 0.5, "best cut-offs")
    _mark_cutoff(axis.axhline, figures.cutoffs[1])
    axis.set_yscale("symlog", linthresh=_LINEAR_ML)
    _volume_ticks(axis.yaxis, axis.set_ylim, points.volume_ml)
    axis.set_xticks(range(11))
    axis.set(xlabel="ASPECTS", ylabel="core volume (mL)")
    axis.set_title(figures.correlations[2], fontsize=10)
    axis.legend(fontsize=7, loc="lower left", frameon=False)


def _draw_sides(axis: Axes, figures: SeverityFigures) -> None:
    places = np.arange(len(figures.bands))
    for sign, name, colour, marker in _SIDES:
        bands = [band.left if sign > 0 else band.right for band in figures.bands]
        there = np.array([band is not None for band in bands])
        if not there.any():
            continue
        counts, median, low, high = np.array([band for band in bands if band], float).T
        x = places[there] - sign * _APART
        style = {"color": colour, "marker": marker, "linestyle": "none", "capsize": 3}
        axis.errorbar(x, median, yerr=[median - low, high - median], label=name, **style)
        for place, count, top in zip(x, counts, high, strict=True):
            axis.annotate(
                f"{count:.0f}",
                (place, top),
                (0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=colour,
            )
    axis.set_xticks(places, [band.label for band in figures.bands])
    axis.set(xlabel="NIHSS", ylabel="core volume (mL)")
    axis.set_ylim(bottom=0)
    axis.margins(y=0.12)
    axis.set_title("Volume by side at like NIHSS: median, quartiles, n", fontsize=10)
    axis.legend(fontsize=7, loc="upper left", frameon=False)


_FILES: Mapping[str, tuple[_Panel, ...]] = {
    "roc.png": (_draw_roc,),
    "nihss.png": (_draw_aspects, _draw_volume),
    "regions.png": (_draw_regions,),
    "aspects-volume.png": (_draw_score_and_volume,),
    "sides.png": (_draw_sides,),
}


def _scatter(
    axis: Axes,
    x: NDArray,
    y: NDArray,
    look: tuple[str, str, str],
    jitter: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Draw open markers, moved a little at random within whole numbers; always by the same numbers."""
    if not len(x):
        return
    label, colour, marker = look
    moved = np.random.default_rng(0).uniform(-1, 1, (2, len(x))) * np.array(jitter)[:, None]
    axis.plot(
        x + moved[0],
        y + moved[1],
        marker=marker,
        markersize=3.6,
        markerfacecolor="none",
        markeredgewidth=0.8,
        linestyle="none",
        color=colour,
        alpha=0.75,
        label=label,
    )


def _mark_threshold(axis: Axes, nihss: int) -> None:
    style = {"color": _GREY, "linewidth": 0.8, "linestyle": ":"}
    axis.axhline(nihss - 0.5, label=f"NIHSS ≥ {nihss}", **style)


def _mark_cutoff(draw_line: Callable[..., object], place: float, label: str | None = None) -> None:
    draw_line(place, color=_DARK, linewidth=0.8, linestyle="--", label=label)


def _volume_ticks(axis, set_limits: Callable[..., object], volume_ml: NDArray) -> None:
    from matplotlib.ticker import NullLocator

    lowest, highest = float(volume_ml.min()) * 0.8, float(volume_ml.max()) * 1.25
    set_limits(lowest if lowest > 0 else -0.1, highest)
    shown = [tick for tick in _VOLUME_TICKS_ML if lowest <= tick <= highest]
    axis.set_ticks(shown, [str(tick) for tick in shown])
    axis.set_minor_locator(NullLocator())
