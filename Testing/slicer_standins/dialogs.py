"""Modal dialogs are recorded and answered at once, so that no test waits for a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PySide6 import QtWidgets

if TYPE_CHECKING:
    from collections.abc import Callable

_QMessageBox = QtWidgets.QMessageBox
# What a person presses who does not want what is asked.
_REFUSALS = (
    _QMessageBox.Cancel,
    _QMessageBox.No,
    _QMessageBox.Abort,
    _QMessageBox.Close,
)


@dataclass(frozen=True)
class ShownDialog:
    """What a person would have seen."""

    kind: str
    title: str
    text: str
    details: str = ""
    buttons: tuple[str, ...] = ()


@dataclass
class Dialogs:
    """The dialogs that were shown and the answers to those to come.

    `answer(...)` queues answers: for a message box a standard button (`qt.QMessageBox.Ok`) or the text of a button,
    for a file dialog a path, for any other dialog its result, or a function that gets the dialog and returns it.
    A dialog without an answer is refused: Cancel, No, an empty path; a box with one button is confirmed.
    """

    shown: list[ShownDialog] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)

    def answer(self, *answers: object) -> None:
        """Queue the answers to the next dialogs."""
        self.answers.extend(answers)

    def clear(self) -> None:
        """Forget what was shown and what was not asked for."""
        self.shown.clear()
        self.answers.clear()

    def take_answer(self, default: object) -> Any:
        """Return the next answer, or the default when none is left."""
        return self.answers.pop(0) if self.answers else default

    def install(self) -> None:
        """Take the place of everything in Qt that waits for a person."""

        def answer_message_box(box: QtWidgets.QMessageBox) -> int:
            return self._answer_message_box(box)

        def answer_dialog(dialog: QtWidgets.QDialog) -> int:
            return self._answer_dialog(dialog)

        for name in ("exec", "exec_"):
            setattr(_QMessageBox, name, answer_message_box)
            setattr(QtWidgets.QDialog, name, answer_dialog)
            setattr(QtWidgets.QMenu, name, _refuse("QMenu.exec_"))
        _QMessageBox.about = staticmethod(_refuse("QMessageBox.about"))
        for name in ("information", "question", "warning", "critical"):
            setattr(_QMessageBox, name, staticmethod(self._message_function(name)))
        for name in ("getExistingDirectory", "getOpenFileName", "getSaveFileName"):
            setattr(QtWidgets.QFileDialog, name, staticmethod(self._file_function(name)))
        for name in ("getText", "getItem", "getInt", "getDouble", "getMultiLineText"):
            setattr(QtWidgets.QInputDialog, name, staticmethod(_refuse(f"QInputDialog.{name}")))

    def _answer_message_box(self, box: QtWidgets.QMessageBox) -> int:
        buttons = _answers_of(box)
        texts = tuple(button.text.replace("&", "") for button in buttons)
        self.shown.append(
            ShownDialog(box.className(), box.windowTitle, box.text, box.detailedText, texts)
        )
        answer = self.take_answer(_refusal(box))
        for button, text in zip(buttons, texts, strict=True):
            if answer in (text, box.standardButton(button)):
                button.click()
                return int(box.standardButton(button)) or box.result
        message = f"the dialog {box.text!r} has the buttons {texts}, not {answer!r}"
        raise ValueError(message)

    def _answer_dialog(self, dialog: QtWidgets.QDialog) -> int:
        self.shown.append(ShownDialog(dialog.className(), dialog.windowTitle, ""))
        answer = self.take_answer(QtWidgets.QDialog.Rejected)
        result = answer(dialog) if callable(answer) else answer
        dialog.done(int(result))
        return int(result)

    def _message_function(self, name: str) -> Callable[..., int]:
        icon = getattr(_QMessageBox, name.capitalize())

        def show(
            parent: QtWidgets.QWidget | None,
            title: str,
            text: str,
            buttons: int | None = None,
            _default: int | None = None,
        ) -> int:
            usual = _QMessageBox.Yes | _QMessageBox.No if name == "question" else _QMessageBox.Ok
            box = _QMessageBox(icon, title, text, _QMessageBox.NoButton, parent)
            box.setStandardButtons(_QMessageBox.StandardButton(buttons or usual))
            return self._answer_message_box(box)

        return show

    def _file_function(self, name: str) -> Callable[..., str]:
        def show(_parent: object = None, title: str = "", *_arguments: object) -> str:
            self.shown.append(ShownDialog(f"QFileDialog.{name}", title, ""))
            return str(self.take_answer(""))

        return show


def _answers_of(box: QtWidgets.QMessageBox) -> list[QtWidgets.QAbstractButton]:
    """Return the buttons that end the dialog, "Show Details..." not among them."""
    return [b for b in box.buttons() if box.buttonRole(b) != _QMessageBox.ActionRole]


def _refusal(box: QtWidgets.QMessageBox) -> object:
    """Return the button of a person who does not agree; the only button, if there is one only."""
    buttons = _answers_of(box)
    offered = [box.standardButton(button) for button in buttons]
    if len(buttons) == 1:
        return offered[0] or buttons[0].text
    for refusal in _REFUSALS:
        if refusal in offered:
            return refusal
    return None


def _refuse(what: str) -> Callable[..., None]:
    def refuse(*_arguments: object) -> None:
        message = f"{what} waits for a person and has no stand-in"
        raise NotImplementedError(message)

    return refuse
