from __future__ import annotations

import sys

import numpy as np
import pytest

from ASPECTSLib.errors import ErrorCode, OutputError
from ASPECTSLib.training.curves import WITHOUT_MATPLOTLIB, draw_curves, smoothed
from ASPECTSLib.training.log import LOG_FILE, WITHOUT_TENSORBOARD, TrainingLog, read_log

SERIES = {
    "loss/training": [(1, 2.0), (2, 1.5), (3, 0.1 + 0.2)],
    "dice/mean": [(2, 0.5)],
    "dice/1": [(2, 0.5)],
}


@pytest.fixture
def without_tensorboard(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)


def write(folder, step, series):
    with TrainingLog(folder, step) as log:
        for name, points in series.items():
            for at, value in points:
                log.write(at, {name: value})


@pytest.mark.usefixtures("without_tensorboard")
def test_numbers_come_back_to_the_bit(tmp_path):
    write(tmp_path, 0, SERIES)
    assert read_log(tmp_path) == SERIES
    assert (tmp_path / LOG_FILE).read_text().startswith("step,series,value")


@pytest.mark.usefixtures("without_tensorboard")
def test_rows_after_the_checkpoint_are_dropped_and_a_torn_one_too(tmp_path):
    write(tmp_path, 0, SERIES)
    for torn in ("4,loss/tr", "4,loss/training,0.", "4,loss/training,-", "4"):
        with (tmp_path / LOG_FILE).open("a") as file:
            file.write(torn)
        write(tmp_path, 2, {"loss/training": [(3, 1.0)]})
        expected = [(1, 2.0), (2, 1.5), (3, 1.0)]
        assert read_log(tmp_path) == {**SERIES, "loss/training": expected}


@pytest.mark.usefixtures("without_tensorboard")
def test_a_missing_tensorboard_is_told(tmp_path):
    with TrainingLog(tmp_path, 0) as log:
        assert log.notes == (WITHOUT_TENSORBOARD,)
        log.write(1, {"loss/training": 1.0})
        log.flush()
        assert read_log(tmp_path) == {"loss/training": [(1, 1.0)]}


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / LOG_FILE).mkdir()
    with pytest.raises(OutputError, match=r"log\.csv cannot be written") as refused:
        TrainingLog(tmp_path, 0)
    assert refused.value.code is ErrorCode.OUTPUT_NOT_WRITABLE


@pytest.mark.parametrize("series", [SERIES, {}])
def test_the_curves_are_a_picture(tmp_path, series):
    assert draw_curves(series, tmp_path / "curves.png") == ()
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_missing_matplotlib_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert draw_curves(SERIES, tmp_path / "curves.png") == (WITHOUT_MATPLOTLIB,)
    assert not list(tmp_path.iterdir())


def test_the_running_mean_goes_over_a_fiftieth_of_the_values():
    means = smoothed(np.arange(150.0))
    assert means[[0, 1, 2, 10, 149]].tolist() == [0.0, 0.5, 1.0, 9.0, 148.0]
    assert smoothed(np.empty(0)).size == 0
