"""The files of an evaluation: figures as JSON, cases and cross-table as CSV, and the table for a person."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ASPECTSLib import __version__
from ASPECTSLib.atlas.regions import RegionCode
from ASPECTSLib.atlases.evaluation import Evaluation, Pair, Refusal
from ASPECTSLib.io.tables import csv_text
from ASPECTSLib.statistics.estimates import LEVEL, Estimate

SCHEMA_VERSION = 1
EVALUATION_FILE = "evaluation.json"
CASES_FILE = "cases.csv"
CROSS_TABLE_FILE = "cross_table.csv"

MEASURES = (
    "dice",
    "hausdorff95_mm",
    "volume_error_ml",
    "volume_error",
    "absolute_volume_error",
)
"""As `RegionMeasure` names them."""

_CONVENTIONS = {
    "dice": "of each side, averaged over both sides and then over cases; regions that both lack are left out",
    "hausdorff95_mm": "95th percentile of the distance between the outermost voxels, the larger of both directions; "
    "not defined where one lacks the region",
    "volume_error": "the first reader's volume less the second's, as a share of the second's",
    "intervals": "percentiles of the bootstrap over cases",
    "advantage": "Dice of the atlas with the raters less that of the raters with each other, over the cases that all "
    "have read",
}
_SIGNIFICANT_DIGITS = 6
_MEAN = "mean"
_NO_FIGURE = "-"


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write all files of an evaluation into a folder."""
    files = {
        EVALUATION_FILE: json.dumps(evaluation_record(evaluation), indent=1) + "\n",
        CASES_FILE: cases_csv(evaluation),
        CROSS_TABLE_FILE: cross_table_csv(evaluation),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def evaluation_record(evaluation: Evaluation) -> dict[str, Any]:
    """Return all figures as plain values."""
    bootstrap = evaluation.options.bootstrap
    return {
        "schema_version": SCHEMA_VERSION,
        "versions": {"aspects": __version__, "numpy": np.__version__},
        "readers": list(evaluation.readers),
        "options": {
            "drawn_slices": evaluation.options.drawn_slices,
            "resamples": bootstrap.resamples,
            "seed": bootstrap.seed,
        },
        "conventions": _CONVENTIONS,
        "interval_level": LEVEL,
        "pairs": [_pair_record(evaluation, pair) for pair in evaluation.pairs],
        "advantage": {
            name: _estimate(evaluation.advantage(code)) for name, code in _columns().items()
        },
        "refused": [
            {"case": r.case, "readers": list(r.readers), "code": r.code, "message": r.message}
            for r in evaluation.refusals
        ],
    }


def cases_csv(evaluation: Evaluation) -> str:
    """Return a row for each pair of readers, case, side and region."""
    header = ("first", "second", "case", "side", "region", *MEASURES, "first_ml", "second_ml")
    rows = (
        (
            *(*pair, case, m.region.side.value, m.region.code.value),
            *(_cell(getattr(m, name)) for name in (*MEASURES, "first_ml", "second_ml")),
        )
        for pair in evaluation.pairs
        for case, measures in evaluation.measures[pair].items()
        for m in measures
    )
    return csv_text(header, rows)


def cross_table_csv(evaluation: Evaluation) -> str:
    """Return a row for each pair of readers and measure, and a column for each region."""
    columns = _columns()
    header = ("first", "second", "cases", "measure", *columns)
    rows = (
        (
            *(*pair, len(evaluation.measures[pair]), name),
            *(_cell(_value(evaluation.estimate(pair, name, code))) for code in columns.values()),
        )
        for pair in evaluation.pairs
        for name in MEASURES
    )
    return csv_text(header, rows)


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """Return the cross-table of the Dice, as the paper prints it, with the other measures' means, in lines of words."""
    columns = _columns()
    names = {pair: f"{pair[0]}-{pair[1]}" for pair in evaluation.pairs}
    width = max(len(name) for name in (*names.values(), "Dice", "raters with each other"))
    lines = [f"{'Dice':<{width}}  " + " ".join(f"{name:>5}" for name in columns) + "  n"]
    for pair, name in names.items():
        cells = [_value(evaluation.estimate(pair, "dice", code)) for code in columns.values()]
        lines.append(f"{name:<{width}}  {_row(cells)}  {len(evaluation.measures[pair])}")
    lines += _group_lines(evaluation, width)
    lines += [_pair_line(evaluation, pair, names[pair], width) for pair in evaluation.pairs]
    advantage = evaluation.advantage()
    if advantage is not None:
        lines.append(f"Dice of atlas with raters less raters with each other: {_words(advantage)}")
    return lines + _refusal_lines(evaluation.refusals)


def _refusal_lines(refusals: Sequence[Refusal]) -> list[str]:
    """Return why cases were left out, a line for all that were for one reason."""
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for refusal in refusals:
        reason = ", ".join(refusal.readers), refusal.message, str(refusal.code)
        reasons.setdefault(reason, []).append(refusal.case)
    lines = []
    for (readers, message, code), cases in reasons.items():
        others = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
        lines.append(f"! {cases[0]}{others} ({readers}): {message} [{code}]")
    return lines


def _columns() -> dict[str, RegionCode | None]:
    """Return the columns of the tables: the ten regions, and the mean of all."""
    return {**{code.value: code for code in RegionCode}, _MEAN: None}


def _group_lines(evaluation: Evaluation, width: int) -> list[str]:
    """Return the means over the pairs with the atlas and over those of raters, where there are several raters."""
    atlas = evaluation.readers[0]
    groups = {
        "atlas with raters": [pair for pair in evaluation.pairs if atlas in pair],
        "raters with each other": [pair for pair in evaluation.pairs if atlas not in pair],
    }
    if not groups["raters with each other"]:
        return []
    lines = []
    for name, pairs in groups.items():
        cells = []
        for code in _columns().values():
            values = [_value(evaluation.estimate(pair, "dice", code)) for pair in pairs]
            defined = [value for value in values if math.isfinite(value)]
            cells.append(float(np.mean(defined)) if defined else math.nan)
        lines.append(f"{name:<{width}}  {_row(cells)}")
    return lines


def _pair_line(evaluation: Evaluation, pair: Pair, name: str, width: int) -> str:
    dice = evaluation.estimate(pair, "dice")
    distance = evaluation.estimate(pair, "hausdorff95_mm")
    volume = evaluation.estimate(pair, "volume_error")
    size = evaluation.estimate(pair, "absolute_volume_error")
    if dice is None:
        return f"{name:<{width}}  no case could be compared"
    return (
        f"{name:<{width}}  Dice {_words(dice)}, "
        f"Hausdorff 95 {_NO_FIGURE if distance is None else _words(distance, '.1f')} mm, volume error "
        f"{_NO_FIGURE if volume is None else _words(volume, '+.1%')}, its size "
        f"{_NO_FIGURE if size is None else _words(size, '.1%')}"
    )


def _row(cells: Sequence[float]) -> str:
    return " ".join(f"{_NO_FIGURE:>5}" if math.isnan(cell) else f"{cell:.3f}" for cell in cells)


def _words(estimate: Estimate, form: str = ".3f") -> str:
    low, high = format(estimate.low, form), format(estimate.high, form)
    return f"{estimate.value:{form}} ({low} to {high})"


def _pair_record(evaluation: Evaluation, pair: Pair) -> dict[str, Any]:
    return {
        "first": pair[0],
        "second": pair[1],
        "cases": len(evaluation.measures[pair]),
        **{
            measure: {
                name: _estimate(evaluation.estimate(pair, measure, code))
                for name, code in _columns().items()
            }
            for measure in MEASURES
        },
    }


def _estimate(estimate: Estimate | None) -> dict[str, float | int] | None:
    if estimate is None:
        return None
    ends = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: _rounded(value) for name, value in ends.items()} | {"n": estimate.n}


def _value(estimate: Estimate | None) -> float:
    return math.nan if estimate is None else estimate.value


def _cell(value: float) -> str:
    """Return a number to six digits; an empty cell for one that is not defined."""
    return "" if math.isnan(value) else f"{value:.{_SIGNIFICANT_DIGITS}g}"


def _rounded(value: float) -> float:
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
