from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from ASPECTSLib.batch.run import BatchCancelledError
from ASPECTSLib.errors import (
    ASPECTSError,
    CancelledError,
    ContentRefusedError,
    ErrorCode,
    ExitCode,
    FileRefusedError,
    GeometryRefusedError,
    InputRefusedError,
    OutputError,
    ResourceError,
    UsageError,
)


def test_an_error_carries_a_code_for_programs_and_a_sentence_for_people():
    error = ASPECTSError(ErrorCode.NO_BRAIN, "expected a brain, got a knee")
    assert error.code is ErrorCode.NO_BRAIN
    assert str(error) == error.message == "expected a brain, got a knee"


@pytest.mark.parametrize(
    ("error_type", "exit_code"),
    [
        (FileRefusedError, 3),
        (GeometryRefusedError, 3),
        (ContentRefusedError, 3),
        (UsageError, 2),
        (OutputError, 1),
        (ResourceError, 1),
        (ASPECTSError, 1),
    ],
)
def test_each_error_has_the_exit_status_of_its_kind(error_type, exit_code):
    error = error_type(ErrorCode.USAGE, "words")
    assert error.exit_code == exit_code
    assert isinstance(error, ASPECTSError)


@pytest.mark.parametrize(
    "error_type", [FileRefusedError, GeometryRefusedError, ContentRefusedError]
)
def test_everything_that_refuses_a_study_can_be_caught_as_one(error_type):
    with pytest.raises(InputRefusedError, match="words"):
        raise error_type(ErrorCode.NO_IMAGES, "words")


def test_cancellation_says_that_nothing_was_written_and_exits_with_130():
    error = CancelledError()
    assert error.code is ErrorCode.CANCELLED
    assert error.exit_code == 130
    assert "nothing was written" in error.message


@pytest.mark.parametrize(
    "error",
    [
        ContentRefusedError(ErrorCode.NO_BRAIN, "expected a brain, got a knee"),
        CancelledError(),
        BatchCancelledError(Path("results")),
    ],
)
def test_an_error_is_the_same_in_another_process(error):
    received = pickle.loads(pickle.dumps(error))
    assert type(received) is type(error)
    assert (received.code, received.message) == (error.code, error.message)
    assert str(received) == str(error)


def test_exit_statuses_are_those_that_the_command_line_promises():
    statuses = {code.name: int(code) for code in ExitCode}
    assert statuses == {
        "RESULT": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "REFUSED": 3,
        "ABSTAINED": 4,
        "CANCELLED": 130,
    }


def test_codes_are_written_as_their_names():
    assert all(str(code) == code.name for code in ErrorCode)
