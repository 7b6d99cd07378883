"""The table of a result explains itself: words for calls, numbers as numbers, right beside left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from result_phantoms import study_result

pytest.importorskip("slicer", reason="needs the package slicer-core")

from slicer.util import dataframeFromTable

from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.report.result import OverrideInfo, StudyResult
from ASPECTSSlicer.tables import fillTable

LEFT_M2 = region_of(RegionCode.M2, Side.LEFT).label
M2_ROW = list(RegionCode).index(RegionCode.M2)


@pytest.fixture
def table_node(scene):
    return scene.AddNewNodeByClass("vtkMRMLTableNode")


def test_regions_are_rows_in_the_usual_order(table_node):
    columns = _filled(table_node, study_result())
    assert columns["Region"] == ["C", "L", "IC", "I", "M1", "M2", "M3", "M4", "M5", "M6"]


def test_every_value_has_a_column_right_and_one_left(table_node):
    titles = list(_filled(table_node, study_result()))
    assert titles[:3] == ["Region", "Right call", "Left call"]
    rights = [title.removeprefix("Right ") for title in titles if title.startswith("Right ")]
    lefts = [title.removeprefix("Left ") for title in titles if title.startswith("Left ")]
    assert rights == lefts
    assert len(titles) == 1 + 2 * len(rights)
    assert {"call", "probability", "median", "infarct fraction", "evidence"} <= set(rights)


def test_left_is_left(table_node):
    columns = _filled(table_node, study_result({LEFT_M2}))
    expected = ["not affected"] * 10
    assert columns["Right call"] == expected
    expected[M2_ROW] = "affected"
    assert columns["Left call"] == expected
    assert columns["Left probability"][M2_ROW] == pytest.approx(0.9123456)
    assert columns["Right probability"][M2_ROW] == 0.0


def test_changed_call_counts_and_the_automatic_one_stays_visible(table_node):
    override = OverrideInfo(True, "Dr. Müller", "2025-01-31T14:02", "seen on DWI")
    columns = _filled(table_node, _changed(study_result(), LEFT_M2, override=override))
    row = {title: values[M2_ROW] for title, values in columns.items()}
    assert row["Left call"] == "affected"
    assert row["Left automatic call"] == "not affected"
    assert row["Left changed by"] == "Dr. Müller"
    assert row["Left changed at"] == "2025-01-31T14:02"
    assert row["Left reason"] == "seen on DWI"
    assert row["Right changed by"] == ""
    assert row["Right call"] == "not affected"


def test_numbers_that_there_are_not_are_nan(table_node):
    columns = _filled(table_node, study_result(abstained=True))
    assert np.isnan(columns["Left probability"]).all()
    assert np.isnan(columns["Right infarct fraction"]).all()
    assert columns["Left call"] == ["not called"] * 10


def test_numbers_keep_their_digits(table_node):
    columns = _filled(table_node, _changed(study_result(), LEFT_M2, infarct_fraction=1 / 3))
    assert columns["Left infarct fraction"][M2_ROW] == 1 / 3
    assert columns["Left volume mL"][M2_ROW] == 10.0 + LEFT_M2 / 7.0
    assert columns["Left median"][M2_ROW] == 32.123456


def test_filling_again_replaces_the_former_values(table_node):
    first = _filled(table_node, study_result({LEFT_M2}))
    table_node.AddColumn().SetName("somebody's own")
    second = _filled(table_node, study_result())
    assert list(first) == list(second)
    assert second["Left call"] == ["not affected"] * 10


def test_filling_is_one_change_for_those_who_watch(table_node):
    heard = []
    table_node.AddObserver("ModifiedEvent", lambda *_: heard.append(1))
    fillTable(table_node, study_result())
    assert len(heard) == 1


def test_data_frame_of_slicer_has_the_same_values(table_node):
    pytest.importorskip("pandas", reason="needs pandas")

    columns = _filled(table_node, study_result({LEFT_M2}))
    frame = dataframeFromTable(table_node)
    assert list(frame.columns) == list(columns)
    assert frame["Left call"].tolist() == columns["Left call"]
    assert frame["Left median"].dtype == float


def _filled(table_node, study: StudyResult) -> dict[str, list]:
    """Fill a table and return its columns by title, as a data frame would have them."""
    fillTable(table_node, study)
    table = table_node.GetTable()
    columns = [table.GetColumn(index) for index in range(table.GetNumberOfColumns())]
    return {
        column.GetName(): [column.GetValue(row) for row in range(column.GetNumberOfValues())]
        for column in columns
    }


def _changed(study: StudyResult, label: int, **values) -> StudyResult:
    regions = list(study.regions)
    regions[label - 1] = replace(regions[label - 1], **values)
    return replace(study, regions=tuple(regions))
