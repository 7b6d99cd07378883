"""Features of the regions of labelled CT angiographies, each against the other side, with what is true of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import AFFECTED_FRACTION, REGIONS
from ASPECTSLib.errors import ErrorCode, InputRefusedError
from ASPECTSLib.evidence import average_slices, averaged_slices, middle_slices
from ASPECTSLib.geometry import canonicalize
from ASPECTSLib.io.images import read_image
from ASPECTSLib.preprocessing.brain import brain_mask
from ASPECTSLib.preprocessing.contrast_agent import shows_contrast
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.overlap import infarct_fractions
from ASPECTSLib.systems.cta import gather_between_vessels, measured_differences

CTA_FOLDER = "cta"

_SHARE = 0.9  # of the time of a training
_MOST_PLAIN = 0.5  # of the scans: single ones have few vessels


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Samples, one for each region of each side that was measured on both.

    Parameters
    ----------
    names
        Of the features.
    inputs
        How each feature differs from the other side's, shape (samples, features).
    affected
        bool, shape (samples,).
    cortical
        bool: whether the region is one of M1 to M6, shape (samples,).
    patients
        Number of the patient, shape (samples,).
    """

    names: tuple[str, ...]
    inputs: NDArray[np.float64]
    affected: NDArray[np.bool_]
    cortical: NDArray[np.bool_]
    patients: NDArray[np.int64]

    def chosen(self, names: Sequence[str]) -> FeatureTable:
        """Return the same samples with some of the features."""
        columns = [self.names.index(name) for name in names]
        return FeatureTable(
            tuple(names), self.inputs[:, columns], self.affected, self.cortical, self.patients
        )

    def where(self, selected: NDArray[np.bool_]) -> FeatureTable:
        """Return some of the samples."""
        return FeatureTable(
            self.names,
            self.inputs[selected],
            self.affected[selected],
            self.cortical[selected],
            self.patients[selected],
        )


def measure_cases(cases: Sequence[Path], names: Sequence[str], progress: Progress) -> FeatureTable:
    """Measure the patients of a labelled cohort, as `docs/cohorts.md` lays it out.

    Parameters
    ----------
    cases
        Their folders, each with `cta/image.nii.gz`, `regions.nii.gz` and `infarct.nii.gz`.
    names
        Of the features.
    progress
        Told of each patient, and asked for cancellation.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID, with the case, if a file cannot be read, or is no CT angiography of a head.
    """
    tables, plain = [], 0
    for number, case in enumerate(cases):
        progress.stage(f"patient {number + 1} of {len(cases)}", _SHARE * number / len(cases))
        try:
            measured = measure_case(case / CTA_FOLDER, tuple(names))
        except InputRefusedError as error:
            message = f"case {case.name}, {CTA_FOLDER}: {error.message}"
            raise InputRefusedError(ErrorCode.COHORT_INVALID, message) from error
        plain += not measured.has_vessels
        if plain > _MOST_PLAIN * len(cases):
            message = (
                f"expected CT angiographies, whose vessels are bright, got {plain} of {len(cases)} without: head CT "
                "without contrast agent?"
            )
            raise InputRefusedError(ErrorCode.COHORT_INVALID, message)
        differences, affected = measured.differences, measured.affected
        known = np.isfinite(differences).all(axis=1)
        cortical = np.array([region.is_cortical for region in REGIONS])
        patient = np.full(known.sum(), number)
        tables.append((differences[known], affected[known], cortical[known], patient))
    inputs, affected, cortical, patients = (
        np.concatenate(parts) for parts in zip(*tables, strict=True)
    )
    return FeatureTable(tuple(names), inputs, affected, cortical, patients)


@dataclass(frozen=True, eq=False)
class MeasuredCase:
    """One labelled scan.

    Parameters
    ----------
    differences
        Features against the other side, shape (20, names).
    affected
        bool, shape (20,).
    has_vessels
        Whether it looks like a CT angiography.
    """

    differences: NDArray[np.float64]
    affected: NDArray[np.bool_]
    has_vessels: bool


def measure_case(folder: Path, names: tuple[str, ...]) -> MeasuredCase:
    """Measure the regions of one labelled scan.

    Raises
    ------
    InputRefusedError
        If a file cannot be read, or there is no brain.
    """
    canonical = canonicalize(to_hounsfield(read_image(folder / "image.nii.gz"))[0])
    labels, infarct = (
        canonical.reorder(read_image(folder / f"{name}.nii.gz").array)
        for name in ("regions", "infarct")
    )
    averaged, count = average_slices(canonical.volume), averaged_slices(canonical.volume)
    brain = brain_mask(averaged)
    evidence, _ = gather_between_vessels(averaged, brain, count)
    differences = measured_differences(evidence, middle_slices(labels, count)[evidence.box], names)
    shares = infarct_fractions(labels, infarct > 0)
    affected = np.array([(shares[region] or 0.0) > AFFECTED_FRACTION for region in REGIONS])
    return MeasuredCase(differences, affected, shows_contrast(averaged, brain))
