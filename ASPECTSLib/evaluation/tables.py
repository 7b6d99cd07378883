"""Tables of an evaluation: cells with their intervals, as CSV, as JSON and as HTML."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.io.tables import csv_text
from ASPECTSLib.statistics.estimates import Estimate
from ASPECTSLib.statistics.proportions import Proportion

DECIMALS = 3


@dataclass(frozen=True)
class Undefined:
    """Why there is no figure."""

    reason: str


@dataclass(frozen=True)
class PValue:
    """Of a test."""

    value: float


Cell = str | int | float | Estimate | Proportion | PValue | Undefined | None
"""None is an empty cell."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table of a report.

    Parameters
    ----------
    name
        Of its file.
    title
        For a person.
    note
        How it is to be read, and what it repeats.
    columns
        Their names; the first one names the rows.
    rows
        A cell for each column.
    """

    name: str
    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]] = field(default_factory=tuple)

    def to_csv(self) -> str:
        """Return the table with columns of their own for the ends of intervals and for n."""
        spread = [any(_has_interval(row[n]) for row in self.rows) for n in range(len(self.columns))]
        header: list[str] = []
        for name, is_spread in zip(self.columns, spread, strict=True):
            header += [name, f"{name} low", f"{name} high", f"{name} n"] if is_spread else [name]
        lines = (
            [
                text
                for cell, is_spread in zip(row, spread, strict=True)
                for text in (_spread(cell) if is_spread else [_plain(cell)])
            ]
            for row in self.rows
        )
        return csv_text(header, lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the table as JSON can hold it: a mapping for each row."""
        rows = [dict(zip(self.columns, map(_json, row), strict=True)) for row in self.rows]
        return {"name": self.name, "title": self.title, "note": self.note, "rows": rows}

    def to_html(self) -> str:
        """Return the table as it stands in the report."""
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(f"<tr>{''.join(map(_html, row))}</tr>\n" for row in self.rows)
        return (
            f'<section id="{html.escape(self.name)}"><h2>{html.escape(self.title)}</h2>\n'
            f"<p>{html.escape(self.note)}</p>\n"
            f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></section>\n"
        )


def attempt(measure: Callable[[], Cell]) -> Cell:
    """Return a figure, or why these data give none."""
    try:
        return measure()
    except InputRefusedError as error:
        return Undefined(error.message)


def _has_interval(cell: Cell) -> bool:
    return isinstance(cell, (Estimate, Proportion))


def _spread(cell: Cell) -> list[str]:
    if isinstance(cell, (Estimate, Proportion)):
        return [*(_digits(value) for value in (cell.value, cell.low, cell.high)), str(cell.n)]
    return [_plain(cell), "", "", ""]


def _plain(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case Undefined():
            return f"not defined: {cell.reason}"
        case PValue():
            return f"{cell.value:.3g}"
        case float():
            return _digits(cell)
        case _:
            return str(cell)


def _json(cell: Cell) -> Any:
    match cell:
        case Estimate() | Proportion():
            return {"value": cell.value, "low": cell.low, "high": cell.high, "n": cell.n}
        case Undefined():
            return {"undefined": cell.reason}
        case PValue():
            return cell.value
        case _:
            return cell


def _html(cell: Cell) -> str:
    match cell:
        case Estimate() | Proportion():
            interval = f"{_digits(cell.low)} to {_digits(cell.high)}"
            shown = f"{_digits(cell.value)} <small>({interval}), n = {cell.n}</small>"
            return f'<td class="n">{shown}</td>'
        case Undefined():
            return f'<td class="n" title="{html.escape(cell.reason)}">not defined</td>'
        case PValue():
            shown = "&lt; 0.001" if cell.value < 0.001 else f"{cell.value:.3f}"
            return f'<td class="n">{shown}</td>'
        case str():
            return f"<td>{html.escape(cell)}</td>"
        case None:
            return "<td></td>"
        case _:
            return f'<td class="n">{html.escape(_plain(cell))}</td>'


def _digits(value: float) -> str:
    rounded = round(value, DECIMALS) + 0.0  # no -0.0
    return f"{rounded:.{DECIMALS}f}"
