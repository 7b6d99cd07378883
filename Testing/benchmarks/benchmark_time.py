"""Time and memory of a whole case, stage by stage.

    python Testing/benchmarks/benchmark_time.py [SCAN]

Without SCAN a synthetic patient of 512 x 512 x 30 voxels is made. The run is a child process, as in
Slicer; its start and its imports count.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

BUDGET_S = 10.0
BUDGET_GB = 2.0
REPEATS = 3

# A process of its own: a child starts with its parent's peak memory, so this one must stay small.
MAKE_SCAN = """
import sys
from pathlib import Path
import numpy as np
from ASPECTSLib.atlas.atlas import load_atlas
from ASPECTSLib.atlas.regions import RegionCode, Side, region_of
from ASPECTSLib.io.images import write_image
from ASPECTSLib.synthesis.patient import Acquisition, make_patient
affected = [region_of(RegionCode(code), Side.LEFT) for code in ("I", "L", "M2")]
acquisition = Acquisition(size=(512, 512, 30), spacing_mm=(0.45, 0.45, 5.0))
patient = make_patient(load_atlas(), affected, np.random.default_rng(1), acquisition)
write_image(patient.scan, Path(sys.argv[1]))
"""


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        scan = Path(sys.argv[1]) if len(sys.argv) > 1 else make_scan(Path(folder))
        runs = [run(scan, Path(folder) / f"run-{number}") for number in range(REPEATS)]
    total_s = [elapsed for elapsed, _, _ in runs]
    fastest_s, _, stages_s = min(runs, key=lambda measured: measured[0])
    peak_gb = max(peak for _, peak, _ in runs)
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for stage, seconds in stages_s.items():
        print(f"{stage:26} {seconds:6.2f} s")
    print(f"{'start and imports':26} {fastest_s - sum(stages_s.values()):6.2f} s")
    median_s = statistics.median(total_s)
    print(
        f"{'whole case':26} {fastest_s:6.2f} s, median of {REPEATS} {median_s:.2f} s; budget {BUDGET_S:.0f} s"
    )
    print(f"{'peak memory':26} {peak_gb:6.2f} GB; budget {BUDGET_GB:.0f} GB")


def make_scan(folder: Path) -> Path:
    """Write a synthetic patient of the size of a clinical scan."""
    path = folder / "scan.nii.gz"
    subprocess.run([sys.executable, "-c", MAKE_SCAN, str(path)], check=True)
    return path


def run(scan: Path, output: Path) -> tuple[float, float, dict[str, float]]:
    """Score in a child process; return its seconds, its peak memory in GB, and the stages' seconds."""
    command = [sys.executable, "-m", "ASPECTSLib", "score", str(scan), "-o", str(output)]
    started = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    elapsed_s = perf_counter() - started
    if process.returncode:
        sys.exit(f"scoring ended with exit code {process.returncode}")
    stages_s = json.loads((output / "result.json").read_text())["timings_s"]
    return elapsed_s, usage.ru_maxrss / 1024**2, stages_s


if __name__ == "__main__":
    main()
