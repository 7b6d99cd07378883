"""Labelled head CT that an atlas is built from: found, read, and made ready to be registered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ASPECTSLib.atlas.age_groups import AgeGroup, age_group
from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import REGIONS, swap_sides
from ASPECTSLib.atlas.tissues import NCCT_CONTRAST_HU
from ASPECTSLib.atlases.label_folders import LABELS_NAME, read_label_map
from ASPECTSLib.errors import (
    ContentRefusedError,
    ErrorCode,
    FileRefusedError,
    GeometryRefusedError,
)
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.file_names import image_stem
from ASPECTSLib.io.images import read_image
from ASPECTSLib.preprocessing.brain import brain_mask, check_brain
from ASPECTSLib.preprocessing.grids import volumes_coincide
from ASPECTSLib.preprocessing.handedness import is_heavier_on_the_left, mirror
from ASPECTSLib.preprocessing.intensity import registration_image
from ASPECTSLib.preprocessing.midplane import Midplane, find_midplane
from ASPECTSLib.preprocessing.units import to_hounsfield

IMAGE_NAME = "image"
MODALITY_FOLDER = "ncct"
RECORD_FILE = "truth.json"


@dataclass(frozen=True)
class BuildCase:
    """A labelled scan.

    Parameters
    ----------
    name
        Of the case.
    image, labels
        Files.
    age_years
        Where the case says it.
    """

    name: str
    image: Path
    labels: Path
    age_years: float | None = None

    @property
    def group(self) -> AgeGroup | None:
        """Age group, if the age is known."""
        return None if self.age_years is None else age_group(self.age_years)


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """A scan as it is registered, in the image frame and in the agreed handedness.

    Parameters
    ----------
    fixed
        float32 HU in the brain window, shifted to a typical density, 0 outside the brain.
    brain
        bool on the same grid.
    labels
        uint8, 0 to 20, on the same grid.
    midplane
        The midsagittal plane.
    is_mirrored
        Whether it is the mirror image of the scan as it was given.
    """

    fixed: Volume
    brain: Volume
    labels: Volume
    midplane: Midplane
    is_mirrored: bool


def find_build_cases(cohort: Path) -> tuple[BuildCase, ...]:
    """Find the labelled head CT of a cohort, in the order of their names.

    Parameters
    ----------
    cohort
        With CASE/ncct/image.nii.gz and regions.nii.gz, as `aspects synthesize` and `aspects truth` write them, or
        with both directly in CASE; ages are read from CASE/truth.json.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND if there is no such folder, COHORT_INVALID if it holds no labelled head CT.
    """
    if not cohort.is_dir():
        message = f"expected a folder of cases, got no folder named {cohort.name}"
        raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message)
    cases = []
    for folder in sorted(path for path in cohort.iterdir() if path.is_dir()):
        below = folder / MODALITY_FOLDER
        files = _files(below) if below.is_dir() else _files(folder)
        if {IMAGE_NAME, LABELS_NAME} <= files.keys():
            age_years = _age(folder / RECORD_FILE)
            cases.append(BuildCase(folder.name, files[IMAGE_NAME], files[LABELS_NAME], age_years))
    if not cases:
        expected = f"CASE/{MODALITY_FOLDER}/{IMAGE_NAME}.nii.gz and {LABELS_NAME}.nii.gz"
        message = f"expected {expected} in {cohort.name}, found none"
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
    return tuple(cases)


def prepare_case(case: BuildCase, atlas: Atlas) -> PreparedCase:
    """Read a case, check it, and find its brain and midplane.

    Raises
    ------
    InputRefusedError
        If image or labels cannot be read or do not belong together, the labels are not all twenty in the order of this
        project, or the scan is no head CT.
    """
    volume = read_image(case.image)
    labels = read_label_map((case.labels,))
    _check_pair(volume, labels, case.name)
    in_hu, _ = to_hounsfield(volume)
    scan, marked = canonicalize(in_hu).volume, canonicalize(labels).volume
    is_mirrored = is_heavier_on_the_left(scan)
    if is_mirrored:
        scan, marked = mirror(scan), mirror(marked)
        marked = marked.with_array(swap_sides(marked.array))
    brain = brain_mask(scan)
    check_brain(scan, brain)
    template = atlas.render(NCCT_CONTRAST_HU)
    typical_hu = float(np.median(template.array[atlas.brain_probability().array > 0.5]))
    fixed = registration_image(scan, brain, typical_hu)
    return PreparedCase(fixed, brain, marked, find_midplane(scan), is_mirrored)


def check_names(cases: Sequence[BuildCase], others: Sequence[BuildCase]) -> None:
    """Refuse cases that are both built from and validated on.

    Raises
    ------
    ContentRefusedError
        COHORT_INVALID.
    """
    common = {case.image.resolve() for case in cases} & {case.image.resolve() for case in others}
    if common:
        message = (
            f"expected other cases to validate on than to build from, got {len(common)} in both"
        )
        raise ContentRefusedError(ErrorCode.COHORT_INVALID, message)


def _files(folder: Path) -> dict[str, Path]:
    found = ((image_stem(path), path) for path in sorted(folder.iterdir()) if path.is_file())
    return {name: path for name, path in found if name}


def _age(record: Path) -> float | None:
    """Return the age that a case's record states."""
    try:
        age_years = json.loads(record.read_text(encoding="utf-8")).get("age_years")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError) as error:
        message = f"expected a record of the case in {record.parent.name}/{record.name}"
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message) from error
    return float(age_years) if isinstance(age_years, int | float) else None


def _check_pair(volume: Volume, labels: Volume, name: str) -> None:
    if not volumes_coincide(volume, labels):
        message = f"expected the labels of {name} on the grid of its scan, got another grid"
        raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    there = np.bincount(labels.array.ravel(), minlength=len(REGIONS) + 1)[1:]
    missing = [f"{r.side.value} {r.code}" for r in REGIONS if not there[r.label - 1]]
    if missing:
        message = f"expected all twenty regions in {name}, but {', '.join(missing)} are missing"
        raise ContentRefusedError(ErrorCode.LABELS_INVALID, message)
