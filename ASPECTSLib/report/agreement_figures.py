"""Pictures of how two readers' scores agree, and how probabilities part the affected regions from the others.

matplotlib is imported on use, as in `ASPECTSLib.report.figure`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _VERMILION, _GREY, _DARK = "#0072b2", "#d55e00", "0.6", "0.15"
_COLOURS = (_BLUE, _VERMILION, "#009e73", "#cc79a7")  # Okabe & Ito 2008
_STYLES = ("-", "--", "-.", ":")
_INCHES = (5.2, 4.6)
_DPI = 130
_SCORES = np.arange(11)
_DEVIATIONS = 1.96
_LARGEST_DOT = 420.0  # points², for the commonest pair of scores
_LEAST_DOT = 24.0


def box_png(truth: NDArray, said: NDArray, names: tuple[str, str]) -> bytes:
    """Draw the scores of one reader over those of another: boxes of quartiles, whiskers from least to most.

    Parameters
    ----------
    truth, said
        Scores of the same cases, whole, 0 to 10, shape (n,).
    names
        Of the two readers.

    Returns
    -------
    bytes
        PNG, as of all pictures here.

    Raises
    ------
    ImportError
        If matplotlib is not installed, as all pictures here.
    """
    figure, axes = _figure()
    levels = [score for score in _SCORES if (truth == score).any()]
    axes.plot(_SCORES, _SCORES, color=_GREY, linewidth=1, zorder=0)
    axes.boxplot(
        [said[truth == score] for score in levels],
        positions=levels,
        widths=0.6,
        whis=(0, 100),
        medianprops={"color": _VERMILION, "linewidth": 2},
    )
    for score in levels:
        axes.annotate(
            f"{int((truth == score).sum())}", (score, 10.6), ha="center", fontsize=7, color=_DARK
        )
    _score_axes(axes, names)
    axes.set_title("Scores (number of cases above)", fontsize=10)
    return _png(figure)


def confusion_png(truth: NDArray, said: NDArray, names: tuple[str, str]) -> bytes:
    """Draw how many cases have each pair of scores; parameters as of `box_png`."""
    figure, axes = _figure()
    counts = np.zeros((11, 11), int)
    np.add.at(counts, (said.astype(int), truth.astype(int)), 1)
    axes.imshow(counts, origin="lower", cmap="Blues", vmin=0)
    for row, column in np.argwhere(counts > 0):
        is_dark = counts[row, column] > counts.max() / 2
        axes.text(
            column,
            row,
            f"{counts[row, column]}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if is_dark else _DARK,
        )
    _score_axes(axes, names)
    axes.set_title("Cases with each pair of scores", fontsize=10)
    return _png(figure)


def bland_altman_png(truth: NDArray, said: NDArray, names: tuple[str, str], unit: str) -> bytes:
    """Draw the differences of two measurements over their means, with bias and limits of agreement.

    Parameters
    ----------
    truth, said
        Of the same cases, shape (n,), at least two.
    names
        Of the two readers; differences are the second's less the first's.
    unit
        Of both.
    """
    figure, axes = _figure()
    means, differences = (truth + said) / 2, said - truth
    places, counts = np.unique(np.stack([means, differences], axis=1), axis=0, return_counts=True)
    sizes = np.maximum(_LARGEST_DOT * counts / counts.max(), _LEAST_DOT)
    axes.scatter(*places.T, s=sizes if counts.max() > 1 else _LEAST_DOT, color=_BLUE, alpha=0.45)
    bias, deviation = differences.mean(), differences.std(ddof=1)
    for value, style in (
        (bias, "-"),
        *((bias + s * deviation, "--") for s in (-_DEVIATIONS, _DEVIATIONS)),
    ):
        axes.axhline(value, color=_VERMILION, linestyle=style, linewidth=1.2)
        axes.annotate(
            f"{value:.2f}",
            (0.995, value),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=8,
        )
    axes.axhline(0, color=_GREY, linewidth=0.8, zorder=0)
    axes.set_xlabel(f"mean of both ({unit})")
    axes.set_ylabel(f"{names[1]} less {names[0]} ({unit})")
    axes.set_title("Bias and limits of agreement; larger dots are more cases", fontsize=10)
    return _png(figure)


def difference_png(truth: NDArray, said: NDArray, names: tuple[str, str]) -> bytes:
    """Draw how many cases have each difference of the scores; parameters as of `box_png`."""
    figure, axes = _figure()
    differences = (said - truth).astype(int)
    reach = max(int(np.abs(differences).max(initial=0)), 3)
    values = np.arange(-reach, reach + 1)
    counts = [int((differences == value).sum()) for value in values]
    colours = [_BLUE if abs(value) <= 2 else _VERMILION for value in values]
    bars = axes.bar(values, counts, color=colours)
    axes.bar_label(bars, labels=[str(n) if n else "" for n in counts], fontsize=8)
    axes.set_xticks(values)
    axes.set_xlabel(f"{names[1]} less {names[0]} (points)")
    axes.set_ylabel("cases")
    axes.set_title("Differences of the scores; blue: within two points", fontsize=10)
    return _png(figure)


def roc_png(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> bytes:
    """Draw ROC curves.

    Parameters
    ----------
    curves
        False positive rates and sensitivities, from (0, 0) to (1, 1), by what stands in the legend; four at most.
    """
    figure, axes = _figure()
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1)
    for (label, (rates, sensitivities)), colour, style in zip(
        curves.items(), _COLOURS, _STYLES, strict=False
    ):
        axes.plot(rates, sensitivities, style, color=colour, label=label, linewidth=1.8)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.set_xlabel("1 − specificity")
    axes.set_ylabel("sensitivity")
    axes.legend(loc="lower right", fontsize=8, frameon=False)
    axes.set_title("Affected regions by their probability", fontsize=10)
    return _png(figure)


def _figure() -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(_INCHES, _DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _score_axes(axes: Axes, names: tuple[str, str]) -> None:
    axes.set_xticks(_SCORES, [str(score) for score in _SCORES])
    axes.set_yticks(_SCORES, [str(score) for score in _SCORES])
    axes.set_xlim(-0.6, 10.6)
    axes.set_ylim(-0.6, 11.1)
    axes.set_xlabel(f"ASPECTS, {names[0]}")
    axes.set_ylabel(f"ASPECTS, {names[1]}")


def _png(figure: Figure) -> bytes:
    stream = BytesIO()
    # Neither date nor version: same numbers, same bytes.
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
