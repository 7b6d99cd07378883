"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest

from ASPECTSLib.errors import ErrorCode, OutputError, UsageError
from ASPECTSLib.report.staging import check_output, publish, staging_folder


def names(folder):
    return {path.name for path in folder.iterdir()}


def write(folder):
    with staging_folder(folder) as staging:
        (staging / "result.json").write_text("{}")
        publish(staging, folder)


def test_a_new_folder_can_be_written(tmp_path):
    check_output(tmp_path / "new" / "deep" / "result")
    assert names(tmp_path) == set()


@pytest.mark.parametrize("content", [(), ("scan.nii.gz",)])
def test_a_folder_that_exists_is_refused(tmp_path, content):
    folder = tmp_path / "result"
    folder.mkdir()
    for name in content:
        (folder / name).touch()
    with pytest.raises(UsageError, match="folder result exists") as caught:
        check_output(folder)
    assert caught.value.code is ErrorCode.OUTPUT_EXISTS
    assert names(folder) == set(content)


def test_a_file_of_that_name_is_refused(tmp_path):
    (tmp_path / "result").touch()
    with pytest.raises(UsageError) as caught:
        check_output(tmp_path / "result")
    assert caught.value.code is ErrorCode.OUTPUT_EXISTS


def test_a_dangling_link_of_that_name_is_refused(tmp_path):
    (tmp_path / "result").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError):
        check_output(tmp_path / "result")


@pytest.mark.parametrize("below", ["result", "deep/result"])
def test_a_file_in_the_place_of_a_parent_cannot_be_written_into(tmp_path, below):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match="folder result cannot be written") as caught:
        check_output(tmp_path / "file" / below)
    assert caught.value.code is ErrorCode.OUTPUT_NOT_WRITABLE
    assert (tmp_path / "file").read_text() == "no folder"


@pytest.mark.parametrize("below", ["", "result"])
def test_a_name_that_is_too_long_cannot_be_written(tmp_path, below):
    with pytest.raises(OutputError, match="too long") as caught:
        check_output(tmp_path / ("x" * 300) / below)
    assert caught.value.code is ErrorCode.OUTPUT_NOT_WRITABLE


@pytest.mark.skipif(os.name != "posix", reason="looks at permissions as POSIX has them")
def test_the_folder_is_as_open_as_the_users_other_folders(tmp_path):
    (tmp_path / "other").mkdir()
    write(tmp_path / "result")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("other", "result")]
    assert modes[0] == modes[1]


def test_a_staging_folder_is_gone_when_it_was_not_published(tmp_path):
    with staging_folder(tmp_path / "result") as staging:
        (staging / "file").touch()
        assert staging.parent == tmp_path
    assert names(tmp_path) == set()
