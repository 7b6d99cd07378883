from __future__ import annotations

import pytest
from region_phantoms import box_regions

from ASPECTSLib.atlases.label_folders import find_label_maps, read_label_map
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.io.images import write_image


@pytest.fixture
def labels():
    return box_regions()


def written(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(labels, path)
    return path


def test_files_results_and_cohorts_are_found(tmp_path, labels):
    flat = written(tmp_path / "a.nii.gz", labels)
    result = written(tmp_path / "b" / "regions.nii.gz", labels)
    cohort = written(tmp_path / "c" / "ncct" / "regions.nii.gz", labels)
    written(tmp_path / "c" / "ncct" / "infarct.nii.gz", labels)
    (tmp_path / "split.json").write_text("{}", encoding="utf-8")
    assert find_label_maps(tmp_path) == {"a": (flat,), "b": (result,), "c": (cohort,)}


def test_the_results_of_a_cohort_are_taken(tmp_path, labels):
    result = written(tmp_path / "cases" / "a" / "regions.nii.gz", labels)
    (tmp_path / "cohort.json").write_text("{}", encoding="utf-8")
    assert find_label_maps(tmp_path) == {"a": (result,)}


def test_a_case_with_several_maps_is_refused_when_it_is_read(tmp_path, labels):
    for modality in ("cta", "ncct"):
        written(tmp_path / "a" / modality / "regions.nii.gz", labels)
    with pytest.raises(
        FileRefusedError, match=r"cta/regions.nii.gz, ncct/regions.nii.gz"
    ) as caught:
        read_label_map(find_label_maps(tmp_path)["a"])
    assert caught.value.code is ErrorCode.SERIES_AMBIGUOUS


def test_a_case_without_a_map_is_refused():
    with pytest.raises(FileRefusedError, match="got none") as caught:
        read_label_map(())
    assert caught.value.code is ErrorCode.FILE_NOT_FOUND


def test_a_folder_without_maps_is_refused(tmp_path):
    with pytest.raises(FileRefusedError, match="found none") as caught:
        find_label_maps(tmp_path)
    assert caught.value.code is ErrorCode.NO_IMAGES
    with pytest.raises(FileRefusedError, match="no folder named nowhere") as caught:
        find_label_maps(tmp_path / "nowhere")
    assert caught.value.code is ErrorCode.FILE_NOT_FOUND
