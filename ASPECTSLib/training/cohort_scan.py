"""One scan of a labelled cohort: its files, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, Side
from ASPECTSLib.errors import ASPECTSError, ErrorCode, InputRefusedError
from ASPECTSLib.geometry import Volume, apply_affine, canonicalize
from ASPECTSLib.inference.infarct_inputs import typical_of
from ASPECTSLib.inference.inputs import head_grid
from ASPECTSLib.io.images import open_image, read_frame, read_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.preprocessing.diffusion import prepare_diffusion, rough_brain
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.synthesis.cohort import BRAIN_FILE, IMAGE_FILE, INFARCT_FILE, REGIONS_FILE

ADC_FILE = "adc.nii.gz"
"""The map that belongs to a diffusion-weighted image, on any grid."""

_SAME_PLACE_MM = 0.1  # headers in single precision, rounded by a program or two, differ by less
_MIN_IN_BRAIN = 0.5  # a mask of this very scan holds nearly all of regions and infarct


@dataclass(frozen=True)
class LabelledScan:
    """The files of a scan.

    Parameters
    ----------
    case
        Name of the patient's folder.
    modality
        Of the scan.
    folder
        Where its files lie.
    files
        Names of those that there are, of the ones that a cohort knows.
    """

    case: str
    modality: Modality
    folder: Path
    files: frozenset[str]

    @property
    def name(self) -> str:
        """Case and modality, for messages."""
        return f"case {self.case}, {self.folder.name}"

    @property
    def has_brain(self) -> bool:
        """Whether there is a brain mask."""
        return BRAIN_FILE in self.files


@dataclass(frozen=True, eq=False)
class LabelledVolumes:
    """A scan with its labels on one grid in the image frame; None is what there is no file of.

    Parameters
    ----------
    image
        HU for CT, as they are for others.
    regions
        uint8 label map, 0 to 20.
    brain, infarct
        uint8, 0 or 1.
    adc
        float32, 1e-6 mm2/s, 0 where unknown.
    """

    image: Volume
    regions: Volume | None
    brain: Volume | None
    infarct: Volume | None
    adc: Volume | None


def read_labelled(scan: LabelledScan) -> LabelledVolumes:
    """Read a scan and its labels.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID if a file cannot be read, grids differ, labels are not those of the regions, a side is missing,
        sides are exchanged, or the voxels are not those of the modality.
    """
    given = _read(scan, IMAGE_FILE)
    regions = _labels(scan, given) if REGIONS_FILE in scan.files else None
    infarct = _mask(scan, given, INFARCT_FILE) if INFARCT_FILE in scan.files else None
    brain = _mask(scan, given, BRAIN_FILE) if BRAIN_FILE in scan.files else None
    if brain is not None:
        _refuse_other_brain(scan, brain, regions, infarct)
    canonical = canonicalize(given)
    image = _in_units(scan, canonical.volume)
    adc = _adc(scan, given, brain) if ADC_FILE in scan.files else None

    def reordered(labels: Volume | None) -> Volume | None:
        return None if labels is None else image.with_array(canonical.reorder(labels.array))

    return LabelledVolumes(image, *map(reordered, (regions, brain, infarct, adc)))


def check_labelled(scan: LabelledScan) -> None:
    """Read a scan to check that it can be used as `read_labelled` does, and as an infarct is learned from.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID as `read_labelled`, and if no head or no signal is found in DWI with an infarct mask.
    """
    volumes = read_labelled(scan)
    if scan.modality is not Modality.DWI or volumes.infarct is None:
        return
    try:
        head_grid(volumes.image, scan.modality)
        typical_of(volumes.image, None, brain_of_diffusion(volumes))
    except ASPECTSError as error:
        raise _refusal(scan, IMAGE_FILE, error.message) from error


def brain_of_diffusion(volumes: LabelledVolumes) -> NDArray[np.bool_]:
    """Return where the typical signal of a diffusion-weighted image is measured: the brain, or a rough one.

    The outline of the head would not do: with scalp, skull and the noise around them, its median was 0.1 to 0.6 times
    that of the brain in five synthetic scans and a public one, and that of the rough brain 1.02 to 1.13 times.
    """
    brain = volumes.brain
    return rough_brain(volumes.image) if brain is None else brain.array > 0


def refuse(message: str) -> NoReturn:
    """Refuse a cohort.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID.
    """
    raise InputRefusedError(ErrorCode.COHORT_INVALID, message)


def refuse_file(scan: LabelledScan, name: str, message: str) -> NoReturn:
    """Refuse a cohort for a file of a scan.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID with the names of case and file.
    """
    raise _refusal(scan, name, message)


def _refusal(scan: LabelledScan, name: str, message: str) -> InputRefusedError:
    return InputRefusedError(ErrorCode.COHORT_INVALID, f"{scan.name}, {name}: {message}")


def _read(scan: LabelledScan, name: str) -> Volume:
    try:
        return read_image(scan.folder / name)
    except ASPECTSError as error:
        raise _refusal(scan, name, error.message) from error


def _read_on_grid(scan: LabelledScan, image: Volume, name: str) -> Volume:
    volume = _read(scan, name)
    if volume.size != image.size:
        sizes = f"expected a grid of {image.size} voxels as in {IMAGE_FILE}, got {volume.size}"
        refuse_file(scan, name, sizes)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in image.size])).reshape(3, -1).T
    apart = apply_affine(image.affine, corners) - apply_affine(volume.affine, corners)
    apart_mm = float(np.linalg.norm(apart, axis=1).max())
    if apart_mm > _SAME_PLACE_MM:
        message = f"expected the grid of {IMAGE_FILE}, got one whose corners lie {apart_mm:.1f} mm from there"
        refuse_file(scan, name, message)
    return volume


def _labels(scan: LabelledScan, image: Volume) -> Volume:
    volume = _read_on_grid(scan, image, REGIONS_FILE)
    wrong = volume.array[(volume.array < 0) | (volume.array > len(REGIONS)) | _broken(volume.array)]
    if wrong.size:
        message = f"expected labels 0 to {len(REGIONS)}, got {float(wrong.flat[0]):g}"
        refuse_file(scan, REGIONS_FILE, message)
    labels = volume.with_array(volume.array.astype(np.uint8))
    if not labels.array.any():
        refuse_file(scan, REGIONS_FILE, "expected regions, got a map of background only")
    right_mm, left_mm = (_middle_x_mm(scan, labels, side) for side in (Side.RIGHT, Side.LEFT))
    if right_mm <= left_mm:
        message = (
            "expected labels 1 to 10 on the patient's right of labels 11 to 20, got them on the left: the labels or "
            "the scan's header are mirrored"
        )
        refuse_file(scan, REGIONS_FILE, message)
    return labels


def _broken(array: NDArray[Any]) -> NDArray[np.bool_] | bool:
    return False if array.dtype.kind in "iu" else array != np.rint(array)


def _middle_x_mm(scan: LabelledScan, labels: Volume, side: Side) -> float:
    wanted = [region.label for region in REGIONS if region.side is side]
    found = np.argwhere(np.isin(labels.array, wanted))
    if not len(found):
        message = f"expected regions of both sides, got none of the {side.value} side"
        refuse_file(scan, REGIONS_FILE, message)
    return float(apply_affine(labels.affine, found.mean(axis=0)[::-1])[0])


def _mask(scan: LabelledScan, image: Volume, name: str) -> Volume:
    volume = _read_on_grid(scan, image, name)
    values = np.unique(volume.array)
    if values[0] < 0 or len(values) > 2 or (len(values) == 2 and values[0] != 0):
        refuse_file(scan, name, "expected a mask of 0 and one other value, got other values")
    return volume.with_array((volume.array != 0).astype(np.uint8))


def _refuse_other_brain(
    scan: LabelledScan, brain: Volume, regions: Volume | None, infarct: Volume | None
) -> None:
    """Refuse a brain mask, or an infarct mask, of another patient or grid."""
    if not brain.array.any():
        refuse_file(scan, BRAIN_FILE, "expected a brain, got an empty mask")
    held = _share_inside(regions, brain)
    if held < _MIN_IN_BRAIN:
        message = f"expected a brain that holds the regions, got one that holds {held:.0%}"
        refuse_file(scan, BRAIN_FILE, message)
    held = _share_inside(infarct, brain)
    if held < _MIN_IN_BRAIN:
        message = f"expected an infarct of the brain, got a mask of which {held:.0%} lies in it"
        refuse_file(scan, INFARCT_FILE, message)


def _share_inside(labels: Volume | None, brain: Volume) -> float:
    inside = np.ones(1) if labels is None else brain.array[labels.array > 0]
    return float(inside.mean()) if inside.size else 1.0


def _in_units(scan: LabelledScan, image: Volume) -> Volume:
    if scan.modality.dicom_modality != "CT":
        if not (image.array > 0).any():
            refuse_file(scan, IMAGE_FILE, "expected a head, got no voxel above 0")
        return image
    try:
        return to_hounsfield(image)[0]
    except ASPECTSError as error:
        raise _refusal(scan, IMAGE_FILE, error.message) from error


def _adc(scan: LabelledScan, image: Volume, brain: Volume | None) -> Volume | None:
    """Read the ADC map as it is read in use, on the grid of the image."""
    try:
        # Programs write what is not a number where they have no ADC.
        header = open_image(scan.folder / ADC_FILE, must_be_finite=False)
        adc = read_frame(header, ADC_FILE, must_be_finite=False)
        study = Scan(image, (IMAGE_FILE,), Modality.DWI, companions={Modality.ADC: adc})
        return prepare_diffusion(study, None if brain is None else brain.array > 0).adc
    except ASPECTSError as error:
        raise _refusal(scan, ADC_FILE, error.message) from error
