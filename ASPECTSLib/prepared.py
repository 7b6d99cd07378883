"""A head prepared for its regions to be found: brain, midsagittal plane, and scan and atlas in one contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.tissues import NCCT_CONTRAST_HU
from ASPECTSLib.evidence import average_slices, averaged_slices
from ASPECTSLib.geometry import Volume, expand
from ASPECTSLib.inference.pose import levelled, levelled_template
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.preprocessing.brain import brain_mask, check_brain
from ASPECTSLib.preprocessing.contrast_agent import shows_contrast
from ASPECTSLib.preprocessing.intensity import registration_image
from ASPECTSLib.preprocessing.midplane import Midplane, find_midplane
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.route import RegistrationRoute


@dataclass(frozen=True, eq=False)
class PreparedHead:
    """A head in the image frame with its brain and its midsagittal plane."""

    volume: Volume
    mask: Volume
    midplane: Midplane


@dataclass(frozen=True, eq=False)
class Brain:
    """What the regions of a brain are found on.

    Parameters
    ----------
    prepared
        The head.
    modality
        Of the scan.
    mask
        bool, on the scan's own slices: regions end at it.
    fixed, template
        Scan and atlas in one contrast, 0 outside the brain, as they are registered.
    registration
        Who deforms the atlas to it.
    """

    prepared: PreparedHead
    modality: Modality
    mask: Volume
    fixed: Volume
    template: Volume
    registration: RegistrationRoute = RegistrationRoute.AUTO


def brain_on_ct(working: Volume, volume: Volume, atlas: Atlas, progress: Progress) -> Brain:
    """Prepare a head CT.

    Parameters
    ----------
    working
        HU on averaged slices, in the handedness that is worked in.
    volume
        The scan on its own slices, in whichever handedness: it gives their grid.
    atlas
        Rendered as CT.
    progress
        Told of each stage.

    Raises
    ------
    ContentRefusedError
        If the scan holds no brain.
    """
    progress.stage("brain mask", 0.10)
    mask = brain_mask(working)
    check_brain(working, mask)
    progress.stage("symmetric pose", 0.18)
    prepared = PreparedHead(working, mask, find_midplane(working))
    template = atlas.render(NCCT_CONTRAST_HU)
    typical_hu = float(np.median(template.array[atlas.brain_probability().array > 0.5]))
    return Brain(
        prepared,
        Modality.NCCT,
        expand(mask.array, (1, 1, averaged_slices(volume)), volume),
        registration_image(working, mask, typical_hu, fills_vessels=shows_contrast(working, mask)),
        template,
    )


def stripped_brain(
    image: Volume, mask: Volume, modality: Modality, atlas: Atlas, progress: Progress
) -> Brain:
    """Prepare a brain whose mask is known, in any modality.

    Parameters
    ----------
    image
        In the image frame and in the handedness that is worked in.
    mask
        bool, on the same grid.
    modality, atlas
        The atlas is rendered in the contrast of the modality.
    progress
        Told of each stage.
    """
    progress.stage("symmetric pose", 0.18)
    fixed = levelled(image, mask.array)
    prepared = PreparedHead(image, mask, find_midplane(fixed))
    return Brain(prepared, modality, mask, fixed, levelled_template(atlas, modality))


def seen_as_in_use(
    volume: Volume, mask: Volume, modality: Modality, atlas: Atlas, progress: Progress | None = None
) -> Brain:
    """Return a brain in the handedness that it has, with a head CT's own mask and a given one of other modalities.

    Parameters
    ----------
    volume
        In the image frame; HU for CT.
    mask
        bool, on the same grid; of CT it is found anew, as in use.
    modality, atlas, progress
        As in `stripped_brain`.

    Raises
    ------
    ContentRefusedError
        If a head CT holds no brain.
    """
    progress = progress or Progress()
    if modality.dicom_modality == "CT":
        return brain_on_ct(average_slices(volume), volume, atlas, progress)
    return stripped_brain(volume, mask, modality, atlas, progress)
