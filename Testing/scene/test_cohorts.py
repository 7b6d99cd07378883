"""A cohort's tables and charts in Slicer's own scene."""

from __future__ import annotations

import math

import numpy as np
import pytest
from evaluation_phantoms import made_up_calls, write_readers, write_results

pytest.importorskip("slicer", reason="needs the package slicer-core")

from slicer.util import arrayFromTableColumn

from ASPECTSLib.batch.run import ScoredCohort
from ASPECTSLib.evaluation.run import evaluate_cohort
from ASPECTSLib.evaluation.sources import read_results
from ASPECTSSlicer.cohorts import addCohort, addEvaluation, addTable

PATIENTS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    truth, called = made_up_calls(PATIENTS, seed=3)
    names = [f"case-{n}" for n in range(PATIENTS)]
    write_results(folder / "results", names, called)
    write_readers(folder / "readers.csv", {"anna": (names, truth)})
    return folder


@pytest.fixture(scope="module")
def evaluation(folder):
    return evaluate_cohort(folder / "results", folder / "readers.csv")


def test_a_cohort_is_a_table_of_cases_and_one_of_regions(scene, folder):
    records = read_results(folder / "results").records
    cases, regions = addCohort(scene, ScoredCohort(records, folder))
    assert cases.GetNumberOfRows() == PATIENTS + 2
    assert regions.GetNumberOfRows() == 20 * (PATIENTS + 1)  # one was refused
    scores = arrayFromTableColumn(cases, "score")
    assert np.isfinite(scores[:PATIENTS]).all()
    assert math.isnan(scores[PATIENTS])
    assert texts(cases, "code")[PATIENTS] == "NO_BRAIN"
    assert cases.GetLocked()


def test_an_evaluation_is_tables_and_two_charts(scene, evaluation):
    tables, charts = addEvaluation(scene, evaluation)
    assert [table.GetName() for table in tables] == [table.title for table in evaluation.tables]
    assert [chart.GetNumberOfPlotSeriesNodes() for chart in charts] == [2, 4]
    sensitivity = arrayFromTableColumn(tables[0], "sensitivity")
    shown = evaluation.tables[0].rows[10][2].value
    assert sensitivity[10] == pytest.approx(shown, abs=5e-4)


def test_the_points_of_a_chart_are_the_scores(scene, evaluation):
    _, (scores, differences) = addEvaluation(scene, evaluation)
    compared = evaluation.compared
    true = compared.reference.scores(compared.cases)[:PATIENTS]
    said = compared.programs[0].scores(compared.cases)[:PATIENTS]
    for chart, x, y in ((scores, true, said), (differences, (true + said) / 2, said - true)):
        series = chart.GetNthPlotSeriesNode(0)
        table = series.GetTableNode()
        np.testing.assert_allclose(arrayFromTableColumn(table, series.GetXColumnName()), x)
        np.testing.assert_allclose(arrayFromTableColumn(table, series.GetYColumnName()), y)
    bias = differences.GetNthPlotSeriesNode(1)
    line = arrayFromTableColumn(bias.GetTableNode(), bias.GetYColumnName())
    np.testing.assert_allclose(line, (said - true).mean())


def test_columns_of_numbers_are_numbers_and_others_are_text(scene):
    table = addTable(scene, "t", "a,b,c,d\n1,x,,not defined: few\n2.5,3,,4\n")
    assert arrayFromTableColumn(table, "a").tolist() == [1.0, 2.5]
    assert texts(table, "b") == ["x", "3"]
    assert texts(table, "c") == ["", ""]
    assert math.isnan(arrayFromTableColumn(table, "d")[0])


def texts(table, column):
    cells = table.GetTable().GetColumnByName(column)
    return [cells.GetValue(n) for n in range(cells.GetNumberOfValues())]
