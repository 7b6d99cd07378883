from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic_head_phantoms import LARGE_SHAPE, phantom_anatomy, phantom_head

from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.synthesis.acquisition import Acquisition, draw_acquisition
from ASPECTSLib.synthesis.artefacts import ArtefactRates
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.ncct import AIR_HU
from ASPECTSLib.synthesis.placement import Placement
from ASPECTSLib.synthesis.scanners import MIN_HU, SCANNERS, CtScanner

CLEAN = ArtefactRates.none()
SMALL = Acquisition((48, 48, 12), (1.8, 1.8, 6.0), 0.6)
FLAT_HU = 30.0


@pytest.fixture(scope="module")
def healthy():
    return phantom_head(phantom_anatomy(LARGE_SHAPE))


def straight(anatomy) -> Placement:
    return Placement(
        np.eye(4), torch.zeros_like(torch.from_numpy(anatomy.atlas_points)), anatomy.affine
    )


def scanned(head, seed=1, scanner=None, acquisition=SMALL):
    scanner = scanner or CtScanner(artefacts=CLEAN)
    return scanner.scan(head, straight(head.anatomy), acquisition, Draw((seed,)))["ncct"]


def flat_scan(monkeypatch, head, scanner, acquisition):
    """Scan a head that is of one density throughout."""
    flat = torch.full(LARGE_SHAPE, FLAT_HU)
    monkeypatch.setattr("ASPECTSLib.synthesis.scanners.render_ncct", lambda *_: flat)
    return scanned(head, scanner=scanner, acquisition=acquisition).astype(np.float64)


@pytest.mark.parametrize("slice_mm", [1.25, 5.0])
@pytest.mark.parametrize("noise_hu", [2.0, 5.0])
def test_noise_of_a_flat_phantom_is_as_asked_for(healthy, monkeypatch, slice_mm, noise_hu):
    scanner = CtScanner(noise_hu=(noise_hu, noise_hu), clipped=0.0, artefacts=CLEAN)
    slices = round(20.0 / slice_mm)
    grid = Acquisition((100, 100, slices), (0.5, 0.5, slice_mm), 0.6)
    inner = flat_scan(monkeypatch, healthy, scanner, grid)
    # Whole HU add 1/12 to the variance.
    deviation = np.sqrt(inner.var() - 1 / 12)
    assert deviation == pytest.approx(noise_hu * np.sqrt(5.0 / slice_mm), rel=0.1)
    assert inner.mean() == pytest.approx(FLAT_HU, abs=0.5)


def test_overlapping_slices_share_noise(healthy, monkeypatch):
    scanner = CtScanner(noise_hu=(20.0, 20.0), clipped=0.0, artefacts=CLEAN)
    correlations = []
    for overlap in (0.0, 0.6):
        grid = Acquisition((100, 100, 8), (0.5, 0.5, 2.0), 0.6, overlap)
        residual = flat_scan(monkeypatch, healthy, scanner, grid) - FLAT_HU
        correlations.append((residual[:-1] * residual[1:]).mean() / residual.var())
    assert abs(correlations[0]) < 0.05
    assert correlations[1] == pytest.approx(0.375, abs=0.08)


def test_same_seed_gives_the_same_scan(healthy):
    always = CtScanner(artefacts=ArtefactRates(1.0, 1.0, 1.0, 1.0, 1.0, 1.0))
    for scanner in (None, always):
        assert np.array_equal(scanned(healthy, scanner=scanner), scanned(healthy, scanner=scanner))


def test_clipped_scans_have_no_density_below_0(healthy):
    clipped = scanned(healthy, scanner=CtScanner(clipped=1.0, artefacts=CLEAN))
    whole = scanned(healthy, scanner=CtScanner(clipped=0.0, artefacts=CLEAN))
    assert clipped.min() == 0
    assert MIN_HU <= whole.min() < AIR_HU + 100
    assert np.array_equal(clipped, whole.clip(0))


def test_artefacts_do_not_change_the_noise_and_the_head(healthy):
    circle = ArtefactRates(**(vars(CLEAN) | {"circle": 1.0}))
    plain = scanned(healthy, scanner=CtScanner(clipped=0.0, artefacts=CLEAN))
    round_ = scanned(healthy, scanner=CtScanner(clipped=0.0, artefacts=circle))
    middle = (slice(None), slice(10, 38), slice(10, 38))
    assert np.array_equal(plain[middle], round_[middle])
    assert (plain[:, 0, 0] != round_[:, 0, 0]).any()


@pytest.mark.parametrize("modality", list(SCANNERS))
def test_every_scanner_gives_whole_numbers_on_its_grid(healthy, modality):
    scanner = SCANNERS[modality]
    placement = scanner.placed(healthy, straight(healthy.anatomy), Draw((1,)))
    images = scanner.scan(healthy, placement, SMALL, Draw((1,)))
    for image in images.values():
        assert image.dtype == np.int16
        assert image.shape == SMALL.size[::-1]
        assert image.std() > 0.0


@pytest.mark.parametrize("modality", list(SCANNERS))
def test_scanners_draw_grids_of_their_own(modality):
    scans = replace(SCANNERS[modality].scans, height_mm=(140.0, 141.0))
    drawn = draw_acquisition(scans, Draw((1,)))
    assert drawn.size[2] * drawn.spacing_mm[2] == pytest.approx(140.0, abs=drawn.spacing_mm[2])


def test_brain_of_a_scan_has_the_density_of_brain(healthy):
    scan = scanned(healthy, scanner=CtScanner(clipped=0.0, artefacts=CLEAN))
    white = healthy.is_any(Tissue.WHITE_MATTER).sum()
    assert white > 0
    assert 15 < np.median(scan[5:8, 18:30, 18:30]) < 50


def test_stripped_diffusion_has_no_skull(healthy):
    scanner = replace(SCANNERS[Modality.DWI], stripped=1.0)
    images = scanner.scan(healthy, straight(healthy.anatomy), SMALL, Draw((1,)))
    assert (images["dwi"][:, 0] == 0).all()
    assert (images["dwi"] > 0).any()
