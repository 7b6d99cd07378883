from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest
from axis_orders import reordered
from region_phantoms import box_regions

from ASPECTSLib.atlas.regions import RegionCode, swap_sides
from ASPECTSLib.atlases.evaluation import (
    Evaluation,
    EvaluationOptions,
    evaluate_folders,
    mean_over_cases,
)
from ASPECTSLib.atlases.evaluation_output import (
    cases_csv,
    cross_table_csv,
    evaluation_lines,
    evaluation_record,
)
from ASPECTSLib.errors import ErrorCode, InputRefusedError, UsageError
from ASPECTSLib.io.images import write_image
from ASPECTSLib.progress import Progress
from ASPECTSLib.statistics.bootstrap import Bootstrap

OPTIONS = EvaluationOptions(bootstrap=Bootstrap(100))
SHIFTS_MM = {"one": (3.0, 0.0, 0.0), "two": (0.0, 6.0, 0.0)}
CASES = ("a", "b", "c")


def write_reader(
    folder, shift_mm=(0.0, 0.0, 0.0), cases=CASES, change=lambda labels, _case: labels
):
    folder.mkdir()
    for number, case in enumerate(cases):
        labels = box_regions(tuple(np.array(shift_mm) * (1 + number)))
        write_image(change(labels, case), folder / f"{case}.nii.gz")
    return folder


@pytest.fixture
def readers(tmp_path):
    mapped = write_reader(tmp_path / "mapped")
    return mapped, {name: write_reader(tmp_path / name, shift) for name, shift in SHIFTS_MM.items()}


def evaluated(mapped, raters, options=OPTIONS) -> Evaluation:
    return evaluate_folders(mapped, raters, options, Progress())


def figures(evaluation, pair):
    return [
        (m.dice, m.hausdorff95_mm, m.first_ml, m.second_ml)
        for case in evaluation.measures[pair].values()
        for m in case
    ]


def test_every_pair_of_readers_is_compared(readers):
    evaluation = evaluated(*readers)
    assert evaluation.pairs == (("atlas", "one"), ("atlas", "two"), ("one", "two"))
    assert all(list(by_case) == list(CASES) for by_case in evaluation.measures.values())
    assert evaluation.refusals == ()
    own = evaluated(readers[0], {"same": readers[0]})
    assert own.estimate(("atlas", "same"), "dice").value == 1.0
    assert own.estimate(("atlas", "same"), "hausdorff95_mm").value == 0.0
    assert own.advantage() is None


def test_a_known_shift_gives_its_distance(readers):
    evaluation = evaluated(*readers)
    by_case = evaluation.measures["atlas", "one"]
    for number, case in enumerate(CASES, start=1):
        large = [m for m in by_case[case] if m.region.code is RegionCode.M5]
        assert [m.hausdorff95_mm for m in large] == pytest.approx([3.0 * number] * 2)


def test_readers_that_agree_less_with_each_other_are_an_advantage_of_the_atlas(readers):
    evaluation = evaluated(*readers)
    advantage = evaluation.advantage()
    assert advantage.n == len(CASES)
    assert 0.0 < advantage.low <= advantage.value <= advantage.high


def test_the_order_of_the_axes_changes_nothing(readers, tmp_path):
    mapped, raters = readers
    other = write_reader(
        tmp_path / "other", change=lambda v, _: reordered(v, (2, 0, 1), (True, False, True))
    )
    np.testing.assert_allclose(
        figures(evaluated(other, raters), ("atlas", "one")),
        figures(evaluated(mapped, raters), ("atlas", "one")),
    )


def test_mirrored_heads_give_the_same_cross_table(readers, tmp_path):
    def mirrored(labels, _case):
        return labels.with_array(np.ascontiguousarray(swap_sides(labels.array[..., ::-1])))

    mapped = write_reader(tmp_path / "m", change=mirrored)
    rater = write_reader(tmp_path / "r", SHIFTS_MM["one"], change=mirrored)
    straight = evaluated(readers[0], {"one": readers[1]["one"]})
    exchanged = evaluated(mapped, {"one": rater})
    for code in (*RegionCode, None):
        values = [e.estimate(("atlas", "one"), "dice", code).value for e in (straight, exchanged)]
        assert values[0] == pytest.approx(values[1], abs=1e-12)


def coarser(_labels, case):
    return box_regions(spacing_mm=(3.0, 3.0, 5.0) if case != "b" else (4.0, 4.0, 5.0))


def other_order(labels, case):
    table = np.arange(21, dtype=np.uint8)
    table[[2, 4, 12, 14]] = [4, 2, 14, 12]
    return labels if case != "b" else labels.with_array(table[labels.array])


def exchanged_sides(labels, case):
    return labels if case != "b" else labels.with_array(swap_sides(labels.array))


def unknown_labels(labels, case):
    return labels if case != "b" else labels.with_array(labels.array * 2)


@pytest.mark.parametrize(
    ("change", "code", "words", "refused"),
    [
        (coarser, ErrorCode.GEOMETRY_INVALID, "on one grid", ("atlas", "rater")),
        (other_order, ErrorCode.LABEL_ORDER, "in the order", ("rater",)),
        (exchanged_sides, ErrorCode.LABEL_ORDER, "exchanged", ("rater",)),
        (unknown_labels, ErrorCode.LABELS_INVALID, "to 40", ("rater",)),
    ],
)
def test_a_bad_case_is_refused_with_its_code_and_the_others_are_compared(
    readers, tmp_path, change, code, words, refused
):
    rater = write_reader(tmp_path / "bad", change=change)
    evaluation = evaluated(readers[0], {"rater": rater})
    assert list(evaluation.measures["atlas", "rater"]) == ["a", "c"]
    (refusal,) = evaluation.refusals
    assert (refusal.case, refusal.code, refusal.readers) == ("b", code, refused)
    assert words in refusal.message
    assert f"[{code}]" in evaluation_lines(evaluation)[-1]


def test_a_missing_file_costs_only_the_pairs_with_that_reader(readers):
    mapped, raters = readers
    (raters["two"] / "b.nii.gz").unlink()
    evaluation = evaluated(mapped, raters)
    assert [len(evaluation.measures[pair]) for pair in evaluation.pairs] == [3, 2, 2]
    assert [(r.case, r.readers, r.code) for r in evaluation.refusals] == [
        ("b", ("two",), ErrorCode.FILE_NOT_FOUND)
    ]


def test_cases_that_are_left_out_for_one_reason_take_one_line(readers):
    mapped, raters = readers
    for case in ("b", "c"):
        (raters["two"] / f"{case}.nii.gz").unlink()
    lines = evaluation_lines(evaluated(mapped, raters))
    assert [line for line in lines if line.startswith("!")] == [
        "! b and 1 more (two): expected a label map, got none [FILE_NOT_FOUND]"
    ]


def test_a_damaged_file_is_refused_with_its_code(readers):
    mapped, raters = readers
    (raters["one"] / "a.nii.gz").write_bytes(b"no image")
    evaluation = evaluated(mapped, {"one": raters["one"]})
    assert [r.case for r in evaluation.refusals] == ["a"]
    assert evaluation.refusals[0].code in {ErrorCode.FILE_UNREADABLE, ErrorCode.FILE_TRUNCATED}


def test_nothing_to_compare_is_refused(readers, tmp_path):
    with pytest.raises(InputRefusedError, match="expected a label map") as caught:
        evaluated(readers[0], {"r": write_reader(tmp_path / "r", cases=("x",))})
    assert caught.value.code is ErrorCode.COHORT_INVALID


def test_a_rater_cannot_have_the_name_of_the_atlas(readers):
    with pytest.raises(UsageError, match="another name than atlas"):
        evaluated(readers[0], {"atlas": readers[1]["one"]})


def test_slices_that_one_has_not_drawn_can_be_left_out(readers, tmp_path):
    def key_slices(labels, _case):
        kept = np.isin(np.arange(len(labels.array)), (5, 10))
        return labels.with_array(np.where(kept[:, None, None], labels.array, 0))

    rater = write_reader(tmp_path / "drawn", change=key_slices)
    whole = evaluated(readers[0], {"r": rater})
    drawn = evaluated(readers[0], {"r": rater}, EvaluationOptions(True, Bootstrap(100)))
    pair = ("atlas", "r")
    assert whole.estimate(pair, "dice").value < 0.7
    assert drawn.estimate(pair, "dice").value == 1.0
    assert drawn.estimate(pair, "hausdorff95_mm").value == 0.0


def test_the_mean_is_over_what_is_defined_and_lies_in_its_interval():
    estimate = mean_over_cases(np.array([0.5, np.nan, 0.9, 0.7]), Bootstrap(200))
    assert (estimate.value, estimate.n) == (pytest.approx(0.7), 3)
    assert 0.5 <= estimate.low < 0.7 < estimate.high <= 0.9
    assert mean_over_cases(np.array([np.nan]), Bootstrap(100)) is None


def test_tables_and_record_say_the_same(readers):
    evaluation = evaluated(*readers)
    record = json.loads(json.dumps(evaluation_record(evaluation)))
    table = list(csv.DictReader(io.StringIO(cross_table_csv(evaluation))))
    rows = list(csv.DictReader(io.StringIO(cases_csv(evaluation))))
    assert len(rows) == 3 * len(CASES) * 20
    dice = [row for row in table if row["measure"] == "dice"]
    for row, pair in zip(dice, record["pairs"], strict=True):
        assert (row["first"], row["second"]) == (pair["first"], pair["second"])
        assert float(row["M5"]) == pair["dice"]["M5"]["value"]
        values = [
            float(one["dice"])
            for one in rows
            if (one["first"], one["second"], one["region"]) == (row["first"], row["second"], "M5")
        ]
        assert float(row["M5"]) == pytest.approx(np.mean(values), abs=1e-5)
    lines = evaluation_lines(evaluation)
    assert lines[1].startswith("atlas-one")
    assert any(line.startswith("raters with each other") for line in lines)
    assert not any(math.isnan(float(row["mean"])) for row in dice)


def test_the_same_folders_give_the_same_record(readers):
    assert evaluation_record(evaluated(*readers)) == evaluation_record(evaluated(*readers))
