"""Which infarcted share of a region should cost a point on diffusion MRI, and how steep the probability is.

Synthetic patients of the anatomies that no recipe trains on, with seeds of their own: a region is truly affected when
more than 10 % of it is infarcted. The program sees scan and ADC only. Printed are, for some shares, how the program's
calls agree with the truth, and the slope of a logistic fit to the logarithm of the share that it measures.

    python Testing/benchmarks/affected_share.py DATA [PATIENTS]
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.atlas.regions import AFFECTED_FRACTION, REGIONS
from ASPECTSLib.errors import ASPECTSError
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.io.scan import Scan
from ASPECTSLib.pipeline import ScoreOptions, score_study
from ASPECTSLib.progress import Progress
from ASPECTSLib.scoring.aspects import total_score
from ASPECTSLib.synthesis.generator import PatientRange, draw_patient, scan_patient, truth_on
from ASPECTSLib.training.infarct_benchmarks import INFARCTS
from ASPECTSLib.training.tasks import VALIDATION
from ASPECTSLib.training.unseen import measured_scanners, unseen_sources

SHARES = (0.02, 0.05, 0.08, 0.10, 0.12, 0.15, 0.20, 0.30)
_SEED = 5
_LEAST = 1e-4


def main(data: Path, patients: int) -> None:
    """Print the agreement for each share, and the slope."""
    true, found = measure(data, patients)
    affected = true > AFFECTED_FRACTION
    print(f"{len(true)} patients, {affected.mean():.0%} of the regions truly affected")
    print("share   sensitivity  specificity  kappa   score: mean error, mean absolute error")
    for share in SHARES:
        called = found > share
        errors = _scores(called) - _scores(affected)
        print(
            f"{share:5.2f}   {called[affected].mean():11.2f}  {(~called[~affected]).mean():11.2f}  "
            f"{_kappa(called, affected):5.2f}   {errors.mean():+.2f}, {np.abs(errors).mean():.2f}"
        )
    slope, centre = _logistic(found[found > 0], affected[found > 0])
    print(
        f"logistic fit where some infarct was measured: slope {slope:.2f}, one half at {centre:.3f}"
    )


def measure(data: Path, patients: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return true and measured shares of the regions, shape (patients, 20)."""
    sources = unseen_sources(data, load_atlas(), Progress())
    every = PatientRange(healthy=0.1, infarcts=INFARCTS, scanners=measured_scanners())
    every = replace(every, infarcts=replace(INFARCTS, mca_share=0.8))
    true, found = [], []
    for number in range(patients):
        patient = draw_patient(sources, (VALIDATION, _SEED, number), every)
        synthetic = scan_patient(patient, Modality.DWI, every)
        dwi, adc = (synthetic.images[name] for name in ("dwi", "adc"))
        scan = Scan(dwi, ("dwi",), Modality.DWI, companions={Modality.ADC: adc})
        try:
            regions = score_study(scan, ScoreOptions()).result.regions
        except ASPECTSError as error:
            print(f"patient {number}: {error.code}")
            continue
        true.append(truth_on(synthetic, dwi).fractions)
        found.append([info.infarct_fraction or 0.0 for info in regions])
    return np.array(true), np.array(found)


def _scores(called: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.array(
        [
            total_score(r for r, is_called in zip(REGIONS, row, strict=True) if is_called).score
            for row in called
        ]
    )


def _kappa(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    agreed = (first == second).mean()
    chance = first.mean() * second.mean() + (1 - first.mean()) * (1 - second.mean())
    return float((agreed - chance) / (1 - chance))


def _logistic(shares: NDArray[np.float64], affected: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and centre of the likeliest logistic curve in the logarithm of the share."""
    x = np.log(np.maximum(shares, _LEAST))

    def loss(parameters: NDArray[np.float64]) -> float:
        logit = parameters[0] * (x - parameters[1])
        return float(np.logaddexp(0.0, np.where(affected, -logit, logit)).mean())

    best = optimize.minimize(loss, np.array([1.5, np.log(AFFECTED_FRACTION)]), method="Nelder-Mead")
    return float(best.x[0]), float(np.exp(best.x[1]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60)
