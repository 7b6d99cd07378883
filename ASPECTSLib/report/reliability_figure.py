"""The reliability diagram: probabilities that were said beside the shares that are true.

matplotlib is imported on use, as in `ASPECTSLib.report.figure`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe & Ito 2008
_MARKERS = ("o", "^", "s", "D")
_SIZE_INCHES = (5.6, 6.4)
_DPI = 150


@dataclass(frozen=True)
class ReliabilityPoint:
    """Cases of like probability.

    Parameters
    ----------
    predicted
        Mean of their probabilities.
    observed, low, high
        Share that is true, and the ends of its interval.
    n
        How many they are.
    """

    predicted: float
    observed: float
    low: float
    high: float
    n: int


def reliability_png(said: Mapping[str, Sequence[ReliabilityPoint]]) -> bytes:
    """Draw a reliability diagram, with the numbers of cases below.

    Parameters
    ----------
    said
        Points from low to high probabilities, by the name of who said them; four at most.

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(_SIZE_INCHES, _DPI, layout="constrained")
    FigureCanvasAgg(figure)
    shares, numbers = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    shares.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="right probabilities")
    for (name, points), colour, marker in zip(said.items(), _COLOURS, _MARKERS, strict=False):
        predicted = [point.predicted for point in points]
        errors = [
            [max(point.observed - point.low, 0.0) for point in points],
            [max(point.high - point.observed, 0.0) for point in points],
        ]
        look = {"color": colour, "marker": marker, "label": name, "linewidth": 1}
        shares.errorbar(predicted, [p.observed for p in points], errors, capsize=2, **look)
        numbers.plot(predicted, [point.n for point in points], **look)
    shares.set(ylabel="share truly affected", xlim=(0, 1), ylim=(0, 1))
    shares.legend(loc="upper left")
    numbers.set(xlabel="probability of being affected", ylabel="regions", yscale="log")
    picture = BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
