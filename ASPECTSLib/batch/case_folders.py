"""A cohort as a folder: what is in it, and which scans make a case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ASPECTSLib.batch.case_table import read_case_table
from ASPECTSLib.batch.cases import Case, Refusal, with_folders
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.io.file_names import KIND_NAMES, image_stem, kind_by_name
from ASPECTSLib.io.images import IMAGE_SUFFIXES, check_exists
from ASPECTSLib.io.modality import Modality

IMAGE_STEM = "image"
"""Of the scan in a folder that is named by its kind, as `aspects synthesize` writes them."""

_SUBJECT, _SESSION = "sub-", "ses-"


def find_cases(source: Path) -> tuple[Case, ...]:
    """Find the cases of a cohort.

    Parameters
    ----------
    source
        A table (`read_case_table`), or a folder of cases: each a folder with the scans of one patient, by kind
        (`ncct/image.nii.gz`, as `aspects synthesize` writes them), by file name (`sub-01/dwi/sub-01_dwi.nii.gz`, as in
        BIDS, with sessions as cases of their own), or as one DICOM study; or an image file.

    Returns
    -------
    tuple of Case
        Of a folder in the order of the names, digits by their value; each with a folder for its result. A folder
        without any scan is a case that is refused.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND if there is nothing of that name, COHORT_INVALID if there are no cases in it, or as
        `read_case_table`.
    """
    check_exists(source)
    cases = read_case_table(source) if source.is_file() else list(_cases_in(source.absolute()))
    if not cases:
        message = f"expected a folder for each case in {source.name}, got none"
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
    return with_folders(cases)


def _cases_in(folder: Path) -> Iterator[Case]:
    for path in _sorted(folder.iterdir()):
        if path.is_dir():
            sessions = _sorted(p for p in path.iterdir() if p.name.startswith(_SESSION))
            if path.name.startswith(_SUBJECT) and sessions:
                yield from (_case(f"{path.name}_{one.name}", one) for one in sessions)
            else:
                yield _case(path.name, path)
        elif path.name.lower().endswith(IMAGE_SUFFIXES):
            yield Case(image_stem(path), {None: path})


def _case(name: str, folder: Path) -> Case:
    scans = _scans_by_folder(folder) or _scans_by_file(folder)
    if scans:
        return Case(name, scans)
    images, has_other = _files(folder)
    if len(images) == 1 and not has_other:
        return Case(name, {None: images[0]})
    if images:
        message = f"expected one image, or images named by their kind such as dwi and adc, got {len(images)}"
        return Case(name, refusal=Refusal(ErrorCode.SERIES_AMBIGUOUS, message))
    if has_other:  # DICOM, unless its reader says otherwise
        return Case(name, {None: folder})
    message = "expected a scan in the case's folder, got an empty one"
    return Case(name, refusal=Refusal(ErrorCode.NO_IMAGES, message))


def _scans_by_folder(folder: Path) -> dict[Modality | None, Path]:
    """Return the scans in folders that are named by their kind, with the maps that lie beside them."""
    scans: dict[Modality | None, Path] = {}
    for name, kind in KIND_NAMES.items():
        images = {image_stem(p).lower(): p for p in _images(folder / name)}
        if IMAGE_STEM in images:
            scans[kind] = images[IMAGE_STEM]
            beside = {KIND_NAMES[stem]: path for stem, path in images.items() if stem in KIND_NAMES}
            scans = beside | scans
    return scans


def _scans_by_file(folder: Path) -> dict[Modality | None, Path]:
    """Return the scans whose file names say what they are; none where two say the same."""
    scans: dict[Modality | None, Path] = {}
    for path in _sorted(folder.rglob("*")):
        if not path.is_file() or not path.name.lower().endswith(IMAGE_SUFFIXES):
            continue
        kind = kind_by_name(path)
        if kind is None:
            continue
        if kind in scans:
            return {}
        scans[kind] = path
    return scans


def _files(folder: Path) -> tuple[list[Path], bool]:
    """Return the images below a folder, and whether there is any other file."""
    files = [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")]
    images = [p for p in files if p.name.lower().endswith(IMAGE_SUFFIXES)]
    return images, len(files) > len(images)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [p for p in folder.iterdir() if p.name.lower().endswith(IMAGE_SUFFIXES)]


def _sorted(paths: Iterable[Path]) -> list[Path]:
    """Sort by name, numbers in it by their value; hidden files are left out."""
    shown = [path for path in paths if not path.name.startswith(".")]
    return sorted(shown, key=lambda path: (_natural(path.name), path.name))


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
