"""Scoring a scan of real size from the panel: what is seen meanwhile, and what is there afterwards."""

from __future__ import annotations

import re

import numpy as np
import pytest
from panel_steps import (
    REAL_SIZE,
    TOTAL_ROW,
    add_scan,
    choose,
    click_switch,
    count_nodes,
    is_running,
    load_scan,
    run_files,
    score_and_wait,
)

from ASPECTSLib.atlas.regions import REGIONS, RegionCode

LONGEST_GAP_S = 2.0  # half a second alone; other programs may want the cores too
CALLED = {("I", "left"), ("L", "left"), ("M2", "left"), ("IC", "left")}
"""The last of them wrongly: it is thin, and lies between two that are affected."""


def test_panel_says_what_to_do_before_the_run(real_run):
    assert real_run.hint == "Press Score."


def test_bar_names_the_stages(real_run):
    stages = {text.partition(" …")[0] for text, _value, _visible in real_run.states}
    assert len(stages) >= 6
    assert {"affine registration", "deformable registration"} <= stages


def test_bar_moves_forward_and_never_back(real_run):
    values = [value for _text, value, _visible in real_run.states]
    assert values == sorted(values)
    assert len(set(values)) >= 6
    assert all(visible for _text, _value, visible in real_run.states)


def test_bar_shows_the_percentage(real_run):
    assert all(text.endswith(" … %p %") for text, _value, _visible in real_run.states)


def test_bar_goes_when_the_run_has_ended(real_run):
    assert not real_run.bar_is_visible


def test_only_cancel_can_be_pressed_during_the_run_and_only_score_afterwards(real_run):
    assert real_run.enabled_during == {"scoreButton": False, "cancelButton": True}
    assert real_run.enabled_after == {"scoreButton": True, "cancelButton": False}


def test_interface_stays_alive_during_the_run(real_run):
    assert real_run.alive.ticks > 20
    assert real_run.alive.longest_gap_s < LONGEST_GAP_S


def test_nothing_in_the_temporary_folder_names_the_scan(real_run):
    assert "ncct.nrrd" in real_run.files_during
    assert not any("real" in name for name in real_run.files_during)


def test_temporary_folder_is_gone_after_the_run(real_run):
    assert real_run.files_left == []


def test_run_asks_nothing_and_raises_nothing(real_run):
    assert real_run.dialogs == []
    assert real_run.errors == []


def test_score_and_side_are_shown(real_run):
    left = real_run.study.aspects.left
    assert left in {6, 7, 8}  # I, L and M2 are truly affected
    assert real_run.texts["scoreLabel"] == f"ASPECTS {left} / 10"
    assert real_run.texts["sideLabel"].startswith("LEFT")
    assert real_run.texts["totalsLabel"].startswith(f"right 10, left {left}\n")
    assert real_run.texts["messageLabel"] == ""


def test_the_core_is_the_volume_of_the_infarct(real_run):
    assert real_run.texts["coreLabel"].startswith("core ")
    assert f"{real_run.study.core.volume_ml:.1f} mL" in real_run.texts["coreLabel"]


def test_table_shows_the_calls_of_both_sides(real_run):
    for info in real_run.study.regions:
        row = real_run.table[list(RegionCode).index(info.region)]
        text = row[1 if info.side == "right" else 2]
        sign = "◐" if info.unsure else "●" if info.affected else "○"
        assert text == f"{sign} {info.probability:.2f}"


def test_table_shows_the_totals(real_run):
    assert real_run.table[TOTAL_ROW] == ["total", "10", "6", ""]


def test_table_shows_densities_in_hounsfield_units(real_run):
    measured = [row[3] for row in real_run.table[:TOTAL_ROW]]
    assert all(re.match(r"\d+\.\d \| \d+\.\d HU", text) for text in measured)
    lentiform = measured[list(RegionCode).index("L")]
    assert re.search(r"−\d+ %", lentiform)


def test_infarct_of_the_patient_is_found(real_run):
    found = {(info.region, info.side) for info in real_run.study.regions if info.affected}
    assert found == CALLED


def test_scene_gets_the_nodes_of_one_result_and_no_others(real_run):
    added = real_run.after - real_run.before
    wanted = {
        "vtkMRMLTextNode": 1,
        "vtkMRMLSegmentationNode": 2,
        "vtkMRMLScalarVolumeNode": 1,
        "vtkMRMLLabelMapVolumeNode": 1,
        "vtkMRMLTableNode": 1,
    }
    assert {name: added[name] for name in wanted} == wanted
    others = {name for name in added if name not in wanted}
    assert all("Display" in name or "Color" in name or "Storage" in name for name in others)
    assert not real_run.before - real_run.after


def test_segments_are_the_twenty_regions_and_the_infarct(real_run):
    assert len(real_run.segment_ids["regions"]) == len(REGIONS)
    assert real_run.segment_ids["infarct"] == ("infarct",)
    assert set(np.unique(real_run.labels)) == {0, *(region.label for region in REGIONS)}


def test_images_lie_on_the_grid_of_the_scan(real_run):
    for image in (real_run.labels, real_run.heatmap, real_run.compared):
        assert image.shape == REAL_SIZE


def test_heat_map_is_the_probability_of_infarct(real_run):
    labels = {(r.code, r.side): r.label for r in REGIONS}
    ill, well = (
        real_run.heatmap[real_run.labels == labels["I", side]] for side in ("left", "right")
    )
    assert np.median(ill) > 0.5
    assert np.median(well) < 0.2


def test_table_node_has_a_row_for_each_region_of_a_side(real_run):
    assert real_run.table_rows == len(RegionCode)


@pytest.mark.usefixtures("scored")
def test_scoring_again_replaces_the_result(panel, scene, scan_path, wait_until):
    before = count_nodes(scene)
    score_and_wait(panel, wait_until)
    assert count_nodes(scene) == before
    assert panel.ui.scoreLabel.text == "ASPECTS 7 / 10"
    assert scan_path.exists()


@pytest.mark.usefixtures("scored")
def test_scoring_again_over_changes_by_hand_asks_first(panel, application):
    import qt

    click_switch(panel, "M3 left")
    panel.ui.scoreButton.click()
    (dialog,) = application.dialogs.shown
    assert "changed by hand" in dialog.text
    assert not is_running(panel)
    assert panel.ui.scoreLabel.text == "ASPECTS 6 / 10"
    application.dialogs.answer(qt.QMessageBox.Ok)
    panel.ui.scoreButton.click()
    assert is_running(panel)
    panel.ui.cancelButton.click()
    assert panel.ui.scoreLabel.text == "ASPECTS 6 / 10"


@pytest.mark.usefixtures("scored")
def test_scoring_again_over_an_untouched_result_asks_nothing(panel, application):
    panel.ui.scoreButton.click()
    assert is_running(panel)
    assert application.dialogs.shown == []


def test_result_of_a_scan_that_is_no_longer_chosen_is_announced_only(
    panel, scene, scan_path, scan, wait_until, application
):
    from ASPECTSSlicer.results import findResult

    first = load_scan(scan_path)
    choose(panel, first)
    panel.ui.methodSelector.currentText = "classical"
    panel.ui.scoreButton.click()
    second = add_scan(scan, "another")
    choose(panel, second)
    wait_until(lambda: panel.ui.scoreButton.enabled, 60)
    assert panel.ui.messageLabel.text == f"The result of {first.GetName()} is ready."
    assert not panel.ui.resultFrame.visible
    choose(panel, first)
    assert panel.ui.scoreLabel.text == "ASPECTS 7 / 10"
    assert findResult(scene, second) is None
    assert run_files(application) == []
