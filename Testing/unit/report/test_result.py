from __future__ import annotations

import json
from dataclasses import replace

import pytest
from result_phantoms import study_result

from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.report.result import OverrideInfo, StudyResult

NAMES = {
    "input": {"modality", "files", "spacing_mm", "shape"},
    "method": {"name", "version", "options", "models"},
    "aspects": {"score", "side", "left", "right"},
    "core": {"volume_ml", "volume_adc620_ml", "severity"},
    "quality": {"warnings", "abstained", "registration"},
}
REGION_NAMES = {
    "region",
    "side",
    "affected",
    "probability",
    "volume_ml",
    "infarct_fraction",
    "median",
    "contralateral_median",
    "evidence",
    "override",
}
OUTPUT_NAMES = {"regions", "infarct", "heatmap", "figure", "table"}
OVERRIDE = OverrideInfo(True, "reader", "2026-01-02T03:04:05Z", "seen on the follow-up")


def rounded(value, decimals=4):
    """Return a value as its JSON file holds it."""
    if isinstance(value, float):
        return round(value, decimals)
    if isinstance(value, dict):
        return {key: rounded(item, decimals) for key, item in value.items()}
    return [rounded(item, decimals) for item in value] if isinstance(value, list) else value


def refusal(text):
    with pytest.raises(FileRefusedError, match="schema version 1") as caught:
        StudyResult.from_json(text)
    assert caught.value.code is ErrorCode.FILE_UNREADABLE
    return caught.value


def with_override(result):
    edited = replace(result.regions[3], override=OVERRIDE)
    return replace(result, regions=(*result.regions[:3], edited, *result.regions[4:]))


@pytest.mark.parametrize(
    "result",
    [
        study_result({12, 14, 16}),
        study_result(abstained=True),
        with_override(study_result()),
        replace(study_result(), key_slices=None),
        replace(study_result(), outputs={"figure": None}, timings_s={"regions": 1.25}),
    ],
    ids=["scored", "abstained", "edited", "no key slices", "written"],
)
def test_a_result_read_back_is_the_same(result):
    read = StudyResult.from_json(result.to_json())
    assert read.to_json() == result.to_json()
    assert read.aspects == result.aspects
    assert [r.override for r in read.regions] == [r.override for r in result.regions]
    assert replace(read, regions=(), quality=result.quality) == replace(
        result, regions=(), quality=result.quality
    )


def test_a_scored_study_read_back_is_the_same(scored_study):
    result = scored_study.result
    read = StudyResult.from_json(result.to_json())
    for region, given in zip(read.regions, result.regions, strict=True):
        assert (region.region, region.side, region.affected) == (
            given.region,
            given.side,
            given.affected,
        )
        assert region.median == pytest.approx(given.median, abs=1e-4)
    assert read.input.shape == result.input.shape
    assert read.input.spacing_mm == pytest.approx(result.input.spacing_mm, abs=1e-4)


def test_a_result_of_an_earlier_version_has_no_reason_for_its_method():
    data = json.loads(study_result().to_json())
    del data["method"]["reason"]
    assert StudyResult.from_json(json.dumps(data)).method.reason is None


def test_the_same_result_has_the_same_bytes():
    assert study_result({12}).to_json() == study_result({12}).to_json()


def test_numbers_are_rounded_to_four_decimals():
    data = json.loads(study_result({12}).to_json())
    assert data == rounded(data)
    assert data["regions"][11]["median"] == 32.1235


@pytest.mark.parametrize("group", NAMES)
def test_names_of_the_format_are_there(scored_study, group):
    data = json.loads(scored_study.result.to_json())
    assert data["schema_version"] == 1
    assert set(data[group]) >= NAMES[group]


def test_every_region_has_the_names_of_the_format(scored_study):
    data = json.loads(scored_study.result.to_json())
    assert len(data["regions"]) == 20
    for region in data["regions"]:
        assert set(region) >= REGION_NAMES
    assert data["method"]["models"][0].keys() == {"name", "sha256"}


def test_values_of_the_format_are_the_agreed_ones(scored_study):
    data = json.loads(scored_study.result.to_json())
    assert data["input"]["modality"] == "NCCT"
    assert data["aspects"]["side"] in {"left", "right", "none", "bilateral"}
    assert {region["side"] for region in data["regions"]} == {"left", "right"}
    assert all(0.0 <= region["probability"] <= 1.0 for region in data["regions"])
    assert data["quality"]["abstained"] is False


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_written(value):
    result = study_result()
    broken = replace(result, quality=replace(result.quality, registration={"brain_dice": value}))
    with pytest.raises(ValueError, match="not JSON compliant"):
        broken.to_json()


def test_what_is_no_number_is_not_read():
    text = study_result().to_json().replace("32.1235", "NaN")
    refusal(text)


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "5", "[]", '"result"', "{}", '{"schema_version": 1}'],
)
def test_broken_files_are_refused(text):
    refusal(text)


@pytest.mark.parametrize("part", ["input", "method", "aspects", "regions", "quality"])
@pytest.mark.parametrize("content", [None, 5, {"unknown": 1}])
def test_broken_parts_are_refused(part, content):
    data = json.loads(study_result().to_json())
    refusal(json.dumps(data | {part: content}))


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_schema_version_is_refused(version):
    data = json.loads(study_result().to_json())
    error = refusal(json.dumps(data | {"schema_version": version}))
    assert str(version) in error.message
