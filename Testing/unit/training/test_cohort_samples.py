from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from cohort_phantoms import write_labelled_scan
from scipy import ndimage

from ASPECTSLib.errors import ErrorCode, InputRefusedError
from ASPECTSLib.inference.asymmetry_inputs import OUTSIDE
from ASPECTSLib.inference.inputs import REST_OF_BRAIN, region_prior
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.training import cohort_samples
from ASPECTSLib.training.cohort import Cohort, read_cohort
from ASPECTSLib.training.cohort_parts import split_cohort
from ASPECTSLib.training.cohort_samples import (
    NEEDED,
    CohortDataset,
    inside_head,
    prepare_cohort,
)
from ASPECTSLib.training.cohort_scan import LabelledScan
from ASPECTSLib.training.losses import IGNORED
from ASPECTSLib.training.recipe import parse_recipe
from ASPECTSLib.training.views import VIEWS

RECIPE = """
name = "tiny"
task = "{task}"
[network]
architecture = "vbnet"
widths = [8, 8]
planar_stages = 0
blocks = [0, 1]
[data]
modalities = ["{modality}"]
[loss]
name = "dice_ce"
[optimisation]
steps = 3
batch = 2
"""


@pytest.fixture(scope="module")
def prior(atlas):
    return region_prior(atlas)


@pytest.fixture
def folder(tmp_path):
    """Return a cohort of five cases, the last of which has no brain mask."""
    for number in range(5):
        write_labelled_scan(tmp_path / "cohort", f"case {number}", seed=number)
    (tmp_path / "cohort" / "case 4" / "ncct" / "brain.nii.gz").unlink()
    return tmp_path / "cohort"


def named(count, modality=Modality.NCCT, split=None):
    """Return a cohort of scans that are not there."""
    files = frozenset()
    scans = [LabelledScan(f"case {n}", modality, "none", files) for n in range(count)]
    return Cohort("cohort", tuple(scans), False, (), split)


def recipe(task="regions-coarse", modality="NCCT"):
    return parse_recipe(RECIPE.format(task=task, modality=modality))


def cases(scans):
    return [scan.case for scan in scans]


@pytest.mark.parametrize("task", sorted(VIEWS))
def test_a_sample_depends_on_its_index_only(folder, prior, task):
    scans = read_cohort(folder).scans[:4]
    one, other = (CohortDataset(scans, VIEWS[task], prior, (0, 1), 20) for _ in range(2))
    later = one[7]
    np.testing.assert_array_equal(other[7]["image"], later["image"])
    np.testing.assert_array_equal(other[7]["labels"], later["labels"])
    assert not torch.equal(one[8]["image"], later["image"])
    assert later["image"].dtype == torch.float32
    assert later["labels"].dtype == torch.uint8
    assert len(later["image"]) == VIEWS[task].channels


def test_all_scans_come_before_one_comes_again(folder, prior, monkeypatch):
    scans = read_cohort(folder).scans
    samples = CohortDataset(scans, VIEWS["brain"], prior, (0, 1), 20)
    seen = []
    labelled = samples._labelled
    monkeypatch.setattr(samples, "_labelled", lambda scan: seen.append(scan.case) or labelled(scan))
    for index in range(10):
        samples[index]
    assert sorted(seen[:5]) == sorted(seen[5:]) == cases(scans)
    assert seen[:5] != seen[5:]


def test_scans_are_kept_as_long_as_there_is_room_for_them(folder, prior, monkeypatch):
    scans = read_cohort(folder).scans
    reads = []
    read = cohort_samples.read_labelled
    monkeypatch.setattr(
        cohort_samples, "read_labelled", lambda scan: reads.append(scan) or read(scan)
    )
    roomy = CohortDataset(scans, VIEWS["brain"], prior, (0, 1), 20)
    for index in range(3 * len(scans)):
        roomy[index]
    assert len(reads) == len(scans)
    reads.clear()
    monkeypatch.setattr(cohort_samples, "_most_bytes", lambda: 1)
    narrow = CohortDataset(scans, VIEWS["brain"], prior, (0, 1), 20)
    for index in range(3 * len(scans)):
        narrow[index]
    assert len(reads) > 2 * len(scans)
    assert len(narrow._kept) == 1


def test_samples_can_be_sent_to_another_process(folder, prior):
    samples = CohortDataset(read_cohort(folder).scans[:1], VIEWS["brain"], prior, (0, 1), 4)
    assert samples[0]["image"].any()  # one that was used
    there = pickle.loads(pickle.dumps(samples))
    assert torch.equal(there[1]["image"], samples[1]["image"])


def test_the_regions_of_a_sample_lie_where_the_image_shows_them(folder, prior):
    samples = CohortDataset(
        read_cohort(folder).scans[:1], VIEWS["regions-coarse"], prior, (0, 1), 4
    )
    for index in range(4):
        labels = samples[index]["labels"].numpy()
        right, left = (np.isin(labels, range(first, first + 10)) for first in (1, 11))
        # i runs to the right, whether the sample was mirrored or not.
        assert ndimage.center_of_mass(right)[2] > ndimage.center_of_mass(left)[2] + 5
        assert set(range(REST_OF_BRAIN + 1)) == set(np.unique(labels))


def test_without_a_brain_mask_the_rest_of_the_head_is_unknown(folder, prior):
    with_mask, without = (
        CohortDataset([scan], VIEWS["regions-coarse"], prior, (0, 1), 4)[2]["labels"].numpy()
        for scan in read_cohort(folder).scans[3:]
    )
    assert REST_OF_BRAIN in with_mask
    assert IGNORED not in with_mask
    assert REST_OF_BRAIN not in without
    # Skull and scalp are unknown too; what surrounds the head is background.
    unknown = without == IGNORED
    assert (with_mask == REST_OF_BRAIN).sum() < unknown.sum() < 0.5 * unknown.size
    assert not without[:, [0, -1]].any()
    assert not np.isin(without, (0, IGNORED))[np.isin(with_mask, range(1, 21))].all()


def test_regions_are_compared_in_the_brain_also_where_there_is_no_mask_of_it(folder, prior):
    scans, view = read_cohort(folder).scans, VIEWS["asymmetry-cortical"]
    for scan in scans[3:]:
        image = CohortDataset([scan], view, prior, (0, 1), 4)[2]["image"][0]
        assert 0.05 < (image == OUTSIDE).float().mean() < 0.9
        # Skull would be at the upper end of the window.
        assert (image == 1.0).float().mean() < 0.02


def test_the_inside_of_a_head_includes_its_dark_parts():
    image = np.zeros((2, 9, 9), np.float32)
    image[:, 2:7, 2:7] = 0.5
    image[:, 4, 4] = 0.0
    inside = inside_head(image)
    assert inside.sum() == 2 * 25


def test_a_recipe_and_a_cohort_make_network_and_samples(folder, atlas):
    prepared = prepare_cohort(recipe(), read_cohort(folder), atlas)
    assert len(prepared.training) == 6
    assert 1 <= len(prepared.validation) <= 4
    sample = prepared.training[5]
    logits = prepared.network(sample["image"][None])
    assert logits.shape[1] == prepared.options["out_channels"] == REST_OF_BRAIN + 1


def test_the_brain_is_not_learned_without_masks(folder, atlas):
    with pytest.raises(InputRefusedError, match="expected a brain mask to learn the") as refused:
        prepare_cohort(recipe("brain"), read_cohort(folder), atlas)
    assert refused.value.code is ErrorCode.COHORT_INVALID
    assert refused.value.message.startswith("case case 4, ncct, brain.nii.gz: ")


@pytest.mark.parametrize(
    ("task", "name", "what"),
    [
        ("regions-coarse", "regions", "regions"),
        ("regions-fine", "regions", "regions"),
        ("infarct", "infarct", "an infarct mask"),
        ("asymmetry-cortical", "infarct", "an infarct mask"),
        ("asymmetry-subcortical", "regions", "regions"),
    ],
)
def test_a_scan_without_the_labels_of_the_task_is_named(folder, atlas, task, name, what):
    (folder / "case 2" / "ncct" / f"{name}.nii.gz").unlink()
    with pytest.raises(InputRefusedError) as refused:
        prepare_cohort(recipe(task), read_cohort(folder), atlas)
    words = f"expected {what} to learn the task {task}, found none"
    assert refused.value.message == f"case case 2, ncct, {name}.nii.gz: {words}"


def test_every_task_says_what_labels_it_needs():
    assert set(NEEDED) == set(VIEWS)


def test_a_cohort_without_the_modality_of_the_recipe_is_refused(folder, atlas):
    with pytest.raises(InputRefusedError, match="expected scans of dwi in cohort"):
        prepare_cohort(recipe(modality="DWI"), read_cohort(folder), atlas)


def test_no_case_is_both_trained_on_and_held_out():
    parts = split_cohort(named(200), [Modality.NCCT], 0.2)
    assert not set(cases(parts.training)) & set(cases(parts.validation))
    assert len(parts.training) + len(parts.validation) == 200
    assert 20 <= len(parts.validation) <= 60


def test_other_cases_do_not_move_a_case():
    small, large = (split_cohort(named(n), [Modality.NCCT], 0.2) for n in (50, 200))
    there = set(cases(large.validation)) & {f"case {n}" for n in range(50)}
    assert set(cases(small.validation)) == there


@pytest.mark.parametrize("share", [0.01, 0.99])
@pytest.mark.parametrize("count", [2, 3])
def test_a_small_cohort_has_both_parts(count, share):
    parts = split_cohort(named(count), [Modality.NCCT], share)
    assert parts.training
    assert parts.validation


def test_one_case_cannot_be_divided():
    with pytest.raises(InputRefusedError, match="at least two cases"):
        split_cohort(named(1), [Modality.NCCT], 0.2)
    parts = split_cohort(named(1), [Modality.NCCT], 0.0)
    assert (len(parts.training), parts.validation) == (1, ())


def test_a_split_of_the_cohort_counts():
    split = {"training": ("case 0",), "validation": ("case 2",), "test": ("case 1",)}
    parts = split_cohort(named(4, split=split), [Modality.NCCT], 0.2)
    assert (cases(parts.training), cases(parts.validation)) == (["case 0"], ["case 2"])


def test_a_split_that_trains_on_nothing_is_refused():
    split = {"training": ("case 9",), "validation": ("case 2",), "test": ()}
    with pytest.raises(InputRefusedError, match="expected scans to train on"):
        split_cohort(named(4, split=split), [Modality.NCCT], 0.2)


def test_a_modality_that_is_named_twice_is_trained_on_twice_as_often():
    parts = split_cohort(named(2), [Modality.NCCT, Modality.NCCT], 0.0)
    assert cases(parts.training) == ["case 0", "case 1"] * 2
