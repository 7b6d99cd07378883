"""Cohorts in the scene, for the Python console: tables as table nodes, agreement as plot charts.

from ASPECTSSlicer.cohorts import addCohort, addEvaluation
addCohort(slicer.mrmlScene, cohort)          # of ASPECTSLib.score_cohort
addEvaluation(slicer.mrmlScene, evaluation)  # of ASPECTSLib.evaluate_cohort
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from ASPECTSLib.batch.run import ScoredCohort
from ASPECTSLib.batch.tables import cases_csv, regions_csv
from ASPECTSLib.evaluation.readings import Reader
from ASPECTSLib.evaluation.run import Evaluation
from ASPECTSLib.statistics.bland_altman import limits_of_agreement
from ASPECTSLib.statistics.pairs import complete

_NOT_DEFINED = "not defined"
_FEWEST = 2  # cases of which differences have a spread
_POINT_COLOUR, _LINE_COLOUR = (0.0, 0.447, 0.698), (0.835, 0.369, 0.0)  # Okabe & Ito 2008
_MARKER_SIZE, _LINE_WIDTH = 9.0, 2.0


def addCohort(scene: slicer.vtkMRMLScene, cohort: ScoredCohort) -> list[slicer.vtkMRMLTableNode]:
    """Add the table of the cases, and that of their regions, to a scene."""
    texts = {
        "ASPECTS cases": cases_csv(cohort.records),
        "ASPECTS regions": regions_csv(cohort.records),
    }
    return [addTable(scene, name, text) for name, text in texts.items()]


def addEvaluation(
    scene: slicer.vtkMRMLScene, evaluation: Evaluation
) -> tuple[list[slicer.vtkMRMLTableNode], list[slicer.vtkMRMLPlotChartNode]]:
    """Add the tables of an evaluation to a scene, and for each program two charts of the scores.

    Returns
    -------
    tuple
        The table nodes, and the plot charts: scores over those of the reference, and differences over means with bias
        and limits of agreement. Where fewer than two cases have both scores there is no chart.
    """
    tables = [addTable(scene, table.title, table.to_csv()) for table in evaluation.tables]
    charts = []
    compared = evaluation.compared
    for program in compared.programs:
        true, said = complete(
            compared.reference.scores(compared.cases), program.scores(compared.cases)
        )
        if len(true) >= _FEWEST:
            charts.append(_scoreChart(scene, compared.reference, program, true, said))
            charts.append(_differenceChart(scene, compared.reference, program, true, said))
    return tables, charts


def addTable(scene: slicer.vtkMRMLScene, name: str, text: str) -> slicer.vtkMRMLTableNode:
    """Add a table to a scene: columns of numbers as numbers, NaN where there is none, others as text.

    Parameters
    ----------
    scene
        Gets the node.
    name
        Of the node.
    text
        CSV with a header.
    """
    header, *rows = csv.reader(text.splitlines())
    columns = {title: [row[n] for row in rows] for n, title in enumerate(header)}
    values = {title: _numbers(cells) or cells for title, cells in columns.items()}
    return _tableNode(scene, name, values)


def _tableNode(
    scene: slicer.vtkMRMLScene, name: str, columns: Mapping[str, Sequence[str] | Sequence[float]]
) -> slicer.vtkMRMLTableNode:
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    for title, cells in columns.items():
        isText = len(cells) > 0 and isinstance(cells[0], str)
        column = vtk.vtkStringArray() if isText else vtk.vtkDoubleArray()
        column.SetName(title)
        for cell in cells:
            column.InsertNextValue(cell)
        node.AddColumn(column)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)  # the files of the results are the truth
    return node


def _numbers(cells: Sequence[str]) -> list[float] | None:
    """Return a column as numbers; None if it holds any text, or nothing."""
    shown = [cell for cell in cells if cell and not cell.startswith(_NOT_DEFINED)]
    try:
        numbers = {cell: float(cell) for cell in shown}
    except ValueError:
        return None
    return [numbers.get(cell, math.nan) for cell in cells] if shown else None


def _scoreChart(
    scene: slicer.vtkMRMLScene,
    reference: Reader,
    program: Reader,
    true: NDArray[np.float64],
    said: NDArray[np.float64],
) -> slicer.vtkMRMLPlotChartNode:
    names = f"ASPECTS, {reference.name}", f"ASPECTS, {program.name}"
    title = f"Scores of {program.name}"
    chart = _chart(scene, title, *names)
    points = _tableNode(scene, f"{title} (points)", dict(zip(names, (true, said), strict=True)))
    _addPoints(scene, chart, points, *names)
    same = _tableNode(scene, f"{title} (same)", {"x": [0.0, 10.0], "same score": [0.0, 10.0]})
    _addLine(scene, chart, same, "same score")
    return chart


def _differenceChart(
    scene: slicer.vtkMRMLScene,
    reference: Reader,
    program: Reader,
    true: NDArray[np.float64],
    said: NDArray[np.float64],
) -> slicer.vtkMRMLPlotChartNode:
    names = "mean of both", f"{program.name} less {reference.name}"
    title = f"Bland–Altman of {program.name}"
    chart = _chart(scene, title, *names)
    means, differences = (true + said) / 2, said - true
    columns = dict(zip(names, (means, differences), strict=True))
    _addPoints(scene, chart, _tableNode(scene, f"{title} (points)", columns), *names)
    limits = limits_of_agreement(true, said)
    ends = [float(means.min()), float(means.max())]
    lines = {"bias": limits.bias, "lower limit": limits.lower, "upper limit": limits.upper}
    columns = {"x": ends} | {name: [line.value] * len(ends) for name, line in lines.items()}
    table = _tableNode(scene, f"{title} (lines)", columns)
    for name in lines:
        _addLine(scene, chart, table, name)
    return chart


def _chart(
    scene: slicer.vtkMRMLScene, title: str, xTitle: str, yTitle: str
) -> slicer.vtkMRMLPlotChartNode:
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", title)
    chart.SetTitle(title)
    chart.SetXAxisTitle(xTitle)
    chart.SetYAxisTitle(yTitle)
    return chart


def _addPoints(
    scene: slicer.vtkMRMLScene,
    chart: slicer.vtkMRMLPlotChartNode,
    table: slicer.vtkMRMLTableNode,
    xColumn: str,
    yColumn: str,
) -> None:
    series = _series(scene, chart, table, "cases", (xColumn, yColumn))
    series.SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleNone)
    series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleCircle)
    series.SetMarkerSize(_MARKER_SIZE)
    series.SetColor(*_POINT_COLOUR)


def _addLine(
    scene: slicer.vtkMRMLScene,
    chart: slicer.vtkMRMLPlotChartNode,
    table: slicer.vtkMRMLTableNode,
    column: str,
) -> None:
    series = _series(scene, chart, table, column, ("x", column))
    series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
    series.SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleSolid)
    series.SetLineWidth(_LINE_WIDTH)
    series.SetColor(*_LINE_COLOUR)


def _series(
    scene: slicer.vtkMRMLScene,
    chart: slicer.vtkMRMLPlotChartNode,
    table: slicer.vtkMRMLTableNode,
    name: str,
    columns: tuple[str, str],
) -> slicer.vtkMRMLPlotSeriesNode:
    series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name)
    series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName(columns[0])
    series.SetYColumnName(columns[1])
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    return series
