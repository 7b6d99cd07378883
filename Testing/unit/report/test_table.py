from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from result_phantoms import study_result

from ASPECTSLib.atlas.regions import REGIONS
from ASPECTSLib.report.result import OverrideInfo
from ASPECTSLib.report.table import COLUMNS, regions_csv


def rows(result):
    return list(csv.DictReader(io.StringIO(regions_csv(result))))


def with_first_region(result, **changes):
    return replace(result, regions=(replace(result.regions[0], **changes), *result.regions[1:]))


def test_the_table_has_a_row_for_each_region_in_the_order_of_labels():
    table = rows(study_result())
    assert [(row["region"], row["side"]) for row in table] == [
        (region.code.value, region.side.value) for region in REGIONS
    ]


def test_the_same_result_has_the_same_bytes():
    text = regions_csv(study_result({12, 16}))
    assert text == regions_csv(study_result({12, 16}))
    assert text.startswith(",".join(COLUMNS) + "\n")
    assert "\r" not in text
    assert text.endswith("\n")


def test_calls_are_words_and_numbers_are_rounded():
    row = rows(study_result({12}))[11]
    assert (row["affected"], row["unsure"], row["probability"]) == ("yes", "no", "0.91")
    assert (row["median"], row["contralateral_median"]) == ("32.1", "35.0")


@pytest.mark.parametrize("value", [-0.0, -0.04])
def test_there_is_no_minus_zero(value):
    result = with_first_region(study_result(), median=value, probability=-0.0)
    assert rows(result)[0]["median"] == "0.0"
    assert "-0.0" not in regions_csv(result)


def test_what_is_not_known_is_an_empty_cell():
    row = rows(with_first_region(study_result(abstained=True), median=None))[0]
    empty = ("affected", "probability", "infarct_fraction", "median", "override_affected")
    assert {row[column] for column in empty} == {""}


def test_an_override_stands_beside_the_programs_call():
    override = OverrideInfo(True, "reader", "2026-01-02", 'clear, on "thin" slices')
    row = rows(with_first_region(study_result(), override=override))[0]
    assert (row["affected"], row["override_affected"], row["override_by"]) == (
        "no",
        "yes",
        "reader",
    )
    assert row["override_reason"] == 'clear, on "thin" slices'


def test_the_table_of_a_scored_study_holds_its_calls(scored_study):
    table = rows(scored_study.result)
    assert len(table) == 20
    affected = {(row["region"], row["side"]) for row in table if row["affected"] == "yes"}
    assert {("I", "left"), ("L", "left"), ("M2", "left")} <= affected
