from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from cta_phantoms import small_angiography, with_vessels

from ASPECTSLib import delineation
from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of, swap_sides
from ASPECTSLib.delineation import MIN_AGREEMENT, RegionSource, delineate
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.evidence import average_slices
from ASPECTSLib.geometry import canonicalize, shrink
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.pipeline import ScoreOptions, score_study
from ASPECTSLib.prepared import seen_as_in_use
from ASPECTSLib.preprocessing.brain import brain_mask
from ASPECTSLib.preprocessing.handedness import is_heavier_on_the_left, mirror
from ASPECTSLib.preprocessing.intensity import REGISTRATION_WINDOW_HU
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.route import RegistrationRoute
from ASPECTSLib.scoring.overlap import region_dice

IC_RIGHT = region_of(RegionCode.IC, Side.RIGHT).label
MOST_LOST_BY_INFARCT = 0.03  # Dice of a side
SHA256 = "0" * 64
MODELS = tuple(
    SimpleNamespace(name=name, card=SimpleNamespace(sha256=SHA256))
    for name in (delineation.COARSE_MODEL, delineation.FINE_MODEL)
)


@pytest.fixture(scope="module")
def head(synthetic_patient):
    return canonicalize(synthetic_patient.scan).volume


@pytest.fixture(scope="module")
def registered(head, atlas):
    return delineate(head, atlas, RegionSource.REGISTRATION, Progress())


@pytest.fixture
def predicted(monkeypatch, head, registered):
    """Let the networks answer with label maps of the scan, which they see in the agreed handedness."""

    def in_agreed_handedness(labels):
        if not is_heavier_on_the_left(average_slices(head)):
            return labels
        return labels.with_array(swap_sides(mirror(labels).array))

    def answer_with(labels):
        monkeypatch.setattr(delineation, "region_models", lambda _source: MODELS)
        answer, deformed = (in_agreed_handedness(x) for x in (labels, registered.labels))
        found = SimpleNamespace(labels=answer, unaided=answer.array, deformed=deformed.array)
        monkeypatch.setattr(delineation, "_predict", lambda *_arguments: found)

    return answer_with


@pytest.fixture
def no_models(monkeypatch, tmp_path):
    monkeypatch.setattr("ASPECTSLib.inference.registry.MODELS_FOLDER", tmp_path)


def test_who_deforms_the_atlas_can_be_chosen_and_is_told(small_scan, atlas):
    pytest.importorskip("torch")
    head = canonicalize(small_scan).volume
    for asked, taken in (("auto", "torch"), ("simpleitk", "simpleitk")):
        route = RegistrationRoute(asked)
        found = delineate(head, atlas, RegionSource.REGISTRATION, Progress(), route)
        assert found.registration is RegistrationRoute(taken)
        assert not found.quality.failures


def test_vessels_are_filled_for_the_registration_with_contrast_agent_only(synthetic_patient, atlas):
    plain = canonicalize(shrink(synthetic_patient.scan, (2, 2, 1))).volume
    calcified = with_vessels(plain, brain_mask(plain), count=2)
    angiography = canonicalize(small_angiography(synthetic_patient)).volume
    for scan, are_filled in ((calcified, False), (angiography, True)):
        brain = seen_as_in_use(scan, scan, Modality.NCCT, atlas)
        hu, inside = brain.prepared.volume.array, brain.prepared.mask.array
        dense = inside & (hu > np.median(hu[inside]) + 60.0)
        assert dense.any()
        assert (brain.fixed.array[dense] < REGISTRATION_WINDOW_HU[1]).all() == are_filled


def test_registration_asks_no_network(registered):
    assert registered.source is RegionSource.REGISTRATION
    assert registered.models == ()
    assert registered.agreement is None


def test_an_infarct_does_not_pull_the_regions_of_its_side_away(registered, synthetic_patient):
    truth = canonicalize(synthetic_patient.regions).volume
    dice = region_dice(registered.labels.array, truth.array)
    by_side = {
        side: np.mean([dice[r.label - 1] for r in REGIONS if r.side is side]) for side in Side
    }
    assert {region.side for region in synthetic_patient.affected} == {Side.LEFT}
    assert by_side[Side.LEFT] > by_side[Side.RIGHT] - MOST_LOST_BY_INFARCT


@pytest.mark.usefixtures("no_models")
def test_without_models_automatic_regions_are_registered():
    assert delineation.region_models(RegionSource.AUTO) == ()


@pytest.mark.usefixtures("no_models")
def test_without_models_regions_by_network_are_refused():
    pytest.importorskip("torch")
    with pytest.raises(ResourceError) as caught:
        delineation.region_models(RegionSource.NETWORK)
    assert caught.value.code is ErrorCode.MODEL_NOT_FOUND


def test_without_torch_automatic_regions_are_registered(monkeypatch):
    monkeypatch.setattr(delineation.importlib.util, "find_spec", lambda _name: None)
    assert delineation.region_models(RegionSource.AUTO) == ()


def test_without_torch_regions_by_network_are_refused_with_a_way_out(monkeypatch):
    monkeypatch.setattr(delineation.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ResourceError, match="--regions registration") as caught:
        delineation.region_models(RegionSource.NETWORK)
    assert caught.value.code is ErrorCode.TORCH_MISSING


def test_networks_regions_are_taken_and_compared_with_the_registered(
    head, atlas, registered, predicted
):
    predicted(registered.labels)
    found = delineate(head, atlas, RegionSource.AUTO, Progress())
    assert found.source is RegionSource.NETWORK
    assert found.models == MODELS
    assert found.agreement == pytest.approx(1.0)
    np.testing.assert_array_equal(found.labels.array, registered.labels.array)


def test_regions_of_the_registration_are_not_made_where_the_networks_are_taken(
    head, atlas, registered, predicted, monkeypatch
):
    def refuse(*_):
        raise AssertionError

    predicted(registered.labels)
    monkeypatch.setattr(delineation, "warp_labels", refuse)
    found = delineate(head, atlas, RegionSource.NETWORK, Progress())
    assert found.source is RegionSource.NETWORK
    assert found.quality == registered.quality


def test_mirrored_scan_gives_mirrored_regions_of_the_registration(head, atlas, registered):
    found = delineate(mirror(head), atlas, RegionSource.REGISTRATION, Progress())
    np.testing.assert_array_equal(found.labels.array, swap_sides(mirror(registered.labels).array))


def test_regions_that_disagree_are_warned_of(synthetic_patient, registered, predicted):
    predicted(registered.labels.with_array(np.roll(registered.labels.array, 30, axis=1)))
    scan = Scan(synthetic_patient.scan, ("scan.nii.gz",))
    quality = score_study(scan, ScoreOptions(method="classical")).result.quality
    assert quality.registration["agreement"] < MIN_AGREEMENT
    assert "REGIONS_DISAGREE" in [warning.code for warning in quality.warnings]


def lost(labels):
    """Return labels of which the network has lost a region, of some three millilitres."""
    return labels.with_array(np.where(labels.array == IC_RIGHT, 0, labels.array))


def test_automatic_regions_go_back_to_the_registration_where_a_network_loses_one(
    head, atlas, registered, predicted
):
    predicted(lost(registered.labels))
    found = delineate(head, atlas, RegionSource.AUTO, Progress())
    assert found.source is RegionSource.REGISTRATION
    assert found.is_doubtful
    assert found.agreement > MIN_AGREEMENT
    np.testing.assert_array_equal(found.labels.array, registered.labels.array)


def test_networks_that_are_asked_for_by_name_are_taken_as_they_are(
    head, atlas, registered, predicted
):
    predicted(lost(registered.labels))
    found = delineate(head, atlas, RegionSource.NETWORK, Progress())
    assert found.source is RegionSource.NETWORK
    assert found.is_doubtful
    assert not (found.labels.array == IC_RIGHT).any()


def test_the_result_names_the_networks(synthetic_patient, registered, predicted):
    predicted(registered.labels)
    scan = Scan(synthetic_patient.scan, ("scan.nii.gz",))
    method = score_study(scan, ScoreOptions(method="classical")).result.method
    assert method.options["regions"] == "network"
    named = {model.name: model.sha256 for model in method.models}
    assert named["regions-coarse"] == named["regions-fine"] == SHA256


def test_the_result_says_where_its_regions_come_from(synthetic_patient):
    options = ScoreOptions(method="classical", regions=RegionSource.REGISTRATION)
    result = score_study(Scan(synthetic_patient.scan, ("scan.nii.gz",)), options).result
    assert result.method.options["regions"] == "registration"
