"""A worker process that does no science: what comes of a case stands in its file name.

`python quick_worker.py` stands in for `python -m ASPECTSLib.batch.worker`, with its own words and folders. A scan named
`score-7.nii.gz` has three regions affected; `killed`, `broken`, `slow`, `full` and `once` are what `_result` says.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from result_phantoms import study_result  # noqa: E402

from ASPECTSLib.batch import task, worker  # noqa: E402
from ASPECTSLib.errors import ErrorCode, InputRefusedError, OutputError  # noqa: E402
from ASPECTSLib.report.staging import publish, staging_folder  # noqa: E402

SLOW_S = 30.0
MESSAGE, FULL = "expected a head, got a knee", "the disk is full"


def quick_score(scan, _options, folder, progress, *, picture):
    """Write the result that the scan's name asks for, without pictures."""
    assert picture in {True, False}
    result = _result(scan, progress)
    with staging_folder(folder) as staging:
        (staging / "result.json").write_text(result.to_json(), encoding="utf-8")
        publish(staging, folder)


def _result(path: Path, progress):  # noqa: C901 - a list of accidents
    kind, _, number = path.name.split(".")[0].partition("-")
    match kind:
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "once" if not path.with_suffix(".seen").exists():
            path.with_suffix(".seen").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        case "broken":
            raise KeyError("a patient's name")  # noqa: EM101
        case "knee":
            raise InputRefusedError(ErrorCode.NO_BRAIN, MESSAGE)
        case "full":
            raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, FULL)
        case "slow":
            for _ in range(int(SLOW_S / 0.02)):
                progress.check()
                time.sleep(0.02)
        case "abstained":
            return study_result(abstained=True)
    return study_result(range(11, 11 + 10 - int(number or 10)))


def quick_read(given, _method):
    """Return the path in the place of a scan."""
    return given.scan or next(iter(given.by_kind.values()))


if __name__ == "__main__":
    task.score_to_folder, task.read_given = quick_score, quick_read
    print("libraries print what they want")
    worker.main()
