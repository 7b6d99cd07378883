from __future__ import annotations

import csv
import io
import json
import sys

import numpy as np
import pytest
from study_phantoms import atlas, options, patients

from ASPECTSLib.atlas.regions import REGIONS, RegionCode
from ASPECTSLib.progress import Progress
from ASPECTSLib.studies.severity import Source, analyse
from ASPECTSLib.studies.severity_output import (
    figures_of,
    patients_csv,
    regions_csv,
    study_record,
    write_study,
)

TABLES = {"study.json", "patients.csv", "regions.csv"}


@pytest.fixture(scope="module")
def study():
    return analyse(patients(), Source("table", "masks"), options(), Progress())


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_record_is_json_with_all_that_was_asked_and_found(study):
    record = json.loads(json.dumps(study_record(study, atlas()), allow_nan=False))
    assert record["options"]["nihss"] == [6, 5, 8, 16]
    assert record["atlas"]["sha256"] == dict(atlas().sha256)
    assert record["flow"]["with_nihss"] == 54
    assert record["published"]["core_volume_cutoff_ml"] == 27.86
    main = record["territory"]["thresholds"][0]
    assert main["core_volume"]["youden"].keys() == {"value", "low", "high", "n"}
    assert record["territory"]["deductions"]["either"][0]["region"] == "C"


def test_numbers_have_six_digits(study):
    def numbers(value):
        if isinstance(value, dict):
            return [n for part in value.values() for n in numbers(part)]
        if isinstance(value, list):
            return [n for part in value for n in numbers(part)]
        return [value] if isinstance(value, float) else []

    found = numbers(study_record(study, atlas()))
    assert found
    assert all(number == float(f"{number:.6g}") for number in found)


def test_every_mask_has_a_row(study):
    table = rows(patients_csv(study))
    assert len(table) == 60
    first, unknown = table[0], table[9]
    assert (unknown["nihss"], unknown["participant_id"]) == ("", "sub-9")
    assert int(first["aspects"]) == min(int(first["aspects_left"]), int(first["aspects_right"]))
    shares = [float(first[f"{region.side.value}_{region.code.value}"]) for region in REGIONS]
    assert sum(share > 0.1 for share in shares) == 10 - int(first["aspects"])


def test_every_region_has_a_row_in_each_cohort_and_on_each_side(study):
    table = rows(regions_csv(study))
    assert len(table) == 2 * 3 * len(RegionCode)
    either = [row for row in table if (row["cohort"], row["side"]) == ("territory", "either")]
    assert [row["region"] for row in either] == list(RegionCode)
    assert int(either[0]["mild_n"]) + int(either[0]["moderate_severe_n"]) == len(study.cohort)


def test_the_figures_show_the_cutoffs_that_were_found(study):
    figures = figures_of(study)
    main = study.territory.thresholds[0]
    assert figures.cutoffs == (main.aspects.youden.value, main.core_volume.youden.value)
    for line in figures.roc:
        assert (line.false_positive_rate[0], line.sensitivity[0]) == (0.0, 0.0)
        assert (line.false_positive_rate[-1], line.sensitivity[-1]) == (1.0, 1.0)
        x, y, _ = line.marks[0]
        steps = np.abs(line.false_positive_rate - x) + np.abs(line.sensitivity - y)
        assert steps.min() < 1e-9
    assert figures.bars.shares.shape == (2, 10, 3)
    assert str(len(study.cohort)) in figures.cohort


def test_all_files_are_written(study, tmp_path):
    assert write_study(study, atlas(), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {*TABLES, "severity.png", "roc.png"}
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_patients_give_the_same_bytes(study):
    again = analyse(patients(), Source("table", "masks"), options(), Progress())
    for text in (patients_csv, regions_csv, lambda s: json.dumps(study_record(s, atlas()))):
        assert text(study) == text(again)


def test_without_matplotlib_there_are_tables_and_no_pictures(study, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert not write_study(study, atlas(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == TABLES
