"""Finding the twenty regions of a head: by registration of the atlas, by networks, or by the better of both."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import REGIONS, swap_sides
from ASPECTSLib.errors import ContentRefusedError, ErrorCode, ResourceError
from ASPECTSLib.evidence import average_slices
from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.pose import RegisteredAtlas
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.prepared import Brain, PreparedHead, brain_on_ct, stripped_brain
from ASPECTSLib.preprocessing.handedness import is_heavier_on_the_left, mirror
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.affine import register_affine
from ASPECTSLib.registration.mapping import Mapping, warp_labels
from ASPECTSLib.registration.quality import RegistrationQuality, measure_quality
from ASPECTSLib.registration.route import RegistrationRoute, deform, resolve_route
from ASPECTSLib.scoring.overlap import region_dice

if TYPE_CHECKING:
    from ASPECTSLib.inference.card import ModelFile
    from ASPECTSLib.inference.regions import PredictedRegions

COARSE_MODEL, FINE_MODEL = "regions-coarse", "regions-fine"
"""Names of the cascade's models."""

MIN_REGION_COVERAGE = 0.90
"""Share of the regions' volume that must lie in the scan."""

MIN_AGREEMENT = 0.60
"""Mean Dice between the regions of networks and registration below which one of them is likely to be wrong; 0.88 and
0.86 on two real CT, 0.57 on a real DWI of which a network before the present one lost two regions."""

MIN_VOLUME_SHARE = 0.25
"""Of each registered region's volume: a network that leaves less of one has lost it."""


_GREY_LEVELS = 100.0


class RegionSource(StrEnum):
    """Where regions come from.

    `auto` takes the networks where PyTorch and the models are there, and the registration where they are not.
    """

    AUTO = "auto"
    NETWORK = "network"
    REGISTRATION = "registration"


@dataclass(frozen=True, eq=False)
class Delineation:
    """A prepared head with its regions on the scan's own slices, and how well the atlas fits.

    Parameters
    ----------
    prepared
        CT on slices averaged to the thickness that is compared.
    labels
        uint8 label map on the scan's own slices, 0 to 20.
    quality
        Of the registration, which is made in any case: it decides whether the program abstains.
    source
        Where the regions come from, never `auto`.
    registration
        Who deformed the atlas, never `auto`.
    models
        The networks that were used.
    agreement
        Mean Dice between the regions of both sources; None if only the registration was asked.
    is_doubtful
        Whether the two place the regions so differently that one of them is likely to be wrong.
    """

    prepared: PreparedHead
    labels: Volume
    quality: RegistrationQuality
    source: RegionSource
    registration: RegistrationRoute
    models: tuple[ModelFile, ...] = ()
    agreement: float | None = None
    is_doubtful: bool = False

    def mirrored(self) -> Delineation:
        """Return what is found in the mirror image of the head."""
        prepared = PreparedHead(
            mirror(self.prepared.volume),
            mirror(self.prepared.mask),
            self.prepared.midplane.mirrored(),
        )
        labels = mirror(self.labels)
        return replace(self, prepared=prepared, labels=labels.with_array(swap_sides(labels.array)))


@dataclass(frozen=True, eq=False)
class FittedAtlas:
    """An atlas that was deformed to a brain.

    Parameters
    ----------
    mapping
        From points of the scan to points of the atlas.
    quality
        How well it fits.
    route
        Who deformed it, never `auto`.
    """

    mapping: Mapping
    quality: RegistrationQuality
    route: RegistrationRoute


def delineate(
    volume: Volume,
    atlas: Atlas,
    source: RegionSource,
    progress: Progress,
    registration: RegistrationRoute = RegistrationRoute.AUTO,
) -> Delineation:
    """Find the regions of a head CT, working on the mirror image where that is the agreed handedness.

    Parameters
    ----------
    volume
        HU, in the image frame.
    atlas
        Registered to the brain; its pose is that of the networks.
    source
        Where regions come from.
    progress
        Told of each stage, and asked for cancellation.
    registration
        Who deforms the atlas to it.

    Raises
    ------
    ContentRefusedError
        If the scan holds no brain, or not all regions.
    ResourceError
        If networks or torch were asked for by name and PyTorch or a model is missing or damaged.
    """
    working = average_slices(volume)
    if not is_heavier_on_the_left(working):
        brain = replace(brain_on_ct(working, volume, atlas, progress), registration=registration)
        return find_regions(brain, atlas, source, progress)
    brain = replace(
        brain_on_ct(mirror(working), volume, atlas, progress), registration=registration
    )
    return find_regions(brain, atlas, source, progress).mirrored()


def delineate_stripped(
    image: Volume,
    brain: NDArray[np.bool_],
    modality: Modality,
    atlas: Atlas,
    source: RegionSource,
    progress: Progress,
) -> Delineation:
    """Find the regions of a brain whose skull is not seen, in one handedness for it and its mirror image.

    Parameters
    ----------
    image
        In the image frame, any unit; infarcts filled with usual tissue.
    brain
        bool mask on its grid.
    modality
        In whose contrast the atlas is registered.
    atlas, source, progress
        As in `find_regions`.

    Raises
    ------
    ContentRefusedError
        PARTIAL_COVERAGE if not all regions lie in the scan.
    ResourceError
        If networks were asked for by name and PyTorch or a model is missing or damaged.
    """
    mask = image.with_array(brain)
    level = float(np.median(image.array[brain]))
    # In whole numbers, of which sums are exact.
    scaled = image.with_array(np.rint(image.array * (_GREY_LEVELS / level)))
    is_mirrored = is_heavier_on_the_left(scaled)
    if is_mirrored:
        image, mask = mirror(image), mirror(mask)
    seen = stripped_brain(image, mask, modality, atlas, progress)
    found = find_regions(seen, atlas, source, progress)
    return found.mirrored() if is_mirrored else found


def find_regions(
    brain: Brain, atlas: Atlas, source: RegionSource, progress: Progress
) -> Delineation:
    """Find the regions of a brain.

    Parameters
    ----------
    brain
        In whichever handedness is worked in.
    atlas
        Registered to the brain in any case; its pose is that of the networks.
    source
        Where regions come from; `auto` goes back to the registration where the networks' regions are not plausible.
    progress
        Told of each stage, and asked for cancellation.

    Raises
    ------
    ContentRefusedError
        PARTIAL_COVERAGE if not all regions lie in the scan.
    ResourceError
        If networks were asked for by name and PyTorch or a model is missing or damaged.
    """
    models = region_models(source)
    fitted = register(brain, atlas, progress)
    if not models or fitted.quality.failures:
        return _carried(brain, atlas, fitted)
    progress.stage("regions by network", 0.68)
    found = _predict(brain, atlas, models, fitted.mapping)
    agreement = float(region_dice(found.unaided, found.deformed).mean())
    is_doubtful = not _agree(found.unaided, found.deformed, agreement)
    if is_doubtful and source is RegionSource.AUTO:
        registered = _carried(brain, atlas, fitted)
        return replace(registered, models=models, agreement=agreement, is_doubtful=True)
    return Delineation(
        brain.prepared,
        found.labels,
        fitted.quality,
        RegionSource.NETWORK,
        fitted.route,
        models,
        agreement,
        is_doubtful,
    )


def _carried(brain: Brain, atlas: Atlas, fitted: FittedAtlas) -> Delineation:
    """Return the regions of the registration, on the scan's own slices."""
    labels = warp_labels(atlas.regions, fitted.mapping, brain.mask)
    source = RegionSource.REGISTRATION
    return Delineation(brain.prepared, labels, fitted.quality, source, fitted.route)


def _agree(labels: NDArray[np.uint8], registered: NDArray[np.uint8], agreement: float) -> bool:
    """Return whether the networks' regions are about where the registration has them, and none of them is lost."""
    volumes, expected = (
        np.bincount(array.ravel(), minlength=len(REGIONS) + 1)[1:] for array in (labels, registered)
    )
    return agreement >= MIN_AGREEMENT and bool((volumes >= MIN_VOLUME_SHARE * expected).all())


def region_models(source: RegionSource) -> tuple[ModelFile, ...]:
    """Return the networks' files, fine before coarse, which may be missing; none where only registration is wanted."""
    if source is RegionSource.REGISTRATION:
        return ()
    if importlib.util.find_spec("torch") is None:
        if source is RegionSource.AUTO:
            return ()
        message = "expected PyTorch for regions by network, which is not installed; use --regions registration"
        raise ResourceError(ErrorCode.TORCH_MISSING, message)
    from ASPECTSLib.inference.registry import find_model, find_optional_model

    fine = (
        find_optional_model(FINE_MODEL) if source is RegionSource.AUTO else find_model(FINE_MODEL)
    )
    coarse = find_optional_model(COARSE_MODEL)
    return tuple(model for model in (fine, coarse) if model is not None) if fine else ()


def register(brain: Brain, atlas: Atlas, progress: Progress | None = None) -> FittedAtlas:
    """Register the atlas.

    Parameters
    ----------
    brain, atlas, progress
        As in `find_regions`.

    Raises
    ------
    ContentRefusedError
        PARTIAL_COVERAGE if not all regions lie in the scan.
    """
    progress = progress or Progress()
    fixed, template = brain.fixed, brain.template
    route = resolve_route(brain.registration)
    progress.stage("affine registration", 0.30)
    matrix = register_affine(fixed, template, brain.prepared.midplane.pose, progress)
    progress.stage("deformable registration", 0.40)
    mapping = deform(fixed, template, matrix, route, progress)
    progress.stage("regions", 0.60)
    quality = measure_quality(fixed, mapping, template, atlas.brain_probability(), atlas.regions)
    if quality.region_coverage < MIN_REGION_COVERAGE:
        message = (
            f"expected all ASPECTS regions in the scan, but {1 - quality.region_coverage:.0%} "
            "of them lie beyond its ends"
        )
        raise ContentRefusedError(ErrorCode.PARTIAL_COVERAGE, message)
    return FittedAtlas(mapping, quality, route)


def _predict(
    brain: Brain, atlas: Atlas, models: tuple[ModelFile, ...], mapping: Mapping
) -> PredictedRegions:
    from ASPECTSLib.inference.inputs import region_prior
    from ASPECTSLib.inference.regions import RegionNetworks, predict_regions
    from ASPECTSLib.inference.registry import load_network

    fine, *coarse = models
    networks = RegionNetworks(load_network(fine), load_network(coarse[0]) if coarse else None)
    prior, volume = region_prior(atlas), brain.prepared.volume
    registered = RegisteredAtlas(atlas.regions, mapping)
    return predict_regions(networks, volume, brain.modality, prior, brain.mask, registered)
