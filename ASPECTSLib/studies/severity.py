"""The severity study: infarct masks and NIHSS of real patients, from files to figures.

Repeats the clinical experiment of Wei et al. 2026 (doi:10.1093/braincomms/fcag053) on a public cohort: there the masks
came from a network and the regions from a template on DWI, here both are given, masks drawn by people in MNI152
space and the regions of the project's atlas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import Side
from ASPECTSLib.errors import ErrorCode, FileRefusedError, InputRefusedError
from ASPECTSLib.io.masks import MASK_SUFFIX, mask_files
from ASPECTSLib.progress import Progress
from ASPECTSLib.statistics.correlation import Correlation
from ASPECTSLib.statistics.roc import MIN_GROUP
from ASPECTSLib.studies.infarcts import MEASURING_SHARE, measure_files
from ASPECTSLib.studies.participants import read_participants
from ASPECTSLib.studies.severity_analysis import (
    Cohort,
    Group,
    Groups,
    Patient,
    StudyOptions,
    Threshold,
    cohort_of,
    correlations,
    describe,
    group_analysis,
    threshold_analysis,
    trial_groups,
)
from ASPECTSLib.studies.severity_regions import Deduction, Sides, compare_sides, deductions


@dataclass(frozen=True)
class Source:
    """SHA-256 of the table, and of the masks one after the other, in the order of their names."""

    participants_sha256: str
    masks_sha256: str


@dataclass(frozen=True)
class Flow:
    """How many patients there are at each step.

    Parameters
    ----------
    masks
        Files.
    empty_masks
        Of them, nothing marked; volume 0, ASPECTS 10.
    without_row, without_nihss
        Of the masks: not in the table; in it, without NIHSS. Neither takes part in the figures.
    with_nihss
        The rest.
    in_territory
        Of these, enough infarct inside the regions: the main cohort.
    """

    masks: int
    empty_masks: int
    without_row: int
    without_nihss: int
    with_nihss: int
    in_territory: int


@dataclass(frozen=True)
class CohortFigures:
    """All figures of one cohort; the main threshold of NIHSS is the first."""

    patients: Group
    correlations: dict[str, Correlation | None]
    thresholds: tuple[Threshold, ...]
    groups: Groups
    deductions: Mapping[str, tuple[Deduction, ...] | None]
    sides: Sides
    trial_groups: dict[str, dict[str, Group]]


@dataclass(frozen=True, eq=False)
class SeverityStudy:
    """The outcome.

    Parameters
    ----------
    source
        What went in.
    options
        As asked for.
    patients
        Everyone with a mask, in the order of the files.
    flow
        Counts.
    cohort
        The main cohort as arrays, for drawing.
    territory, everyone
        Figures of the main cohort, and of all with NIHSS.
    """

    source: Source
    options: StudyOptions
    patients: tuple[Patient, ...]
    flow: Flow
    cohort: Cohort
    territory: CohortFigures
    everyone: CohortFigures


def run_severity_study(
    masks: Path, table: Path, atlas: Atlas, options: StudyOptions, progress: Progress
) -> SeverityStudy:
    """Measure all masks of a folder and relate them to NIHSS.

    Parameters
    ----------
    masks
        Folder of infarct masks in MNI152 space, named PARTICIPANT_... .nii.gz or PARTICIPANT.nii.gz.
    table
        Of the participants, as `read_participants` takes it.
    atlas
        Gives the regions.
    options
        How it is done.
    progress
        Told of each step, and asked whether to go on.

    Raises
    ------
    FileRefusedError
        If the table or a mask cannot be read, or is not what it should be; with the name of the file.
    InputRefusedError
        COHORT_INVALID if one of the two groups is too small.
    """
    participants = read_participants(table)
    paths = mask_files(masks)
    names = _participant_names(paths)
    if not participants.keys() & set(names):
        expected = f"masks named PARTICIPANT_...{MASK_SUFFIX} of participants in {table.name}"
        message = f"expected {expected}, got {len(names)} masks of others"
        raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
    measured = measure_files(paths, atlas.regions, progress)
    patients = tuple(
        Patient(name, participants.get(name), infarct)
        for name, infarct in zip(names, measured, strict=True)
    )
    source = Source(_sha256([table]), _sha256(paths))
    return analyse(patients, source, options, progress)


def analyse(
    patients: Sequence[Patient], source: Source, options: StudyOptions, progress: Progress
) -> SeverityStudy:
    """Relate measured patients to NIHSS.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID if one of the two groups of the main cohort is too small.
    """
    inside = [p for p in patients if p.infarct.territory_ml >= options.territory_ml]
    everyone, territory = cohort_of(patients, options), cohort_of(inside, options)
    _check_groups(territory, options)
    progress.stage("statistics", MEASURING_SHARE)
    main = _figures(territory, options, progress)
    progress.stage("statistics of all", MEASURING_SHARE + 0.04)
    return SeverityStudy(
        source,
        options,
        tuple(patients),
        _flow(patients, everyone, territory),
        territory,
        main,
        _figures(everyone, options, progress),
    )


def _participant_names(paths: Sequence[Path]) -> list[str]:
    """Return the participant of each mask: its name up to the first underscore, as in BIDS."""
    names: dict[str, Path] = {}
    for path in paths:
        name = path.name[: -len(MASK_SUFFIX)].partition("_")[0]
        if name in names:
            message = f"expected one mask a participant, got {names[name].name} and {path.name}"
            raise FileRefusedError(ErrorCode.COHORT_INVALID, message)
        names[name] = path
    return list(names)


def _sha256(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _check_groups(cohort: Cohort, options: StudyOptions) -> None:
    severe = int((cohort.nihss >= options.nihss[0]).sum())
    mild = len(cohort) - severe
    if min(severe, mild) < MIN_GROUP:
        where = f"with {options.territory_ml:g} mL in the regions"
        expected = f"at least {MIN_GROUP} patients {where} on each side of NIHSS {options.nihss[0]}"
        message = f"expected {expected}, got {mild} below and {severe} from there"
        raise InputRefusedError(ErrorCode.COHORT_INVALID, message)


def _flow(patients: Sequence[Patient], everyone: Cohort, territory: Cohort) -> Flow:
    without_row = sum(patient.participant is None for patient in patients)
    return Flow(
        masks=len(patients),
        empty_masks=sum(patient.infarct.volume_ml == 0 for patient in patients),
        without_row=without_row,
        without_nihss=len(patients) - without_row - len(everyone),
        with_nihss=len(everyone),
        in_territory=len(territory),
    )


def _figures(cohort: Cohort, options: StudyOptions, progress: Progress) -> CohortFigures:
    main, bootstrap = options.nihss[0], options.bootstrap
    thresholds = []
    for nihss in options.nihss:
        progress.check()
        thresholds.append(threshold_analysis(cohort, nihss, bootstrap))
    return CohortFigures(
        patients=describe(cohort, main),
        correlations=correlations(cohort, bootstrap),
        thresholds=tuple(thresholds),
        groups=group_analysis(cohort, main),
        deductions={"either": deductions(cohort, main), **_by_side(cohort, main)},
        sides=compare_sides(cohort, main, bootstrap),
        trial_groups=trial_groups(cohort, main),
    )


def _by_side(cohort: Cohort, nihss: int) -> dict[str, tuple[Deduction, ...] | None]:
    return {side.value: deductions(cohort.on(side), nihss) for side in (Side.LEFT, Side.RIGHT)}
