"""One case, scored into its folder, whatever comes of it: what every worker does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ASPECTSLib.batch.cases import Case, Refusal
from ASPECTSLib.batch.memory import give_back_memory
from ASPECTSLib.batch.records import folder_of, read_record, write_refusal
from ASPECTSLib.delineation import RegionSource
from ASPECTSLib.errors import ASPECTSError, CancelledError, ErrorCode, InputRefusedError
from ASPECTSLib.pipeline import score_to_folder
from ASPECTSLib.progress import Progress
from ASPECTSLib.registration.route import RegistrationRoute
from ASPECTSLib.systems.given import read_given
from ASPECTSLib.systems.study import ScoreOptions


@dataclass(frozen=True)
class Task:
    """A case with all that a worker needs to score it.

    Parameters
    ----------
    case
        To be scored.
    output
        Folder of the cohort's results.
    options
        Of all cases; the age is that of the case.
    picture
        Whether to draw the picture of each.
    """

    case: Case
    output: Path
    options: ScoreOptions
    picture: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON can hold it."""
        return {
            "case": self.case.to_dict(),
            "output": str(self.output),
            "options": options_to_dict(self.options),
            "picture": self.picture,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Task:
        """Read what `to_dict` gives."""
        options = ScoreOptions(
            **data["options"]
            | {
                "regions": RegionSource(data["options"]["regions"]),
                "registration": RegistrationRoute(data["options"]["registration"]),
            }
        )
        return cls(Case.from_dict(data["case"]), Path(data["output"]), options, data["picture"])


@dataclass(frozen=True)
class Stopped:
    """Why no case can be scored at all: a full disk, a missing model."""

    code: str
    message: str

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON can hold it."""
        return {"code": str(self.code), "message": self.message}


def options_to_dict(options: ScoreOptions) -> dict[str, Any]:
    """Return options as JSON can hold them."""
    return asdict(options) | {
        "regions": options.regions.value,
        "registration": options.registration.value,
    }


def do_task(task: Task, progress: Progress | None = None) -> Stopped | None:
    """Score a case, and write its result or why there is none; nothing is done for one that is finished.

    An error that is no fault of the scan, and none of this project's own errors, costs this case, too: its kind and
    place are kept, not its words, which may hold names.

    Returns
    -------
    Stopped or None
        What would stop all other cases as well; this one is then not finished.

    Raises
    ------
    CancelledError
        If the work was cancelled.
    """
    case, output = task.case, task.output
    if read_record(case, output) is not None:
        return None
    try:
        refusal = _refusal_of(task, progress or Progress())
        give_back_memory()
        if refusal is not None:
            write_refusal(case, refusal, output)
    except CancelledError:
        raise
    except ASPECTSError as error:
        another_did_it = error.code is ErrorCode.OUTPUT_EXISTS and read_record(case, output)
        return None if another_did_it else Stopped(error.code, error.message)
    return None


def _refusal_of(task: Task, progress: Progress) -> Refusal | None:
    """Score a case, and return why it has no result; None where it has one."""
    try:
        _score(task, progress)
    except InputRefusedError as error:
        return Refusal(error.code, error.message)
    except ASPECTSError:
        raise
    except Exception as error:
        return _unexpected(error)
    return None


def _score(task: Task, progress: Progress) -> None:
    options = task.options
    if task.case.age_years is not None:
        options = replace(options, age_years=task.case.age_years)
    scan = read_given(task.case.given(), options.method)
    folder = folder_of(task.case, task.output)
    score_to_folder(scan, options, folder, progress, picture=task.picture)


def _unexpected(error: Exception) -> Refusal:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    code = None if place is None else place.tb_frame.f_code
    where = "" if code is None else f" in {Path(code.co_filename).name}:{place.tb_lineno}"
    message = f"the program failed on this case: {type(error).__name__}{where}"
    return Refusal(ErrorCode.INTERNAL_ERROR, message)
