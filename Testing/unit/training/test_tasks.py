from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from synthetic_head_phantoms import phantom_anatomy

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.inference.asymmetry_inputs import PatchSpec
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.networks.vbnet import VBNet
from ASPECTSLib.synthesis.any_contrast import AnyContrastScanner
from ASPECTSLib.synthesis.distractors import NO_DISTRACTORS
from ASPECTSLib.synthesis.generator import Sources
from ASPECTSLib.training import tasks
from ASPECTSLib.training.recipe import parse_recipe
from ASPECTSLib.training.tasks import (
    TEST,
    TRAINING,
    VALIDATION,
    PatientRecipe,
    parse_data,
    prepare,
    split,
    view_of,
)
from ASPECTSLib.training.views import VIEWS

RECIPE = """
name = "tiny"
task = "brain"

[network]
architecture = "vbnet"
widths = [4, 4]
blocks = [0, 0]
planar_stages = 1

[data]
seed = 5
modalities = ["NCCT", "DWI"]
validation_cases = 3
looks = 4

[loss]
name = "focal"

[optimisation]
steps = 10
batch = 2
"""


@pytest.fixture(scope="module")
def anatomies():
    phantom = phantom_anatomy((9, 9, 9))
    return tuple(replace(phantom, name=f"head {n:02}") for n in range(12))


@pytest.fixture
def prepared(anatomies, monkeypatch):
    """Return how a recipe is prepared, with what its data sets are made of in their place."""
    monkeypatch.setattr(tasks, "region_prior", lambda atlas: ("prior of", atlas))
    monkeypatch.setattr(tasks, "PatientDataset", lambda *given: given)

    def make(text=RECIPE):
        return prepare(parse_recipe(text), Sources(anatomies), "atlas")

    return make


def names(anatomies):
    return [int(anatomy.name[-2:]) for anatomy in anatomies]


def test_a_table_is_read_into_the_types_of_its_defaults():
    data = parse_data(
        {
            "modalities": ["CBF"],
            "in_plane_mm": [1, 2],
            "healthy": 1,
            "seed": 3,
            "slice_mm": [3.0, 3.0],
        }
    )
    assert data == PatientRecipe(
        modalities=("CBF",), in_plane_mm=(1.0, 2.0), healthy=1.0, seed=3, slice_mm=(3.0, 3.0)
    )
    assert isinstance(data.healthy, float)
    assert parse_data({}) == PatientRecipe()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"modality": "CT"}, r"data.modality: expected a key of modalities, seed, .* got another"),
        ({"modalities": "NCCT"}, r"data.modalities: expected a list like \['NCCT'"),
        ({"modalities": ["NCCT", 3]}, r"data.modalities: expected a list like"),
        ({"modalities": ["PET"]}, "data.modalities: expected names out of NCCT, .*, got PET"),
        ({"modalities": []}, "data.modalities: expected names out of .*, got none"),
        ({"seed": 1.5}, "data.seed: expected a value like 1, got 1.5"),
        ({"seed": True}, "data.seed: expected a value like 1, got True"),
        ({"seed": -1}, "data.seed: expected 0 or more, got -1"),
        ({"seed": "1"}, "data.seed: expected a value like 1, got '1'"),
        ({"healthy": 1.2}, "data.healthy: expected 0 to 1, got 1.2"),
        ({"healthy": float("nan")}, "data.healthy: expected 0 to 1, got nan"),
        ({"healthy": "all"}, "data.healthy: expected a value like 0.25"),
        ({"in_plane_mm": [1.0]}, "data.in_plane_mm: expected a list like"),
        ({"in_plane_mm": [2.0, 1.0]}, "data.in_plane_mm: expected two rising numbers"),
        ({"slice_mm": [0.0, 5.0]}, "data.slice_mm: expected two rising numbers"),
        ({"slice_mm": [5.0, 40.0]}, "data.slice_mm: expected two rising numbers"),
        ({"slice_mm": [True, 5.0]}, "data.slice_mm: expected a list like"),
        ({"max_tilt_deg": 90}, "data.max_tilt_deg: expected 0 to 45, got 90"),
        ({"validation_cases": -1}, "data.validation_cases: expected 0 or more"),
        ({"hold_out_every": 1}, "data.hold_out_every: expected 0, or 2 or more, got 1"),
        ({"hold_out_every": -3}, "data.hold_out_every: expected 0, or 2 or more, got -3"),
        ({"looks": 0}, "data.looks: expected 1 or more, got 0"),
        ({"contrast": "t2"}, "data.contrast: expected one of modality, any, got t2"),
        ({"contrast": "any"}, "data.modalities: expected NCCT alone with the contrast any"),
        ({"atlas_heads": 0}, "data.atlas_heads: expected 1 or more, got 0"),
        ({"patients_at_once": 0}, "data.patients_at_once: expected 1 or more, got 0"),
        ({"patch_shape": [8, 32]}, r"data.patch_shape: expected a list like \[14, 64, 56\]"),
        ({"patch_shape": [8, 32, 0]}, r"data.patch: expected shape_kji of 1 or more"),
        ({"patch_window_hu": [30, -1]}, "data.patch: expected window_hu of a width above 0"),
        ({"patch_region": 1}, "data.patch_region: expected a value like True, got 1"),
        ({"validation_share": 1.0}, "data.validation_share: expected 0 to less than 1, got 1.0"),
    ],
)
def test_a_wrong_key_or_value_is_named(table, words):
    with pytest.raises(UsageError, match=words) as refused:
        parse_data(table)
    assert refused.value.code is ErrorCode.RECIPE_INVALID


def test_patients_are_those_of_the_recipe():
    patients = PatientRecipe(
        in_plane_mm=(1.0, 1.5), slice_mm=(3.0, 4.0), healthy=0.4, max_tilt_deg=7.0
    ).patients()
    assert patients.healthy == 0.4
    assert patients.shape.max_tilt_deg == 7.0
    for modality in (Modality.NCCT, Modality.CTA, Modality.DWI, Modality.CBF):
        scans = patients.scanner(modality).scans
        assert (scans.in_plane_mm, scans.slice_mm) == ((1.0, 1.5), (3.0, 4.0))


def test_patients_of_any_contrast_are_healthy_heads_on_the_recipes_grids():
    table = {"contrast": "any", "modalities": ["NCCT"], "slice_mm": [3.0, 4.0], "max_tilt_deg": 7.0}
    patients = parse_data(table).patients()
    assert patients.healthy == 1.0
    assert patients.distractors == NO_DISTRACTORS
    assert patients.shape.max_tilt_deg == 7.0
    scanner = patients.scanner(Modality.NCCT)
    assert isinstance(scanner, AnyContrastScanner)
    assert (scanner.scans.in_plane_mm, scanner.scans.slice_mm) == ((1.2, 1.8), (3.0, 4.0))


def test_held_out_anatomies_are_not_trained_on(anatomies):
    trained, held_out = split(anatomies, 5)
    assert names(held_out) == [4, 9]
    assert names(trained) == [0, 1, 2, 3, 5, 6, 7, 8, 10, 11]


@pytest.mark.parametrize(("count", "every"), [(12, 0), (3, 5)])
def test_with_none_to_hold_out_all_anatomies_serve_both(anatomies, count, every):
    trained, held_out = split(anatomies[:count], every)
    assert names(trained) == names(held_out) == list(range(count))


@pytest.mark.parametrize("task", sorted(VIEWS))
def test_tasks_have_views(task):
    assert view_of(task) is VIEWS[task]


def test_an_unknown_task_is_refused():
    with pytest.raises(
        UsageError, match=r"task: expected one of brain, .*, got vessels"
    ) as refused:
        view_of("vessels")
    assert refused.value.code is ErrorCode.RECIPE_INVALID


def test_a_recipe_is_prepared_for_the_trainer(prepared):
    made = prepared()
    assert isinstance(made.network, VBNet)
    assert made.options == {
        "widths": [4, 4],
        "blocks": [0, 0],
        "planar_stages": 1,
        "in_channels": 1,
        "out_channels": 2,
    }
    _, view, prior, count = made.training
    assert view is VIEWS["brain"]
    assert prior == ("prior of", "atlas")
    assert count == 10 * 2
    assert made.validation[3] == 3


def test_training_and_validation_share_neither_patient_nor_anatomy(prepared):
    made = prepared()
    training, validation = made.training[0], made.validation[0]
    assert (training.seed, validation.seed) == ((TRAINING, 5), (VALIDATION, 5))
    assert training.modalities == validation.modalities == [Modality.NCCT, Modality.DWI]
    assert (training.looks, validation.looks) == (4, 1)
    trained, held_out = names(training.sources.anatomies), names(validation.sources.anatomies)
    assert not set(trained) & set(held_out)
    assert sorted(trained + held_out) == list(range(12))


def test_no_purpose_shares_its_patients_with_another():
    firsts = (TRAINING, VALIDATION, TEST)
    assert all(a != b for a, b in itertools.combinations(firsts, 2))


def test_a_recipes_patches_decide_what_is_seen(prepared):
    text = RECIPE.replace('"brain"', '"asymmetry-cortical"')
    text = text.replace("looks = 4", "looks = 4\npatients_at_once = 2\npatch_region = false")
    made = prepared(text.replace("seed = 5", "seed = 5\npatch_shape = [4, 8, 8]"))
    assert made.options["in_channels"] == 2
    assert made.measure is VIEWS["asymmetry-cortical"].measure
    stream, view, _, count = made.training
    assert view.look.keywords["spec"] == PatchSpec((4, 8, 8), shows_region=False)
    assert (stream.looks, stream.at_once, count) == (4, 2, 20)
    stream, _, _, count = made.validation
    assert (stream.looks, stream.at_once, count) == (12, 1, 3 * 12)


def test_without_validation_cases_there_is_no_validation(prepared):
    made = prepared(RECIPE.replace("validation_cases = 3", "validation_cases = 0"))
    assert made.validation is None


@pytest.mark.parametrize("task", sorted(VIEWS))
def test_networks_have_the_channels_of_their_view(prepared, task):
    made = prepared(RECIPE.replace('"brain"', f'"{task}"'))
    assert made.options["in_channels"] == VIEWS[task].channels
    assert made.options["out_channels"] == VIEWS[task].classes
