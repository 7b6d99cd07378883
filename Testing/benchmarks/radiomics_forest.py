"""Radiomics and random forests, the comparison of the DA-Net paper, beside `classical` on the same synthetic patients.

    python Testing/benchmarks/radiomics_forest.py DATA COHORT [--patients N] [--scans N]

DATA is the folder with the public data. COHORT is trained on: head CT with regions, brain and infarct as `aspects
synthesize --hold-out-every 5` writes them, of which only the part `training` of its `split.json` is used. Patients to
measure on are those of the benchmark `synthetic-calls` (N with infarct and N without, of other anatomies), with the
regions as the program finds them. Prints table 1 of Cao 2022 (doi:10.1002/hbm.25845) and the agreement of the scores
for both methods.

It runs in an environment of its own, `requirements-radiomics.txt`. Features are those of pyradiomics (van Griethuysen
2017, doi:10.1158/0008-5472.Can-17-0339; BSD), which the paper used, too; built from source it runs on Python 3.11 with
numpy 2. One core trains on 323 scans in about 8 minutes, and needs some 10 s for each patient that is measured on.

The paper says that features of each region were extracted by pyradiomics, and that a random forest for each region
decided from them whether it is affected. It does not say which classes of features, on which image, with which bins or
settings of the forest, from which probability on, nor how the sides entered; its calls did not tell the side. Ours are:

- the CT smoothed in-plane as `classical` compares it, in pixels of 1 mm, with its thick slices as they are: texture is
  counted within slices only. In cross-validation over anatomies, on 71 of the patients that are trained on, that ranked
  regions a little better than the CT unsmoothed, or with CSF and its surroundings left out;
- first order, shape, GLCM, GLRLM and GLSZM, with bins of fixed width;
- a sample for each side: the features of the region, and those less the other side's. One forest serves both sides;
- true regions and a true brain in training, since finding them takes 10 s a scan;
- the threshold by the rule that DA-Net is calibrated with, here on cross-validated probabilities of the patients that
  are trained on.

The area under the curve is that of the probabilities. Those of the paper's table equal the mean of sensitivity and
specificity, as for calls, and do not compare with it.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import radiomics
import SimpleITK as sitk
from ncct_calls import print_outcome
from numpy.typing import NDArray
from radiomics.featureextractor import RadiomicsFeatureExtractor
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold

from ASPECTSLib.atlas.regions import AFFECTED_FRACTION, REGIONS, REGIONS_PER_SIDE, RegionCode
from ASPECTSLib.evidence import (
    DensityEvidence,
    average_slices,
    averaged_slices,
    gather_evidence,
    middle_slices,
)
from ASPECTSLib.geometry import Volume, resample
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.methods import CLASSICAL
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.overlap import infarct_fractions
from ASPECTSLib.statistics.agreement import LOW_SCORE
from ASPECTSLib.statistics.diagnostic import diagnose
from ASPECTSLib.statistics.roc import MIN_GROUP, Direction, area, marker
from ASPECTSLib.statistics.thresholds import region_thresholds
from ASPECTSLib.systems.head_ct import HeadCt
from ASPECTSLib.training.calibrate import RULE
from ASPECTSLib.training.call_benchmarks import (
    PATIENTS,
    Caller,
    Compared,
    Outcome,
    compare,
)
from ASPECTSLib.training.call_cases import (
    CallCase,
    RegionCalls,
    call_cases,
    call_heads,
    totals,
)
from ASPECTSLib.training.cohort import read_cohort
from ASPECTSLib.training.cohort_parts import split_cohort
from ASPECTSLib.training.cohort_scan import LabelledScan, LabelledVolumes, read_labelled

RADIOMICS_FOREST = "radiomics-forest"

FEATURE_CLASSES = ("firstorder", "shape", "glcm", "glrlm", "glszm")
PIXEL_MM = 1.0
BIN_WIDTH_HU = 5.0  # some eight bins from CSF to grey matter
TISSUE_HU = (
    0.0,
    80.0,
)  # brain and CSF; skull and air at the rim would rule the first-order features
MIN_VOXELS = 30  # of a region, in 1 mm pixels; as `ASPECTSLib.scoring.asymmetry` asks for

TREES = 500
LEAST_IN_LEAF = 2
FOLDS = 5
SEED = 2026


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Radiomics of patients.

    Parameters
    ----------
    features
        Of the twenty regions in the order of their labels, and their differences from the other side, shape
        (patients, 20, features); NaN where either side has too few voxels.
    affected
        Truth, shape (patients, 20).
    """

    features: NDArray[np.float64]
    affected: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RegionForest:
    """The classifier of a region of either side, and the probability from which on it is called."""

    classifier: RandomForestClassifier
    threshold: float


def main() -> None:
    """Train, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--patients", type=int, default=PATIENTS.infarcted, help="of each kind")
    parser.add_argument("--scans", type=int, help="to train on; all if left out")
    arguments = parser.parse_args()
    radiomics.setVerbosity(logging.ERROR)
    extractor = feature_extractor()
    table = training_table(training_scans(arguments.cohort, arguments.scans), extractor)
    print(f"trained on {len(table.affected)} scans, {table.features.shape[-1]} features")
    forests = grow_forests(table)
    patients = replace(PATIENTS, infarcted=arguments.patients, healthy=arguments.patients)
    outcome = compare_forests(call_cases(arguments.data, patients, Progress()), forests, extractor)
    print_outcome(outcome)
    print_low_scores(outcome.methods)


def training_scans(folder: Path, count: int | None) -> Sequence[LabelledScan]:
    """Return the head CT of a cohort to train on, of anatomies that nothing is measured on."""
    cohort = read_cohort(folder)
    if cohort.split is None:
        message = f"expected a split.json in {folder}: without it, anatomies of the test may be trained on"
        raise SystemExit(message)
    return split_cohort(cohort, [Modality.NCCT], 0.0).training[:count]


def training_table(
    scans: Iterable[LabelledScan], extractor: RadiomicsFeatureExtractor
) -> FeatureTable:
    """Measure the true regions of a cohort."""
    features, affected = [], []
    for scan in scans:
        volumes = read_labelled(scan)
        if volumes.brain is None or volumes.regions is None or volumes.infarct is None:
            message = f"expected regions, brain and infarct of {scan.name}, got not all of them"
            raise SystemExit(message)
        features.append(compared_features(true_evidence(volumes), volumes.regions, extractor))
        affected.append(true_calls(volumes.regions, volumes.infarct))
    return FeatureTable(np.array(features), np.array(affected))


def true_evidence(volumes: LabelledVolumes) -> DensityEvidence:
    """Smooth a labelled scan as the program smooths one, in its true brain."""
    averaged, count = average_slices(volumes.image), averaged_slices(volumes.image)
    brain = averaged.with_array(middle_slices(volumes.brain.array, count) > 0)
    return gather_evidence(averaged, brain, count)


def true_calls(regions: Volume, infarct: Volume) -> NDArray[np.bool_]:
    """Return which regions are affected, shape (20,)."""
    fractions = infarct_fractions(regions.array, infarct.array > 0)
    return np.array([(fractions[region] or 0.0) > AFFECTED_FRACTION for region in REGIONS])


def feature_extractor() -> RadiomicsFeatureExtractor:
    """Return pyradiomics with the settings above."""
    extractor = RadiomicsFeatureExtractor(
        binWidth=BIN_WIDTH_HU, force2D=True, force2Ddimension=0, additionalInfo=False
    )
    extractor.disableAllFeatures()
    for name in FEATURE_CLASSES:
        extractor.enableFeatureClassByName(name)
    return extractor


def compared_features(
    evidence: DensityEvidence, labels: Volume, extractor: RadiomicsFeatureExtractor
) -> NDArray[np.float64]:
    """Return the features of the twenty regions, and those less the other side's, shape (20, features).

    Parameters
    ----------
    evidence
        Its smoothed CT is measured.
    labels
        On the scan's own slices.
    extractor
        From `feature_extractor`.
    """
    cut = middle_slices(labels.array, evidence.averaged_slices)[evidence.box]
    grid = with_pixels_of(evidence.smoothed, PIXEL_MM)
    density = resample(evidence.smoothed, grid)
    regions = resample(evidence.smoothed.with_array(cut), grid, order=0).array
    low, high = TISSUE_HU
    measured = np.where((density.array > low) & (density.array < high), regions, 0)
    own = region_features(density, measured, extractor)
    return np.concatenate([own, own - np.roll(own, REGIONS_PER_SIDE, axis=0)], axis=1)


def with_pixels_of(volume: Volume, pixel_mm: float) -> Volume:
    """Return the grid of a volume's slices with square pixels of another size, from the same first pixel on."""
    factors = pixel_mm / volume.spacing_mm[:2]
    columns, rows = (round(n / f) for n, f in zip(volume.size, factors, strict=False))
    affine = volume.affine @ np.diag([*factors, 1.0, 1.0])
    return Volume(np.zeros((volume.size[2], rows, columns), np.uint8), affine)


def region_features(
    density: Volume, regions: NDArray[np.uint8], extractor: RadiomicsFeatureExtractor
) -> NDArray[np.float64]:
    """Return the features of the twenty regions, shape (20, features); NaN where there are too few voxels."""
    image, labels = (itk_image(density.with_array(a)) for a in (density.array, regions))
    sizes = np.bincount(regions.ravel(), minlength=len(REGIONS) + 1)
    found = {
        region.label - 1: extractor.execute(image, labels, label=region.label)
        for region in REGIONS
        if sizes[region.label] >= MIN_VOXELS
    }
    if not found:
        message = "expected regions in the brain, got none"
        raise SystemExit(message)
    names = sorted(next(iter(found.values())))
    table = np.full((len(REGIONS), len(names)), np.nan)
    for index, features in found.items():
        table[index] = [float(features[name]) for name in names]
    return table


def itk_image(volume: Volume) -> sitk.Image:
    """Return a volume with its spacing only: features do not depend on where it lies."""
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing([float(mm) for mm in volume.spacing_mm])
    return image


def grow_forests(table: FeatureTable) -> Mapping[RegionCode, RegionForest]:
    """Train a forest for each region, and choose its threshold by cross-validation over patients."""
    said, truth, classifiers = [], [], []
    for code in RegionCode:
        features, affected, patients = samples_of(table, code)
        said.append(cross_validated(features, affected, patients))
        truth.append(affected)
        known = np.isfinite(features).all(axis=1)
        classifiers.append(new_forest().fit(features[known], affected[known]))
    thresholds = region_thresholds(np.stack(said, axis=1), np.stack(truth, axis=1), RULE)
    return {
        code: RegionForest(classifier, threshold.cutoff)
        for code, classifier, threshold in zip(RegionCode, classifiers, thresholds, strict=True)
    }


def samples_of(
    table: FeatureTable, code: RegionCode
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return features and truth of a region of both sides, and which patient each sample is of."""
    both = sides_of(code)
    features = table.features[:, both]
    patients = np.repeat(np.arange(len(features)), len(both))
    return (
        features.reshape(len(patients), -1),
        table.affected[:, both].reshape(-1),
        patients,
    )


def sides_of(code: RegionCode) -> list[int]:
    """Return where the two regions of a code stand in the order of the labels."""
    return [region.label - 1 for region in REGIONS if region.code is code]


def cross_validated(
    features: NDArray[np.float64], affected: NDArray[np.bool_], patients: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return what forests say of patients that they were not trained on; 0 of a region that is not there."""
    if affected.sum() < FOLDS:
        message = f"expected each region affected {FOLDS} times, got {affected.sum()} of one"
        raise SystemExit(message)
    said = np.zeros(len(affected))
    known = np.isfinite(features).all(axis=1)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    for trained, tried in folds.split(features, affected, patients):
        forest = new_forest().fit(
            features[trained][known[trained]], affected[trained][known[trained]]
        )
        said[tried] = probabilities(forest, features[tried])
    return said


def new_forest() -> RandomForestClassifier:
    """Return a forest to be trained; affected regions are few, and weigh as much as the others."""
    return RandomForestClassifier(
        TREES,
        min_samples_leaf=LEAST_IN_LEAF,
        class_weight="balanced_subsample",
        random_state=SEED,
    )


def probabilities(
    forest: RandomForestClassifier, features: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the probability of being affected of each sample; 0 where the region is not there."""
    said = np.zeros(len(features))
    known = np.isfinite(features).all(axis=1)
    if known.any():
        said[known] = forest.predict_proba(features[known])[:, 1]
    return said


def call_by_forests(
    features: NDArray[np.float64], forests: Mapping[RegionCode, RegionForest]
) -> RegionCalls:
    """Call the twenty regions of a patient from their features, shape (20, features)."""
    said, called = np.zeros(len(REGIONS)), np.zeros(len(REGIONS), bool)
    for code, forest in forests.items():
        both = sides_of(code)
        said[both] = probabilities(forest.classifier, features[both])
        called[both] = (said[both] >= forest.threshold) & np.isfinite(features[both]).all(axis=1)
    return RegionCalls(said, called)


def compare_forests(
    cases: Iterable[CallCase],
    forests: Mapping[RegionCode, RegionForest],
    extractor: RadiomicsFeatureExtractor,
) -> Outcome:
    """Let the forests and `classical` call the regions of the same patients, where the program gives a score."""

    def by_forests(head: HeadCt) -> RegionCalls:
        features = compared_features(head.evidence, head.found.labels, extractor)
        return call_by_forests(features, forests)

    methods: Mapping[str, Caller] = {
        CLASSICAL: lambda head: call_heads(head, CLASSICAL, {}, AFFECTED_FRACTION),
        RADIOMICS_FOREST: by_forests,
    }
    return compare(cases, methods)


def print_low_scores(methods: Mapping[str, Compared]) -> None:
    """Print the last row of the table: scores above 6 against the others, which are the positive ones."""
    print(f"\nscore at most {LOW_SCORE}: sensitivity, specificity and accuracy, area of the score")
    for method, found in methods.items():
        true, said = totals(found.truth), totals(found.called)
        diagnosis = diagnose(true <= LOW_SCORE, said <= LOW_SCORE)
        shares = (diagnosis.sensitivity, diagnosis.specificity, diagnosis.accuracy)
        cells = ["-" if s is None else f"{s.value:.3f} (n = {s.n})" for s in shares]
        low = true <= LOW_SCORE
        if min(low.sum(), (~low).sum()) >= MIN_GROUP:
            cells.append(f"{area(marker(said, low, Direction.LOWER)).value:.3f}")
        print(f"{method:18}" + "  ".join(cells))


if __name__ == "__main__":
    main()
