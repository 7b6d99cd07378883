"""Regions, brain mask and calls on the real reference cases, beside the simple rules they must not fall below.

    PYTHONPATH=Testing python Testing/benchmarks/benchmark_accuracy.py [DATA]

DATA is the folder with the public cases ($ASPECTS_DATA or ../shared/data). With so few people the
figures order methods, no more; they are not an estimate of accuracy.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reference_cases import LABELS, ReferenceCase, load_reference_cases
from scipy import ndimage

from ASPECTSLib.atlas.regions import REGIONS, contralateral
from ASPECTSLib.geometry import Volume, canonicalize
from ASPECTSLib.io.scan import read_scan
from ASPECTSLib.pipeline import score_study
from ASPECTSLib.preprocessing.brain import brain_mask, brain_mask_confidence_connected
from ASPECTSLib.preprocessing.intensity import smooth_in_plane
from ASPECTSLib.scoring.asymmetry import (
    SMOOTHING_MM,
    compared_tissue,
    label_volumes_ml,
    measure_regions,
)
from ASPECTSLib.scoring.overlap import dice, region_dice

REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> None:
    """Print the tables."""
    default = os.environ.get("ASPECTS_DATA", REPOSITORY.parent / "shared" / "data")
    cases = load_reference_cases(Path(sys.argv[1] if len(sys.argv) > 1 else default))
    print_regions(cases)
    print_brains(cases)
    print_calls(cases)
    print_scores(cases)


def print_regions(cases: list[ReferenceCase]) -> None:
    """Print the Dice of each region with the reference network's."""
    print(f"Dice with the reference regions, {len(cases)} people, aligned scans")
    print(
        "case     "
        + " ".join(f"{r.code.value + r.side.value[0]:>5}" for r in REGIONS)
        + "   mean   min"
    )
    for case in cases:
        labels = canonicalize(score_study(read_scan(case.aligned_path)).images.regions).volume.array
        scores = region_dice(labels, case.regions)
        print(
            f"{case.name:8} " + " ".join(f"{s:5.2f}" for s in scores),
            f"{scores.mean():6.3f} {scores.min():5.2f}",
        )


def print_brains(cases: list[ReferenceCase]) -> None:
    """Print the Dice of both brain masks."""
    print("\nDice of the brain mask with the stripped image, all slices")
    for case in cases:
        volume = canonicalize(read_scan(case.aligned_path).volume).volume
        ours = dice(brain_mask(volume).array, case.brain)
        recipe = dice(brain_mask_confidence_connected(volume).array, case.brain)
        print(f"{case.name:8} this project {ours:.3f}   recipe of the atlas paper {recipe:.3f}")


def print_calls(cases: list[ReferenceCase]) -> None:
    """Print how well drops of density rank affected regions, on given regions and on our own."""
    affected = np.array([label in case.affected for case in cases for label in LABELS])
    print(
        f"\nAUC of the drop per region and side, {affected.size} region-sides, {affected.sum()} affected"
    )
    for name, use_reference in (("reference regions", True), ("own regions", False)):
        ours, simple = [], []
        for case in cases:
            volume = canonicalize(read_scan(case.aligned_path).volume).volume
            mask = brain_mask(volume)
            labels = case.regions
            if not use_reference:
                study = score_study(read_scan(case.aligned_path))
                labels = canonicalize(study.images.regions).volume.array
            ours += drops(volume, mask, labels)
            simple += simple_drops(volume, labels)
        print(
            f"{name:18} this project {auc(ours, affected):.3f}   two-line rule {auc(simple, affected):.3f}"
        )


def drops(volume: Volume, mask: Volume, labels: NDArray[np.uint8]) -> list[float]:
    """Return the project's drop of each region; 0 where none was measured."""
    smoothed = smooth_in_plane(
        volume.with_array(np.clip(volume.array, -20, 120)), mask, SMOOTHING_MM
    )
    volumes_ml = label_volumes_ml(smoothed.with_array(labels))
    tissue = compared_tissue(smoothed, mask.array)
    measures = measure_regions(smoothed, labels, tissue, volumes_ml)
    return [measure.drop or 0.0 for measure in measures]


def simple_drops(volume: Volume, labels: NDArray[np.uint8]) -> list[float]:
    """Return the two-line rule: difference of the medians of the scan smoothed in-plane by 1.5 pixels."""
    smoothed = ndimage.gaussian_filter(volume.array.astype(np.float32), (0, 1.5, 1.5))
    medians = {region: float(np.median(smoothed[labels == region.label])) for region in REGIONS}
    return [medians[contralateral(region)] - medians[region] for region in REGIONS]


def auc(scores: list[float], affected: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve; ties count half."""
    positive, negative = np.array(scores)[affected], np.array(scores)[~affected]
    larger = (positive[:, None] > negative).mean()
    return float(larger + 0.5 * (positive[:, None] == negative).mean())


def print_scores(cases: list[ReferenceCase]) -> None:
    """Print the score of the scans as they were taken beside the expert's."""
    print("\nScore of the scan as it was taken")
    for case in cases:
        aspects = score_study(read_scan(case.scan_path)).result.aspects
        read = 10 - len(case.affected)
        print(f"{case.name:8} this project {aspects.score} {aspects.side:6} expert {read}")


if __name__ == "__main__":
    main()
