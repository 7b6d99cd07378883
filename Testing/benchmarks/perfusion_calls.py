"""How well `ctp-cbf` scores synthetic patients whose truth is known, with the head CT beside the map and without.

    python Testing/benchmarks/perfusion_calls.py COHORT [--alone]

COHORT is what `aspects synthesize --modality ncct,cbf -o COHORT` writes. Prints a line a patient, then sensitivity,
specificity and accuracy of the region calls with 95 % bootstrap intervals over patients, and the agreement of the
scores. What is true is the infarct that was drawn, not what the map shows of it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from ncct_calls import print_regions, print_totals

from ASPECTSLib.errors import InputRefusedError
from ASPECTSLib.io.perfusion import read_perfusion
from ASPECTSLib.pipeline import ScoreOptions, score_study
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.training.call_benchmarks import Compared
from ASPECTSLib.training.call_cases import RegionCalls


def main() -> None:
    """Score all patients of a cohort."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--alone", action="store_true", help="by the map alone")
    arguments = parser.parse_args()
    found, without = Compared(), 0
    for case in sorted(arguments.cohort.glob("case-*")):
        record = json.loads((case / "truth.json").read_text(encoding="utf-8"))
        result = scored(case, alone=arguments.alone)
        if result is None or result.quality.abstained:
            without += 1
            continue
        true = np.array([row["affected"] for row in record["regions"]])
        called = np.array([bool(info.affected) for info in result.regions])
        probability = np.array([info.probability or 0.0 for info in result.regions])
        found.affected.append(true)
        found.calls.append(RegionCalls(probability, called))
        true_ml = record["infarct"]["volume_ml"] if record["infarct"] else 0.0
        print(
            f"{case.name}: infarct {true_ml:.1f} mL, core {result.core.volume_ml:.1f} mL; {true.sum()} affected, "
            f"{(true & called).sum()} found, {(called & ~true).sum()} falsely; score {result.aspects.score}, true "
            f"{record['aspects']['score']}",
            flush=True,
        )
    print(f"{len(found.calls) + without} patients, {without} of them without a score")
    print_regions("ctp-cbf", found)
    print_totals("ctp-cbf", found)


def scored(case: Path, *, alone: bool) -> StudyResult | None:
    """Return the result of a patient; None where the scan was refused."""
    ct = None if alone else case / "ncct" / "image.nii.gz"
    try:
        scan = read_perfusion(case / "cbf" / "image.nii.gz", ct)
        return score_study(scan, ScoreOptions(method="ctp-cbf")).result
    except InputRefusedError as error:
        print(f"{case.name}: {error.message}", flush=True)
        return None


if __name__ == "__main__":
    main()
