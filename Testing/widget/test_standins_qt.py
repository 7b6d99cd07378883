"""`qt`, `ctk` and forms behave as Slicer's Python shows them."""

from __future__ import annotations

import pytest
from tiny_module import load_form, widget_xml


def test_properties_are_attributes(tiny):
    tiny.ui.button.text = "Score"
    tiny.ui.button.enabled = False
    tiny.ui.outlines.setChecked(False)
    assert (tiny.ui.button.text, tiny.ui.button.enabled) == ("Score", False)
    assert (tiny.ui.outlines.checked, tiny.ui.outlines.isChecked()) == (False, False)


def test_property_that_qt_does_not_know_cannot_be_set(tiny):
    with pytest.raises(AttributeError, match="no property 'enable'"):
        tiny.ui.button.enable = False
    with pytest.raises(AttributeError, match="no property 'value1'"):
        tiny.ui.cutoff.value1 = 1


def test_children_are_attributes_by_object_name(tiny):
    assert tiny.ui.form.button.name == "button"


def test_slots_get_no_more_arguments_than_they_take(tiny):
    tiny.ui.button.click()
    assert tiny.calls[-1] == "button"


def test_default_of_a_lambda_is_overwritten_by_the_signal_as_in_slicer(tiny):
    got = []
    tiny.ui.button.connect("clicked(bool)", lambda n=3: got.append(n))
    tiny.ui.button.click()
    assert got == [False]


def test_disconnected_slot_is_not_called(tiny):
    assert tiny.ui.button.disconnect("clicked(bool)", tiny.onButton)
    assert not tiny.ui.button.disconnect("clicked(bool)", tiny.onButton)
    tiny.ui.button.click()
    assert "button" not in tiny.calls


def test_connecting_an_unknown_signal_is_an_error(tiny):
    with pytest.raises(ValueError, match="no signal 'pressed2"):
        tiny.ui.button.connect("pressed2()", tiny.onButton)


@pytest.mark.usefixtures("tiny")
def test_timer_shoots_once_both_ways(wait_until):
    import qt

    shots = []
    timer = qt.QTimer()
    timer.singleShot = True
    timer.connect("timeout()", lambda: shots.append("timer"))
    timer.start(0)
    qt.QTimer.singleShot(0, lambda: shots.append("static"))
    wait_until(lambda: len(shots) == 2)
    assert not timer.active


def test_enumerators_are_numbers():
    import qt

    assert qt.Qt.UserRole + 1 == 257
    assert qt.Qt.AlignCenter == 132


def test_event_filter_sees_keys(tiny):
    import qt
    from PySide6.QtTest import QTest

    class Filter(qt.QObject):
        def eventFilter(self, _watched, event):  # noqa: N802
            if event.type() == qt.QEvent.KeyPress:
                tiny.calls.append(event.key())
                return True
            return False

    key_filter = Filter()
    tiny.ui.reader.installEventFilter(key_filter)
    QTest.keyClick(tiny.ui.reader, qt.Qt.Key_E)
    assert tiny.calls[-1] == qt.Qt.Key_E
    assert tiny.ui.reader.text == ""


def test_shortcut_works_in_the_shown_panel(tiny):
    import qt
    from PySide6.QtTest import QTest

    shortcut = qt.QShortcut(qt.QKeySequence("Ctrl+H"), tiny.parent)
    shortcut.connect("activated()", lambda: tiny.calls.append("key"))
    QTest.keyClick(tiny.ui.reader, qt.Qt.Key_H, qt.Qt.ControlModifier)
    assert tiny.calls[-1] == "key"


def test_error_in_a_slot_is_recorded(tiny, slot_errors):
    tiny.ui.button.connect("clicked(bool)", lambda: 1 / 0)
    tiny.ui.button.click()
    assert [type(error) for error in slot_errors] == [ZeroDivisionError]
    slot_errors.clear()


# Forms


def test_unknown_widget_class_in_a_form_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="no stand-in for the widget class ctkFlowLayout"):
        load_form(tmp_path, widget_xml("ctkFlowLayout", "x", {}))


@pytest.mark.parametrize("kind", ["qMRMLNodeComboBox", "QPushButton"])
def test_unknown_property_in_a_form_is_an_error(tmp_path, kind):
    with pytest.raises(RuntimeError, match=f"{kind} has no property 'noneEnable'"):
        load_form(tmp_path, widget_xml(kind, "x", {"noneEnable": True}))


def test_enumerators_of_stand_ins_are_read(tmp_path):
    path = '<property name="filters"><set>ctkPathLineEdit::Dirs|ctkPathLineEdit::Writable</set></property>'
    form = load_form(tmp_path, f'<widget class="ctkPathLineEdit" name="folder">{path}</widget>')
    assert form.folder.filters == 0x1 | 0x20


def test_folded_section_hides_what_was_visible(tmp_path):
    import qt

    inside = (
        '<layout class="QVBoxLayout"><item><widget class="QLabel" name="a"/></item>'
        '<item><widget class="QLabel" name="b"/></item></layout>'
    )
    form = load_form(
        tmp_path, f'<widget class="ctkCollapsibleButton" name="fold">{inside}</widget>'
    )
    form.fold.b.visible = False
    form.show()
    form.fold.collapsed = True
    assert not form.fold.a.visible
    form.fold.collapsed = False
    assert (form.fold.a.visible, form.fold.b.visible) == (True, False)
    assert isinstance(form.fold, qt.QAbstractButton)
