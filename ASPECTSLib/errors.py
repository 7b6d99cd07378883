"""Errors of the project: each carries a code for programs and a sentence for people."""

from __future__ import annotations

import copyreg
from enum import IntEnum, StrEnum
from typing import Any


class ErrorCode(StrEnum):
    """Reasons for which a study is refused, abstained from or not written."""

    FILE_NOT_FOUND = "FILE_NOT_FOUND"
    FILE_EMPTY = "FILE_EMPTY"
    FILE_UNREADABLE = "FILE_UNREADABLE"
    FILE_TRUNCATED = "FILE_TRUNCATED"
    NO_IMAGES = "NO_IMAGES"
    SERIES_AMBIGUOUS = "SERIES_AMBIGUOUS"
    SERIES_NOT_FOUND = "SERIES_NOT_FOUND"
    NOT_THREE_DIMENSIONAL = "NOT_THREE_DIMENSIONAL"
    TOO_FEW_SLICES = "TOO_FEW_SLICES"
    MISSING_SLICES = "MISSING_SLICES"
    SLICES_TOO_THICK = "SLICES_TOO_THICK"
    GEOMETRY_INVALID = "GEOMETRY_INVALID"
    NON_FINITE_VOXELS = "NON_FINITE_VOXELS"
    NO_SIGNAL = "NO_SIGNAL"
    WRONG_MODALITY = "WRONG_MODALITY"
    IMPLAUSIBLE_UNITS = "IMPLAUSIBLE_UNITS"
    NO_BRAIN = "NO_BRAIN"
    PARTIAL_COVERAGE = "PARTIAL_COVERAGE"
    LABELS_INVALID = "LABELS_INVALID"
    LABEL_ORDER = "LABEL_ORDER"
    LOW_REGISTRATION_QUALITY = "LOW_REGISTRATION_QUALITY"
    HAEMORRHAGE = "HAEMORRHAGE"
    METHOD_UNAVAILABLE = "METHOD_UNAVAILABLE"
    RESOURCE_DAMAGED = "RESOURCE_DAMAGED"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    MODEL_DAMAGED = "MODEL_DAMAGED"
    MODEL_MISMATCH = "MODEL_MISMATCH"
    MODEL_UNSAFE = "MODEL_UNSAFE"
    TORCH_MISSING = "TORCH_MISSING"
    DEVICE_NOT_FOUND = "DEVICE_NOT_FOUND"
    GPU_MEMORY = "GPU_MEMORY"
    COHORT_INVALID = "COHORT_INVALID"
    CASE_DUPLICATE = "CASE_DUPLICATE"
    WORKER_LOST = "WORKER_LOST"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    FOLDER_IN_USE = "FOLDER_IN_USE"
    RECIPE_INVALID = "RECIPE_INVALID"
    CHECKPOINT_INVALID = "CHECKPOINT_INVALID"
    RESULT_OUTDATED = "RESULT_OUTDATED"
    USAGE = "USAGE"
    OUTPUT_EXISTS = "OUTPUT_EXISTS"
    OUTPUT_NOT_WRITABLE = "OUTPUT_NOT_WRITABLE"
    CANCELLED = "CANCELLED"


class ExitCode(IntEnum):
    """Exit statuses of the command line."""

    RESULT = 0
    FAILURE = 1
    USAGE = 2
    REFUSED = 3
    ABSTAINED = 4
    CANCELLED = 130


class ASPECTSError(Exception):
    """Base of every error that the project raises on purpose.

    Parameters
    ----------
    code
        What went wrong, for programs.
    message
        What went wrong, for a person, with what was expected and what was got; no patient names and
        no UIDs.
    """

    exit_code: ExitCode = ExitCode.FAILURE

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        """Tell how to make it again in another process, where `__init__` would miss the code."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__


class InputRefusedError(ASPECTSError):
    """The study cannot be scored: unreadable, out of scope or incomplete."""

    exit_code = ExitCode.REFUSED


class FileRefusedError(InputRefusedError):
    """A file or folder cannot be read as an image."""


class GeometryRefusedError(InputRefusedError):
    """The image grid cannot be used: too few, missing or too thick slices, wrong dimension."""


class ContentRefusedError(InputRefusedError):
    """The voxels are not those of a head scan of the expected modality."""


class UsageError(ASPECTSError):
    """The command or call itself is wrong."""

    exit_code = ExitCode.USAGE


class OutputError(ASPECTSError):
    """The results cannot be written."""


class ResourceError(ASPECTSError):
    """A file that ships with the project is missing or damaged."""


class TrainingError(ASPECTSError):
    """A network cannot be trained on: its loss is no number, or its checkpoint is another run's."""


class CancelledError(ASPECTSError):
    """The user stopped the run."""

    exit_code = ExitCode.CANCELLED

    def __init__(self, message: str = "cancelled; nothing was written") -> None:
        super().__init__(ErrorCode.CANCELLED, message)
