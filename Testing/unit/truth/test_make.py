from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from axis_orders import reordered
from truth_phantoms import CORE, core_mask, flow_map, mirrored_about

from ASPECTSLib.atlas.regions import REGIONS, swap_sides
from ASPECTSLib.delineation import RegionSource, delineate
from ASPECTSLib.errors import ErrorCode, InputRefusedError, UsageError
from ASPECTSLib.evidence import average_slices
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.flow import FlowMap
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration import quality
from ASPECTSLib.scoring.overlap import dice
from ASPECTSLib.truth import mapped
from ASPECTSLib.truth.case import truth_csv, truth_record
from ASPECTSLib.truth.make import TruthOptions, truth_from_flow, truth_from_mask

OPTIONS = TruthOptions(regions=RegionSource.REGISTRATION)
AFFECTED = {(code, "left") for code in CORE}


@pytest.fixture(scope="module")
def flow(synthetic_patient):
    return flow_map(synthetic_patient)


@pytest.fixture(scope="module")
def mask(synthetic_patient):
    drawn = core_mask(synthetic_patient)
    return drawn.with_array(drawn.array > 0)


@pytest.fixture(scope="module")
def found(small_scan, atlas):
    """Return the regions of the scan, found once: what is tested here comes after."""
    return delineate(canonicalize(small_scan).volume, atlas, OPTIONS.regions, Progress())


@pytest.fixture(scope="module", autouse=True)
def known_regions(found):
    """Find the regions of the scan and of its mirror image without looking."""

    def known(volume, *_):
        as_is = found.prepared.volume.array
        is_same = np.array_equal(average_slices(volume).array, as_is)
        return found if is_same else found.mirrored()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "delineate", known)
        yield


def scan_of(volume):
    return Scan(volume, ("john-doe.nii.gz",))


def by_flow(volume, flow, atlas, **changes):
    options = replace(OPTIONS, **changes)
    return truth_from_flow(
        scan_of(volume), FlowMap(flow, ("cbf.nii.gz",)), options, atlas, Progress()
    )


def by_mask(volume, mask, atlas):
    return truth_from_mask(scan_of(volume), mask, OPTIONS, atlas, Progress())


@pytest.fixture(scope="module")
def truth(small_scan, flow, atlas):
    return by_flow(small_scan, flow, atlas)


@pytest.fixture(scope="module")
def masked(small_scan, mask, atlas):
    return by_mask(small_scan, mask, atlas)


def called(truth):
    return {(region.code.value, region.side.value) for region in truth.affected}


def drawn_on_the_scan(patient):
    """Return where the drawn core covers more than half of a voxel of the coarse scan."""
    drawn = core_mask(patient).array
    return drawn.reshape(16, 2, 64, 4, 64, 4).mean(axis=(1, 3, 5)) > 0.5


def test_regions_whose_flow_is_low_are_affected(truth):
    assert called(truth) == AFFECTED
    assert (truth.score.right, truth.score.left) == (10, 7)
    assert truth.warnings == ()


def test_the_core_lies_where_the_flow_is_low(truth, synthetic_patient, small_scan):
    core = truth.mapped.canonical.restore(truth.infarct.astype(np.uint8))
    np.testing.assert_allclose(core.affine, small_scan.affine)
    assert dice(core.array > 0, drawn_on_the_scan(synthetic_patient)) > 0.75
    assert not truth.infarct[~truth.mapped.brain].any()


def test_a_mask_on_another_grid_gives_what_it_covers(masked, synthetic_patient):
    assert called(masked) == AFFECTED
    assert dice(masked.infarct, drawn_on_the_scan(synthetic_patient)) > 0.9


def test_a_mirrored_study_gives_the_mirrored_truth(truth, small_scan, flow, atlas):
    turned = by_flow(mirrored(small_scan), mirrored_about(flow, small_scan), atlas)
    assert called(turned) == {(code, "right") for code in CORE}
    assert dice(turned.infarct[..., ::-1], truth.infarct) > 0.999
    labels = turned.mapped.found.labels.array[..., ::-1]
    np.testing.assert_array_equal(swap_sides(labels), truth.mapped.found.labels.array)
    fractions, others = ([t.fractions[region] for region in REGIONS] for t in (truth, turned))
    np.testing.assert_allclose(others[10:] + others[:10], fractions, atol=2e-3)


def mirrored(volume):
    return volume.with_array(np.ascontiguousarray(volume.array[..., ::-1]))


def test_files_with_other_axes_give_the_same_truth(truth, small_scan, flow, atlas):
    scan = reordered(small_scan, (2, 0, 1), (True, False, True))
    turned = by_flow(scan, reordered(flow, (1, 0, 2), (False, True, True)), atlas)
    np.testing.assert_array_equal(turned.infarct, truth.infarct)
    assert truth_csv(turned) == truth_csv(truth)
    restored = turned.mapped.canonical.restore(turned.infarct)
    assert restored.array.shape == scan.array.shape


def test_a_mask_with_other_axes_gives_the_same_truth(masked, small_scan, mask, atlas):
    turned = by_mask(small_scan, reordered(mask, (2, 1, 0), (True, True, False)), atlas)
    np.testing.assert_array_equal(turned.infarct, masked.infarct)


def test_a_map_alone_tells_regions_and_core(synthetic_patient, atlas):
    flow = flow_map(synthetic_patient)
    alone = truth_from_flow(None, FlowMap(flow, ("cbf.nii.gz",)), OPTIONS, atlas, Progress())
    assert called(alone) >= AFFECTED
    assert all(side == "left" for _, side in called(alone))


def test_a_healthy_map_gives_a_case_without_infarct(small_scan, synthetic_patient, atlas):
    healthy = by_flow(small_scan, flow_map(synthetic_patient, ()), atlas)
    assert called(healthy) == set()
    assert [warning.code for warning in healthy.warnings] == ["NO_INFARCT"]


def test_an_empty_mask_gives_a_case_without_infarct(small_scan, mask, atlas):
    empty = by_mask(small_scan, mask.with_array(np.zeros_like(mask.array)), atlas)
    assert empty.core_ml == 0.0
    assert [warning.code for warning in empty.warnings] == ["NO_INFARCT"]


def test_the_record_names_no_file(masked, atlas):
    record = truth_record(masked, atlas)
    assert record["aspects"] == {"score": 7, "side": "left", "left": 7, "right": 10}
    assert record["options"]["affected_fraction"] == 0.1
    assert "john" not in str(record)
    assert len(record["regions"]) == len(REGIONS)


def refusal(call, *arguments):
    with pytest.raises(InputRefusedError) as caught:
        call(*arguments)
    assert caught.value.message.startswith("expected")
    return caught.value.code


@pytest.mark.parametrize("factor", [1 / 60.0, 20.0])
def test_flow_in_another_unit_is_refused(small_scan, flow, atlas, factor):
    scaled = flow.with_array(flow.array * np.float32(factor))
    assert refusal(by_flow, small_scan, scaled, atlas) == ErrorCode.IMPLAUSIBLE_UNITS


def test_what_lies_elsewhere_is_refused_before_anything_is_done(small_scan, flow, mask, atlas):
    assert refusal(by_flow, small_scan, moved(flow, 400.0), atlas) == ErrorCode.GEOMETRY_INVALID
    assert refusal(by_mask, small_scan, moved(mask, 400.0), atlas) == ErrorCode.GEOMETRY_INVALID


def test_an_infarct_beside_the_brain_is_refused(small_scan, mask, atlas):
    assert refusal(by_mask, small_scan, moved(mask, -60.0), atlas) == ErrorCode.GEOMETRY_INVALID


def test_a_mask_of_the_whole_brain_is_no_infarct(small_scan, truth, atlas):
    brain = truth.mapped.canonical.restore(truth.mapped.brain)
    assert refusal(by_mask, small_scan, brain, atlas) == ErrorCode.COHORT_INVALID


def test_a_map_of_some_slices_is_refused_where_regions_are_missing(small_scan, flow, atlas):
    part = slice(len(flow.array) // 2, None)
    affine = flow.affine.copy()
    affine[:3, 3] += affine[:3, 2] * part.start
    upper = Volume(flow.array[part], affine)
    assert refusal(by_flow, small_scan, upper, atlas) == ErrorCode.PARTIAL_COVERAGE


def test_a_head_that_the_atlas_does_not_fit_is_refused(small_scan, mask, atlas, monkeypatch):
    monkeypatch.setattr(quality, "MIN_BRAIN_DICE", 1.01)
    assert refusal(by_mask, small_scan, mask, atlas) == ErrorCode.LOW_REGISTRATION_QUALITY


def test_an_affected_share_that_cannot_be_is_refused():
    with pytest.raises(UsageError, match="between 0 and 1, got 10"):
        TruthOptions(affected_fraction=10.0)


def moved(volume, x_mm):
    affine = volume.affine.copy()
    affine[0, 3] += x_mm
    return Volume(volume.array, affine)
