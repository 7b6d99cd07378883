from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from study_phantoms import atlas as shipped_atlas
from study_phantoms import infarct, mirrored, options, patients, write_cohort

from ASPECTSLib.atlas.regions import RegionCode, Side
from ASPECTSLib.errors import ErrorCode, FileRefusedError, InputRefusedError, UsageError
from ASPECTSLib.progress import Progress
from ASPECTSLib.studies.participants import Participant
from ASPECTSLib.studies.severity import Flow, Source, analyse, run_severity_study
from ASPECTSLib.studies.severity_analysis import Patient, StudyOptions

SOURCE = Source("table", "masks")


def study_of(people, **changes):
    return analyse(people, SOURCE, options(**changes), Progress())


@pytest.fixture(scope="module")
def study():
    return study_of(patients())


def person(nihss, affected, volume_ml, side=Side.LEFT):
    return Patient("sub-1", Participant(nihss, None), infarct(side, affected, volume_ml))


def test_everyone_is_counted_once():
    people = [
        *patients(20),
        Patient("sub-a", None, infarct(Side.LEFT, 1, 3.0)),
        person(3, 0, 0.5),
        Patient("sub-c", Participant(None, 2), infarct(None, 0, 0.0)),
    ]
    territory = sum(
        p.nihss is not None and p.infarct.territory_ml >= 1 for p in people if p.participant
    )
    assert study_of(people).flow == Flow(23, 1, 1, 3, 19, territory)


def test_the_main_cohort_has_enough_infarct_inside_the_regions():
    people = [*patients(), person(40, 0, 1.0), person(40, 0, 0.999)]
    found = study_of(people)
    assert len(found.cohort) == found.territory.patients.nihss.n == found.flow.in_territory
    assert 1.0 in found.cohort.volume_ml
    assert 0.999 not in found.cohort.volume_ml
    assert found.everyone.patients.nihss.n == found.flow.with_nihss


def test_severity_rises_with_the_infarct(study):
    correlations = study.territory.correlations
    assert correlations["core_volume_nihss"].rho.low > 0.5
    assert correlations["aspects_nihss"].rho.high < -0.5
    assert correlations["aspects_core_volume"].rho.high < -0.5
    main = study.territory.thresholds[0]
    assert main.aspects.area.low > 0.8
    assert main.core_volume.area.low > 0.8


def test_groups_that_a_cutoff_parts_are_parted_there():
    people = [person(2, 2, 10.0 + n) for n in range(10)]
    people += [person(12, 5, 40.0 + n, Side.RIGHT) for n in range(10)]
    main = study_of(people).territory.thresholds[0]
    assert (main.aspects.youden.value, main.core_volume.youden.value) == (5.0, 40.0)
    assert main.aspects.area.value == main.core_volume.area.value == 1.0
    published = main.aspects.at_published
    assert (published.cutoff, published.sensitivity.value, published.specificity.value) == (6, 1, 1)
    assert main.core_volume.at_published.cutoff == 27.86


def test_moderate_severe_begins_at_the_threshold():
    people = [person(nihss, 3, 10.0 + nihss) for nihss in (1, 5, 5, 6, 6, 7)]
    main = study_of(people, nihss=(6,)).territory.thresholds[0]
    assert (main.mild, main.moderate_severe) == (3, 3)


def test_mirrored_patients_swap_the_sides_and_change_nothing_else(study):
    turned = study_of([mirrored(patient) for patient in patients()])
    plain = study.territory
    assert turned.territory.thresholds == plain.thresholds
    assert turned.territory.correlations == plain.correlations
    assert turned.territory.groups == plain.groups
    assert turned.territory.deductions["either"] == plain.deductions["either"]
    assert turned.territory.deductions["left"] == plain.deductions["right"]
    assert turned.territory.sides.left == plain.sides.right
    left, right = (s.territory.sides.left_nihss_given_volume.rho.value for s in (study, turned))
    assert left == pytest.approx(-right)


def test_deductions_are_counted_on_the_side_of_the_stroke():
    people = [person(2, 1, 5.0), person(2, 0, 5.0), person(3, 0, 5.0), person(1, 0, 5.0)]
    people += [person(20, 3, 50.0, Side.RIGHT)] * 3 + [person(20, 1, 50.0)]
    deductions = study_of(people).territory.deductions
    first, second, *_, last = deductions["either"]
    assert first.region is RegionCode.C
    assert (first.mild.count, first.mild.n) == (1, 4)
    assert (first.moderate_severe.count, first.moderate_severe.n) == (4, 4)
    assert (second.mild.count, second.moderate_severe.count) == (0, 3)
    assert (last.difference.value, last.p_value, last.p_holm) == (0.0, 1.0, 1.0)
    assert all(d.p_holm >= d.p_value for d in deductions["either"])
    assert deductions["left"][1].moderate_severe.count == 0
    assert deductions["right"] is None


def test_a_stroke_of_neither_side_has_no_region_affected():
    people = [*patients(), *[person(1, 0, 0.0, None)] * 3]
    everyone = study_of(people).everyone
    groups = everyone.deductions["either"][0]
    assert groups.mild.n + groups.moderate_severe.n == everyone.patients.nihss.n
    sides = everyone.sides
    assert (
        sides.left.patients.nihss.n + sides.right.patients.nihss.n == everyone.patients.nihss.n - 3
    )


def test_left_strokes_that_score_higher_at_equal_volume_are_told():
    generator = np.random.default_rng(1)
    people = []
    for number in range(80):
        side = (Side.LEFT, Side.RIGHT)[number % 2]
        volume_ml = float(generator.uniform(5, 100))
        nihss = int(volume_ml / 8 + (8 if side is Side.LEFT else 0))
        people.append(person(nihss, 4, volume_ml, side))
    sides = study_of(people).territory.sides
    assert sides.left_nihss_given_volume.rho.low > 0.5
    band = sides.bands[2]
    assert band.left_ml.median < band.right_ml.median
    assert band.p_value < 0.05


def test_a_higher_fraction_spares_regions():
    strict, lenient = (study_of(patients(), fraction=f).cohort.aspects for f in (0.6, 0.1))
    assert (strict == 10).all()
    assert lenient.min() == 0


def test_thresholds_that_few_reach_are_left_open():
    main, high = study_of(patients(), nihss=(6, 42)).territory.thresholds
    assert main.aspects is not None
    assert (high.nihss, high.moderate_severe, high.aspects, high.area_difference) == (
        42,
        0,
        None,
        None,
    )


def test_trial_groups_hold_everyone(study):
    for groups in study.territory.trial_groups.values():
        counted = [group.nihss.n if group.nihss else 0 for group in groups.values()]
        assert sum(counted) == len(study.cohort)
        assert all(
            (group.moderate_severe is None) == (group.nihss is None) for group in groups.values()
        )


def test_outcome_that_nobody_has_is_left_open():
    people = [replace(p, participant=Participant(p.nihss, None)) for p in patients()]
    correlations = study_of(people).territory.correlations
    assert correlations["aspects_mrs"] is None
    assert correlations["aspects_nihss"] is not None


def test_one_group_alone_is_refused_with_the_counts():
    people = [person(2, 1, 5.0 + n) for n in range(8)]
    with pytest.raises(InputRefusedError, match="side of NIHSS 6, got 8 below and 0 from there"):
        study_of(people)


def test_two_patients_a_group_are_enough():
    people = [person(1, 0, 2.0), person(2, 1, 3.0), person(8, 2, 30.0), person(9, 3, 31.0)]
    found = study_of(people)
    assert found.territory.correlations["aspects_nihss"] is None
    assert found.territory.sides.left_nihss_given_volume is None
    assert found.territory.thresholds[0].aspects.area.value == 1.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fraction": 1.0}, "a share of a region of 0 to below 1, got 1.0"),
        ({"fraction": float("nan")}, "got nan"),
        ({"territory_ml": -1.0}, "0 mL or more, got -1"),
        ({"nihss": ()}, "different NIHSS of 1 to 42, got none"),
        ({"nihss": (6, 6)}, "got 6 6"),
        ({"nihss": (0,)}, "got 0"),
        ({"nihss": (43,)}, "got 43"),
    ],
)
def test_options_out_of_range_are_a_usage_error(changes, words):
    with pytest.raises(UsageError, match=words):
        StudyOptions(**changes)


def test_files_are_matched_by_the_name_of_the_participant(tmp_path):
    masks, table = write_cohort(tmp_path)
    found = run_severity_study(masks, table, shipped_atlas(), options(), Progress())
    assert found.flow.with_nihss == 12
    assert [p.nihss for p in found.patients if p.participant_id == "sub-3"] == [6]
    again = run_severity_study(masks, table, shipped_atlas(), options(), Progress())
    assert again.source == found.source
    assert again.territory == found.territory


def test_masks_of_others_are_refused(tmp_path):
    masks, table = write_cohort(tmp_path, 2)
    table.write_text("participant_id\tnihss\nsub-77\t3\n")
    with pytest.raises(FileRefusedError, match="got 2 masks of others") as caught:
        run_severity_study(masks, table, shipped_atlas(), options(), Progress())
    assert caught.value.code is ErrorCode.COHORT_INVALID


def test_two_masks_of_one_participant_are_refused(tmp_path):
    masks, table = write_cohort(tmp_path, 2)
    (masks / "sub-1_lesion.nii.gz").rename(masks / "sub-0_other.nii.gz")
    with pytest.raises(FileRefusedError, match=r"sub-0_lesion\.nii\.gz and sub-0_other\.nii\.gz"):
        run_severity_study(masks, table, shipped_atlas(), options(), Progress())
