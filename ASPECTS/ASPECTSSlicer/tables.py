"""The regions of a result as a table of the scene: a row a region, right beside left."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import slicer
import vtk

from ASPECTSLib.atlas.regions import RegionCode, Side
from ASPECTSLib.report.result import RegionInfo, StudyResult
from ASPECTSLib.report.wording import call_words

_Value = str | float | None

# What both sides have, in words, so that the table explains itself in a data frame.
_SIDE_COLUMNS: tuple[tuple[str, Callable[[RegionInfo], _Value]], ...] = (
    ("call", lambda info: call_words(info.final_call)),
    ("automatic call", lambda info: call_words(info.affected)),
    ("probability", lambda info: info.probability),
    ("unsure", lambda info: "yes" if info.unsure else "no"),
    ("median", lambda info: info.median),
    ("volume mL", lambda info: info.volume_ml),
    ("infarct fraction", lambda info: info.infarct_fraction),
    ("evidence", lambda info: info.evidence),
    ("changed by", lambda info: info.override.by if info.override else ""),
    ("changed at", lambda info: info.override.when if info.override else ""),
    ("reason", lambda info: info.override.reason if info.override else ""),
)
_NUMBERS = frozenset({"probability", "median", "volume mL", "infarct fraction"})


def fillTable(tableNode: slicer.vtkMRMLTableNode, study: StudyResult) -> None:
    """Replace what a table holds by the regions of a result.

    Ten rows in the order C, L, IC, I, M1 to M6, and a column a side for each value. "call" is the
    one that counts, a person's where there is one. Numbers that there are not are NaN, texts empty.

    Parameters
    ----------
    tableNode
        The table; a row or column that a user added is lost.
    study
        The result.
    """
    infoOf = {(info.region, info.side): info for info in study.regions}
    codes = [code.value for code in RegionCode]
    modified = tableNode.StartModify()
    tableNode.RemoveAllColumns()
    tableNode.AddColumn(_column("Region", codes))
    for title, valueOf in _SIDE_COLUMNS:
        for side in Side:
            values = [valueOf(infoOf[code, side.value]) for code in codes]
            tableNode.AddColumn(_column(f"{side.value.capitalize()} {title}", values, title))
    tableNode.SetUseColumnTitleAsColumnHeader(True)
    tableNode.SetLocked(True)  # the result is the truth; typing into its table would change nothing
    tableNode.EndModify(modified)


def _column(name: str, values: Sequence[_Value], title: str = "") -> vtk.vtkAbstractArray:
    isNumber = title in _NUMBERS
    column = vtk.vtkDoubleArray() if isNumber else vtk.vtkStringArray()
    column.SetName(name)
    for value in values:
        column.InsertNextValue(math.nan if value is None else value)
    return column
