"""Time and memory of a whole case, stage by stage.

    python Testing/benchmarks/benchmark_time.py [SCAN]

Without SCAN a synthetic patient of 512 x 512 x 30 voxels is made. The run is a child process, as in
Slicer; its start and its imports count.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.io.images import write_image
from ASPECTSLib.synthesis.patient import Acquisition, make_patient

BUDGET_S = 10.0
BUDGET_GB = 2.0
REPEATS = 3


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        scan = Path(sys.argv[1]) if len(sys.argv) > 1 else make_scan(Path(folder))
        runs = [run(scan, Path(folder) / f"run-{number}") for number in range(REPEATS)]
    total_s = [whole for whole, _ in runs]
    best = runs[int(np.argmin(total_s))][1]
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    for stage, seconds in best.items():
        print(f"{stage:26} {seconds:6.2f} s")
    print(f"{'start and imports':26} {min(total_s) - sum(best.values()):6.2f} s")
    median_s = float(np.median(total_s))
    print(
        f"{'whole case':26} {min(total_s):6.2f} s, median of {REPEATS} {median_s:.2f} s; budget {BUDGET_S:.0f} s"
    )
    peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    print(f"{'peak memory':26} {peak_gb:6.2f} GB; budget {BUDGET_GB:.0f} GB")


def make_scan(folder: Path) -> Path:
    """Write a synthetic patient of the size of a clinical scan."""
    affected = [region_of(RegionCode(code), Side.LEFT) for code in ("I", "L", "M2")]
    acquisition = Acquisition(size=(512, 512, 30), spacing_mm=(0.45, 0.45, 5.0))
    patient = make_patient(load_atlas(), affected, np.random.default_rng(1), acquisition)
    path = folder / "scan.nii.gz"
    write_image(patient.scan, path)
    return path


def run(scan: Path, output: Path) -> tuple[float, dict[str, float]]:
    """Score in a child process; return its seconds, and the stages'."""
    command = [sys.executable, "-m", "ASPECTSLib", "score", str(scan), "-o", str(output)]
    started = perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    elapsed = perf_counter() - started
    return elapsed, json.loads((output / "result.json").read_text())["timings_s"]


if __name__ == "__main__":
    main()
