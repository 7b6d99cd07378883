"""What every system is asked for and gives."""

from __future__ import annotations

from dataclasses import dataclass

from ASPECTSLib.atlas.regions import AFFECTED_FRACTION
from ASPECTSLib.delineation import Delineation, RegionSource
from ASPECTSLib.device import AUTO as AUTO_DEVICE
from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.geometry import CanonicalVolume
from ASPECTSLib.inference.card import ModelFile
from ASPECTSLib.io.scan import NoteCode, Scan
from ASPECTSLib.methods import ATLAS_REGISTRATION, AUTO, check_method
from ASPECTSLib.registration.route import RegistrationRoute
from ASPECTSLib.report.result import KeySlicesInfo, ModelInfo, StudyResult
from ASPECTSLib.report.writer import StudyImages
from ASPECTSLib.scoring.key_slices import find_key_slices

_RESAMPLING_NOTES = frozenset({NoteCode.RESAMPLED_TILT, NoteCode.RESAMPLED_SPACING})


@dataclass(frozen=True)
class ScoreOptions:
    """Choices of the user.

    Parameters
    ----------
    method
        A name of `ASPECTSLib.methods`; `auto` takes the best for the modality.
    age_years
        Overrides the age of the scan's header.
    regions
        Where the twenty regions come from.
    affected_fraction
        Where an infarct is segmented: a region with more than this share infarcted is affected.
    mirroring
        Whether networks that segment infarct see the mirror image, too.
    atlas
        Folder of an atlas of the user's own, for head CT; that which ships when left out.
    registration
        Who deforms the atlas to a head CT or diffusion MRI.
    device
        Where networks and registration compute, a name of `ASPECTSLib.device.find_device`.

    Raises
    ------
    UsageError
        METHOD_UNAVAILABLE if there is no such method, USAGE if the share is not between 0 and 1, or if regions by
        networks are asked for together with an atlas.
    """

    method: str = AUTO
    age_years: float | None = None
    regions: RegionSource = RegionSource.AUTO
    affected_fraction: float = AFFECTED_FRACTION
    mirroring: bool = False
    atlas: str | None = None
    registration: RegistrationRoute = RegistrationRoute.AUTO
    device: str = AUTO_DEVICE

    def __post_init__(self) -> None:
        check_method(self.method)
        if not 0.0 < self.affected_fraction < 1.0:
            message = f"expected an affected share between 0 and 1, got {self.affected_fraction}"
            raise UsageError(ErrorCode.USAGE, message)
        by_atlas = self.atlas is not None or self.method == ATLAS_REGISTRATION
        if by_atlas and self.regions is RegionSource.NETWORK:
            message = (
                "expected regions by registration, which an atlas gives, got --regions network"
            )
            raise UsageError(ErrorCode.USAGE, message)


@dataclass(frozen=True, eq=False)
class ScoredStudy:
    """A result with its images, which lie on the grid of the scan as it was given."""

    result: StudyResult
    images: StudyImages


def key_slices_of(canonical: CanonicalVolume, found: Delineation) -> KeySlicesInfo:
    """Return the two key slices in the order of the scan as it was given."""
    spacing_mm = float(canonical.volume.spacing_mm[2])
    key_slices = find_key_slices(found.labels.array, spacing_mm)
    return KeySlicesInfo(
        axis=canonical.slice_axis,
        ganglionic=canonical.restore_slice(key_slices.ganglionic),
        supraganglionic=canonical.restore_slice(key_slices.supraganglionic),
    )


def model_infos(models: tuple[ModelFile | ModelInfo, ...]) -> tuple[ModelInfo, ...]:
    """Return the models that took part, for the result."""
    return tuple(
        model if isinstance(model, ModelInfo) else ModelInfo(model.name, model.card.sha256)
        for model in models
    )


def is_resampled(scan: Scan) -> bool:
    """Return whether a scan had to be brought to a regular grid when it was read."""
    return any(note.code in _RESAMPLING_NOTES for note in scan.notes)
