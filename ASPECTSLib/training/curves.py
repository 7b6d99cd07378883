"""The picture of a run: loss, Dice and learning rate by step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.training.log import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES_FILE = "curves.png"
WITHOUT_MATPLOTLIB = "matplotlib is not installed: there is no picture of the learning curves"

_SIZE_INCHES = (10.0, 9.0)
_DPI = 100
_SMOOTHED_PART = 50  # the mean goes over a fiftieth of the run


def draw_curves(series: Series, path: Path) -> tuple[str, ...]:
    """Draw the learning curves into a PNG.

    Parameters
    ----------
    series
        As `read_log` returns it.
    path
        The file; an older one is replaced.

    Returns
    -------
    tuple of str
        Notes for a person: empty, or that there is no matplotlib and so no picture.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return (WITHOUT_MATPLOTLIB,)
    figure = Figure(_SIZE_INCHES, _DPI, layout="constrained")
    FigureCanvasAgg(figure)
    loss, dice, rate = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1))
    _draw_losses(loss, series)
    _draw_dice(dice, series)
    rate.plot(*_columns(series, "learning_rate"), color="black", linewidth=1)
    rate.set(ylabel="learning rate", xlabel="step")
    figure.savefig(path)
    return ()


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the running mean over a fiftieth of the values up to each one."""
    span = max(len(values) // _SMOOTHED_PART, 1)
    sums = np.cumsum(np.concatenate(([0.0], values)))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - span, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def _draw_losses(axes: Axes, series: Series) -> None:
    steps, values = _columns(series, "loss/training")
    axes.plot(steps, values, color="0.8", linewidth=0.5)
    axes.plot(steps, smoothed(values), color="C0", label="training, running mean")
    axes.plot(*_columns(series, "loss/validation"), "o-", color="C1", label="validation")
    axes.set(ylabel="loss")
    axes.legend()


def _draw_dice(axes: Axes, series: Series) -> None:
    for name in series:
        if name.startswith("dice/") and name != "dice/mean":
            axes.plot(*_columns(series, name), color="0.7", linewidth=0.7)
    axes.plot(*_columns(series, "dice/mean"), "o-", color="C1", label="mean of the classes")
    axes.set(ylabel="Dice of the validation", ylim=(0.0, 1.0))
    axes.legend()


def _columns(series: Series, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    table = np.array(series.get(name, []), float).reshape(-1, 2)
    return table[:, 0], table[:, 1]
