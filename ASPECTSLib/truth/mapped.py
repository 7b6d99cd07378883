"""A scan with its brain and its twenty regions, whatever its modality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.delineation import Delineation, RegionSource, delineate, delineate_stripped
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.evidence import averaged_slices
from ASPECTSLib.geometry import CanonicalVolume, Volume, canonicalize, expand
from ASPECTSLib.io.scan import Modality, Scan, ScanNote
from ASPECTSLib.methods import DWI_UNET3D
from ASPECTSLib.preprocessing.continuity import check_continuity
from ASPECTSLib.preprocessing.contrast_agent import require_contrast
from ASPECTSLib.preprocessing.diffusion import prepare_diffusion
from ASPECTSLib.preprocessing.diffusion_content import check_diffusion
from ASPECTSLib.preprocessing.handedness import is_heavier_on_the_left, mirror
from ASPECTSLib.preprocessing.head_part import head_of
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.progress import Progress
from ASPECTSLib.systems.brain_volume import check_brain_volume
from ASPECTSLib.systems.diffusion import BRAIN_MODEL
from ASPECTSLib.systems.models import required_models
from ASPECTSLib.truth.checks import refuse_misplaced

if TYPE_CHECKING:
    from ASPECTSLib.inference.card import ModelFile

_GREY_LEVELS = 100.0


@dataclass(frozen=True, eq=False)
class MappedScan:
    """A scan with its regions, in the image frame.

    Parameters
    ----------
    modality
        Of the scan.
    canonical
        The scan in the image frame, HU for CT, and the way back to its own grid.
    found
        Regions, and the midplane.
    brain
        bool mask on the scan's own slices.
    adc
        Of diffusion MRI: float32 on the same grid, 1e-6 mm2/s, 0 where unknown; None where there is none.
    models
        The networks that took part.
    notes
        What was changed or assumed.
    """

    modality: Modality
    canonical: CanonicalVolume
    found: Delineation
    brain: NDArray[np.bool_]
    adc: NDArray[np.float32] | None = None
    models: tuple[ModelFile, ...] = ()
    notes: tuple[ScanNote, ...] = ()

    @property
    def grid(self) -> Volume:
        """The scan in the image frame."""
        return self.canonical.volume


def map_ct(scan: Scan, atlas: Atlas, source: RegionSource, progress: Progress) -> MappedScan:
    """Find brain and regions of a head CT, or of a CT angiography, as its modality says.

    Parameters
    ----------
    scan
        As read by `ASPECTSLib.io.scan.read_scan`.
    atlas, source, progress
        As in `ASPECTSLib.delineation.delineate`.

    Raises
    ------
    InputRefusedError
        If the scan is no head CT, or not whole; LOW_REGISTRATION_QUALITY if the atlas does not fit, WRONG_MODALITY if
        an angiography has no contrast agent.
    """
    in_hu, notes = to_hounsfield(scan.volume)
    canonical = head_of(canonicalize(in_hu))
    notes = (*scan.notes, *notes, *check_continuity(canonical.volume))
    found = delineate(canonical.volume, atlas, source, progress)
    _refuse_misfit(found)
    modality = Modality.CTA if scan.modality is Modality.CTA else Modality.NCCT
    if modality is Modality.CTA:
        require_contrast(found.prepared.volume, found.prepared.mask)
    slices = (1, 1, averaged_slices(canonical.volume))
    brain = expand(found.prepared.mask.array, slices, canonical.volume).array
    return MappedScan(modality, canonical, found, brain, models=found.models, notes=notes)


def map_diffusion(
    scan: Scan, infarct: Volume, atlas: Atlas, source: RegionSource, progress: Progress
) -> MappedScan:
    """Find brain and regions of diffusion-weighted MRI as the method `dwi-unet3d` does, with a known infarct.

    Parameters
    ----------
    scan
        As read by `ASPECTSLib.io.diffusion.read_diffusion`.
    infarct
        bool mask on the scan's grid: filled with usual tissue for the registration, which knows none.
    atlas, source, progress
        As in `ASPECTSLib.delineation.find_regions`.

    Raises
    ------
    InputRefusedError
        If the scan is none of diffusion, or has no brain; LOW_REGISTRATION_QUALITY if the atlas does not fit.
    ResourceError
        If PyTorch or the model of the brain mask is missing or damaged.
    """
    notes = check_diffusion(scan.volume, scan.companions.get(Modality.ADC))
    model = required_models(DWI_UNET3D, (BRAIN_MODEL,))[BRAIN_MODEL]
    signal = np.nan_to_num(scan.volume.array.astype(np.float32), posinf=0.0, neginf=0.0)
    canonical = canonicalize(scan.volume.with_array(signal.clip(min=0)))
    progress.stage("brain mask", 0.10)
    seen = _brain_of_diffusion(canonical.volume, model)
    diffusion = prepare_diffusion(scan, canonical.restore(seen).array)
    marked = canonical.reorder(infarct.array)
    refuse_misplaced(infarct, canonical.restore(seen))
    brain = seen | marked  # the mask may leave out bright cortex
    typical = np.float32(np.median(canonical.volume.array[seen]))
    filled = canonical.volume.with_array(np.where(marked, typical, canonical.volume.array))
    found = map_stripped(filled, brain, Modality.DWI, atlas, source, progress)
    adc = None if diffusion.adc is None else canonical.reorder(diffusion.adc.array)
    return MappedScan(
        Modality.DWI,
        canonical,
        found,
        brain,
        adc,
        (model, *found.models),
        (*scan.notes, *notes, *diffusion.notes),
    )


def map_stripped(
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
        As in `ASPECTSLib.delineation.find_regions`.

    Raises
    ------
    InputRefusedError
        PARTIAL_COVERAGE if not all regions lie in the scan, LOW_REGISTRATION_QUALITY if the atlas does not fit.
    """
    found = delineate_stripped(image, brain, modality, atlas, source, progress)
    _refuse_misfit(found)
    return found


def _refuse_misfit(found: Delineation) -> None:
    """Refuse a head whose regions are not to be relied on: nobody looks at each case of a cohort."""
    if found.quality.failures:
        reasons = "; ".join(found.quality.failures)
        message = f"expected a head that the atlas fits, got one that it does not: {reasons}"
        raise ContentRefusedError(ErrorCode.LOW_REGISTRATION_QUALITY, message)


def _brain_of_diffusion(dwi: Volume, model: ModelFile) -> NDArray[np.bool_]:
    from ASPECTSLib.inference.brain import predict_brain
    from ASPECTSLib.inference.registry import load_network

    network = load_network(model)
    level = max(float(np.percentile(dwi.array, 99)), np.finfo(np.float32).tiny)
    if is_heavier_on_the_left(dwi.with_array(np.rint(dwi.array * (_GREY_LEVELS / level)))):
        mask = mirror(predict_brain(network, mirror(dwi), Modality.DWI))
    else:
        mask = predict_brain(network, dwi, Modality.DWI)
    check_brain_volume(mask)
    return mask.array
