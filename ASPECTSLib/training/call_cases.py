"""Synthetic head CT with what is truly affected, scored by the methods on NCCT as real ones are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.atlas.regions import AFFECTED_FRACTION, REGIONS
from ASPECTSLib.errors import ContentRefusedError
from ASPECTSLib.inference.card import ModelFile
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.methods import CLASSICAL, NCCT_COMBINED, NCCT_DANET, NCCT_UNET
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.compose import abstains
from ASPECTSLib.synthesis.generator import PatientRange, draw_patient, scan_patient, truth_on
from ASPECTSLib.synthesis.lesions import InfarctOptions
from ASPECTSLib.systems.classical import call_classically
from ASPECTSLib.systems.combined import COMBINED_MODELS, call_by_all, load_pool
from ASPECTSLib.systems.danet import DANET_MODELS, call_by_danet
from ASPECTSLib.systems.head_ct import Called, HeadCt, prepare_head_ct
from ASPECTSLib.systems.slices import INFARCT_MODEL, call_by_slices
from ASPECTSLib.systems.study import ScoreOptions
from ASPECTSLib.training.parts import ALL, Part
from ASPECTSLib.training.unseen import measured_scanners, unseen_sources

INFARCTS = InfarctOptions(mca_share=0.85, age_hours=(1.0, 24.0))
"""From the first hours, in which they are subtle, to a day."""

FIRST_HEALTHY = 10_000
"""Number of the first patient without infarct."""

MODELS_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        CLASSICAL: (),
        NCCT_DANET: DANET_MODELS,
        NCCT_UNET: (INFARCT_MODEL,),
        NCCT_COMBINED: COMBINED_MODELS,
    }
)
"""Names of the models that each method on NCCT needs."""


@dataclass(frozen=True)
class CallPatients:
    """Which patients are scored.

    Parameters
    ----------
    infarcted, healthy
        How many of each.
    stream, seed
        First numbers of their seeds; their own follows.
    """

    infarcted: int
    healthy: int
    stream: int
    seed: int

    @property
    def count(self) -> int:
        """All of them."""
        return self.infarcted + self.healthy

    def __iter__(self) -> Iterator[int]:
        """Go through their numbers, those with infarct first."""
        yield from range(self.infarcted)
        yield from range(FIRST_HEALTHY, FIRST_HEALTHY + self.healthy)


@dataclass(frozen=True, eq=False)
class CallCase:
    """A patient whose head was made ready to be scored.

    Parameters
    ----------
    number
        Of the patient.
    affected
        What is true of the twenty regions, in the order of their labels: bool, shape (20,).
    head
        None where the scan was refused.
    """

    number: int
    affected: NDArray[np.bool_]
    head: HeadCt | None

    @property
    def has_score(self) -> bool:
        """Whether the program gives a score: the scan is not refused, and nothing makes the program abstain."""
        head = self.head
        return head is not None and not abstains(head.found.quality, head.no_go.haemorrhage)


@dataclass(frozen=True, eq=False)
class RegionCalls:
    """What a method says of the twenty regions, in the order of their labels.

    Parameters
    ----------
    probability
        Of being affected, shape (20,); 0 where the region was not compared, which costs no point.
    called
        Whether it is called affected, bool, shape (20,).
    """

    probability: NDArray[np.float64]
    called: NDArray[np.bool_]


def call_cases(
    data: Path, patients: CallPatients, progress: Progress, part: Part = ALL
) -> Iterator[CallCase]:
    """Make patients of the anatomies that no recipe trains on, and find the regions of each.

    Parameters
    ----------
    data
        Folder with the public data, as `docs/cohorts.md` lays it out.
    patients
        Which ones.
    progress
        Told of each patient, and asked for cancellation.
    part
        Which of them.
    """
    sources = unseen_sources(data, load_atlas(), progress)
    ill = PatientRange(healthy=0.0, infarcts=INFARCTS, scanners=measured_scanners())
    well = replace(ill, healthy=1.0)
    numbers = part.of(patients)
    for count, number in enumerate(numbers):
        progress.stage(f"patient {count + 1} of {len(numbers)}", count / len(numbers))
        kind = ill if number < FIRST_HEALTHY else well
        patient = draw_patient(sources, (patients.stream, patients.seed, number), kind)
        synthetic = scan_patient(patient, Modality.NCCT, kind)
        image = synthetic.images["ncct"]
        fractions = np.nan_to_num(truth_on(synthetic, image).fractions)
        scan = Scan(image, ("ncct",), Modality.NCCT)
        try:
            head = prepare_head_ct(scan, ScoreOptions(), Progress())
        except ContentRefusedError:
            head = None
        yield CallCase(number, fractions > AFFECTED_FRACTION, head)


def call_heads(
    head: HeadCt, method: str, models: Mapping[str, ModelFile], affected_fraction: float
) -> RegionCalls:
    """Call the regions of a head by a method.

    Parameters
    ----------
    head
        From `call_cases`.
    method
        A key of `MODELS_OF`.
    models
        Those that it needs, by name.
    affected_fraction
        Where an infarct is segmented: a region with more than this share infarcted is affected.
    """
    called = _called(head, method, models, affected_fraction)
    infarct = None if called.infarct is None else called.infarct.array
    calls = called.evidence.call_regions(head.found.labels, infarct)
    return RegionCalls(
        np.array([0.0 if call.probability is None else call.probability for call in calls]),
        np.array([call.compared and call.affected for call in calls]),
    )


def _called(
    head: HeadCt, method: str, models: Mapping[str, ModelFile], affected_fraction: float
) -> Called:
    if method == CLASSICAL:
        return call_classically(head)
    if method == NCCT_DANET:
        return call_by_danet(head, tuple(models[name] for name in DANET_MODELS))
    if method == NCCT_COMBINED:
        return call_by_all(head, models, load_pool()[0], affected_fraction)
    return call_by_slices(head, models[INFARCT_MODEL], affected_fraction)


def totals(affected: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the scores of patients from what is affected, shape (n, 20): 10 less the regions of the worse side."""
    half = len(REGIONS) // 2
    lost = np.maximum(affected[:, :half].sum(axis=1), affected[:, half:].sum(axis=1))
    return half - lost
