"""The parts of a labelled cohort: which patients are trained on, and which stop the training."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ASPECTSLib.io.modality import Modality
from ASPECTSLib.training.cohort import TRAINING_PART, VALIDATION_PART, Cohort
from ASPECTSLib.training.cohort_scan import LabelledScan, refuse

_HASH_RANGE = 2**64


@dataclass(frozen=True)
class Parts:
    """The scans that are trained on, and those that stop the training: of different patients."""

    training: tuple[LabelledScan, ...]
    validation: tuple[LabelledScan, ...]


def split_cohort(cohort: Cohort, modalities: Sequence[Modality], share: float) -> Parts:
    """Divide the scans of a cohort by patient.

    A case belongs to the validation when a hash of its name lies in the wanted share of all hashes: other cases that
    come or go do not move it. Only a cohort so small that this leaves a part empty gives it its nearest case.

    Parameters
    ----------
    cohort
        Its own split, where it has one, counts.
    modalities
        To be taken; one that is named twice is trained on twice as often.
    share
        Of the cases for validation; 0 for none.

    Raises
    ------
    InputRefusedError
        COHORT_INVALID if no scan is of these modalities, or there are too few cases to hold one out.
    """
    of_modality = [scan for scan in cohort.scans if scan.modality in modalities]
    if not of_modality:
        wanted = ", ".join(dict.fromkeys(m.value.lower() for m in modalities))
        refuse(f"expected scans of {wanted} in {cohort.name}, as the recipe says, found none")
    cases = sorted({scan.case for scan in of_modality})
    if cohort.split:
        trained, held_out = (set(cohort.split[p]) for p in (TRAINING_PART, VALIDATION_PART))
    else:
        held_out = _held_out(cases, share)
        trained = set(cases) - held_out
    weighted = [s for m in modalities for s in of_modality if s.modality is m and s.case in trained]
    if not weighted:
        refuse(f"expected scans to train on in {cohort.name}, got none in the split's training")
    return Parts(tuple(weighted), tuple(s for s in of_modality if s.case in held_out))


def _held_out(cases: Sequence[str], share: float) -> set[str]:
    if share == 0:
        return set()
    if len(cases) < 2:
        message = (
            "expected at least two cases, one of them for validation, got one; data.validation_share = 0 trains "
            "without validation"
        )
        refuse(message)
    by_hash = sorted(cases, key=_place)
    held_out = {case for case in cases if _place(case) < share} or {by_hash[0]}
    return held_out - {by_hash[-1]}


def _place(case: str) -> float:
    """Return a number of 0 to 1 that a name always has."""
    digest = hashlib.sha256(case.encode()).digest()
    return int.from_bytes(digest[:8], "big") / _HASH_RANGE
