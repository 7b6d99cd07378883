from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from axis_orders import reordered
from result_phantoms import LOWER_SLICE, SHAPE_KJI, UPPER_SLICE, block, study_images, study_result

from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of
from ASPECTSLib.report.figure import (
    _DPI,
    _SIZE_INCHES,
    _draw_table,
    _grid,
    _mark_sides,
    _radiological,
    report_png,
)
from ASPECTSLib.report.result import KeySlicesInfo, OverrideInfo, WarningInfo

pytest.importorskip("matplotlib")

LEFT_BLOB = (slice(5, 16), slice(24, 29), slice(5, 10))  # i runs to the right: small i is left
HEAD_GREY = 128  # 40 HU in a window of 20 to 60
M4_LEFT = region_of(RegionCode.M4, Side.LEFT)


def picture(result=None, scan=None, images=None):
    """Return the pixels of a report, shape (rows, columns, 3), 0 to 255."""
    from matplotlib.image import imread

    images = images or study_images()
    images = replace(images, scan=scan or images.scan)
    png = report_png(result or study_result(), images)
    return np.rint(255 * imread(BytesIO(png))[..., :3]).astype(int)


def panels(pixels):
    """Return rows and columns of the six heads in a picture: two rows of three."""
    is_head = (np.abs(pixels - HEAD_GREY) <= 1).all(axis=2)
    rows, columns = _runs(is_head.sum(axis=1)), _runs(is_head.sum(axis=0))
    assert (len(rows), len(columns)) == (2, 3)
    return [(row, column) for row in rows for column in columns]


def _runs(counts):
    """Return where counts are high for long, marks and letters across it included."""
    places = np.flatnonzero(counts > 30)
    runs = np.split(places, np.flatnonzero(np.diff(places) > 30) + 1)
    return [slice(run[0], run[-1] + 1) for run in runs if len(run) > 100]


def with_blob(volume):
    array = volume.array.copy()
    array[LEFT_BLOB] = 100.0
    return volume.with_array(array)


@pytest.fixture(scope="module")
def plain():
    return picture()


def test_the_same_result_gives_the_same_picture():
    arguments = (study_result({12, 16}), study_images())
    assert report_png(*arguments) == report_png(*arguments)


def test_what_is_on_the_patients_left_is_drawn_on_the_right(plain):
    changed = (picture(scan=with_blob(study_images().scan)) != plain).any(axis=2)
    for rows, columns in panels(plain):
        panel = changed[rows, columns]
        middle = panel.shape[1] // 2
        assert not panel[:, :middle].any()
        assert panel[:, middle:].sum() > 500
        changed[rows, columns] = False
    assert not changed.any()


def test_a_scan_stored_the_other_way_round_gives_the_same_panels(plain):
    images = study_images()
    order, flips = (0, 1, 2), (True, True, True)
    turned = [
        reordered(v, order, flips) for v in (with_blob(images.scan), images.regions, images.heatmap)
    ]
    key_slices = KeySlicesInfo(2, SHAPE_KJI[0] - 1 - LOWER_SLICE, SHAPE_KJI[0] - 1 - UPPER_SLICE)
    stored = replace(
        images, scan=turned[0], regions=turned[1], heatmap=turned[2], scan_is_resampled=False
    )
    drawn = picture(replace(study_result(), key_slices=key_slices), images=stored)
    straight = picture(scan=with_blob(images.scan))
    for rows, columns in panels(plain):
        np.testing.assert_array_equal(drawn[rows, columns], straight[rows, columns])


def test_the_front_is_on_top_and_the_right_is_on_the_left():
    image = np.zeros((4, 6))
    image[3, 5] = 1.0  # anterior, right
    box = (slice(0, 1), slice(0, 4), slice(0, 6))
    assert np.argwhere(_radiological(image, box)).tolist() == [[0, 0]]


def test_the_sides_are_marked_as_radiologists_expect():
    from matplotlib.figure import Figure

    axis = Figure().add_subplot()
    _mark_sides(axis)
    places = {text.get_text(): text.get_position()[0] for text in axis.texts}
    assert places["R"] < 0.1
    assert places["L"] > 0.9


def test_affected_regions_are_filled_and_others_outlined(plain):
    affected = picture(study_result({M4_LEFT.label}))
    filled = (affected != plain).any(axis=2)
    heads = panels(plain)
    annotated = [heads[1], heads[4]]
    for rows, columns in annotated:
        head_pixels = (rows.stop - rows.start) * (columns.stop - columns.start)
        area = block(M4_LEFT.label)
        share = (area[1].stop - area[1].start) * (area[2].stop - area[2].start) / (40 * 48)
        panel = filled[rows, columns]
        assert panel.sum() > 0.7 * share * head_pixels
        assert panel[:, panel.shape[1] // 2 :].sum() > 0.99 * panel.sum()
        tint = affected[rows, columns][panel].mean(axis=0) - plain[rows, columns][panel].mean(
            axis=0
        )
        assert tint.argmax() == np.argmax(M4_LEFT.colour)
    for rows, columns in [heads[i] for i in (0, 2, 3, 5)]:
        assert not filled[rows, columns].any()


def test_an_override_is_drawn_in_the_place_of_the_call(plain):
    override = OverrideInfo(True, "reader", "2026-01-02", "")
    result = study_result()
    edited = tuple(
        replace(info, override=override) if info.region == "L" and info.side == "left" else info
        for info in result.regions
    )
    drawn = picture(replace(result, regions=edited))
    rows, columns = panels(plain)[1]
    assert (drawn != plain).any(axis=2)[rows, columns].sum() > 500


def test_the_difference_is_blue_where_darker_and_red_where_brighter(plain):
    images = study_images()
    change = images.heatmap.array.copy()
    dark, bright = block(12), block(2)
    change[dark], change[bright] = -6.0, 6.0
    drawn = picture(images=replace(images, heatmap=images.heatmap.with_array(change)))
    rows, columns = panels(plain)[2]
    panel = drawn[rows, columns]
    tinted = (panel != plain[rows, columns]).any(axis=2)
    middle = panel.shape[1] // 2
    right_of_patient, left_of_patient = (
        panel[:, :middle][tinted[:, :middle]].mean(axis=0),
        panel[:, middle:][tinted[:, middle:]].mean(axis=0),
    )
    assert right_of_patient[0] > right_of_patient[2] + 50
    assert left_of_patient[2] > left_of_patient[0] + 50


def test_an_unsure_call_has_a_sign_of_its_own_in_the_table(plain):
    regions = list(study_result().regions)
    regions[M4_LEFT.label - 1] = replace(regions[M4_LEFT.label - 1], unsure=True)
    changed = (picture(replace(study_result(), regions=tuple(regions))) != plain).any(axis=2)
    for rows, columns in panels(plain):
        assert not changed[rows, columns].any()
    assert changed[:, int(0.75 * changed.shape[1]) :].any()


def test_calls_without_densities_leave_the_calls_beside_them_legible():
    """A network calls regions of which the densities are not compared; affected ones are bold."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    result = study_result(range(1, 21))
    override = OverrideInfo(True, "reader", "2026-01-02", "")
    regions = tuple(replace(info, median=None, override=override) for info in result.regions)
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI)
    FigureCanvasAgg(figure)
    axis = figure.add_subplot(_grid(figure)[:, 3])
    _draw_table(axis, replace(result, regions=regions))
    boxes = [text.get_window_extent() for text in axis.texts if text.get_text()]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_the_longest_reason_for_no_score_fits_above_the_picture():
    result = study_result(abstained=True)
    warning = WarningInfo("LOW_REGISTRATION_QUALITY", "words")
    drawn = picture(replace(result, quality=replace(result.quality, warnings=(warning,))))
    columns = np.flatnonzero((drawn[:50] > 100).all(axis=2).any(axis=0))
    headline, _details = np.split(columns, np.flatnonzero(np.diff(columns) > 100) + 1)
    assert headline[-1] > 0.4 * drawn.shape[1]


def test_abstained_results_can_be_drawn():
    drawn = picture(study_result(abstained=True))
    assert len(panels(drawn)) == 6


def test_a_result_without_any_region_in_the_scan_can_be_drawn():
    images = study_images()
    empty = replace(images, regions=images.regions.with_array(images.regions.array * 0))
    assert picture(study_result(abstained=True), images=empty).any()


def test_long_and_many_warnings_can_be_drawn():
    result = study_result()
    warning = replace(result.quality.warnings[0], message="words " * 200)
    crowded = replace(result, quality=replace(result.quality, warnings=(warning,) * 12))
    assert picture(crowded).shape == picture().shape


def test_phantom_regions_are_all_in_both_key_slices():
    labels = study_images().regions.array
    for index in (LOWER_SLICE, UPPER_SLICE):
        assert set(np.unique(labels[index])) == {0} | {region.label for region in REGIONS}
