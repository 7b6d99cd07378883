"""What the panel says: messages, the score, warnings, and the evidence of one region."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from ASPECTSLib.report.advice import advice
from ASPECTSLib.report.result import RegionInfo, StudyResult
from ASPECTSLib.report.wording import (
    automatic_text,
    call_words,
    contrast_lines,
    core_lines,
    core_text,
    method_text,
    override_text,
    side_text,
    unsure_text,
    without_score_text,
)
from ASPECTSSlicer.process import Failure


class Headline:
    """Writes into the labels of the panel.

    Parameters
    ----------
    ui
        The widgets by name.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self.hasMessage = False
        self.failure: Failure | None = None
        """What the message complains about."""

    def say(self, text: str) -> None:
        """Show a message that stays until the next one."""
        self._write(text)
        self.hasMessage, self.failure = True, None

    def complain(self, failure: Failure) -> None:
        """Show why something could not be done, with its code."""
        self.say(f"✖ {failure}")
        self.failure = failure

    def hint(self, text: str) -> None:
        """Say what to do next; any message takes its place."""
        self._write(text)

    def clearMessage(self) -> None:
        """Show no message."""
        self._write("")
        self.hasMessage, self.failure = False, None

    def show(self, study: StudyResult | None) -> None:
        """Show score, side, core and warnings of a study."""
        if study is None:
            return
        ui, aspects = self._ui, study.aspects
        if not self.hasMessage:
            self._write("")
        if aspects.score is None:
            ui.scoreLabel.setText(_("No score"))
            ui.sideLabel.setText("")
            ui.totalsLabel.setText(_(without_score_text(study)))
        else:
            ui.scoreLabel.setText(f"ASPECTS {aspects.score} / 10")
            side = filter(None, [side_text(aspects), unsure_text(study)])
            ui.sideLabel.setText(
                "\n".join(side)
            )  # one below the other they fit into a narrow panel
            ui.totalsLabel.setText(_totals(study))
        ui.totalsLabel.setToolTip(method_text(study))
        ui.coreLabel.setText(core_text(study.core).replace("   ", "\n"))  # fits beside the score
        warnings = [f"⚠ {w.message}. {_(advice(w.code))}" for w in study.quality.warnings]
        ui.warningsLabel.setText("\n".join(warnings))
        ui.warningsLabel.setVisible(bool(warnings))

    def describe(self, info: RegionInfo | None) -> None:
        """Show the evidence of a region."""
        if info is None:
            self._ui.evidenceLabel.setText("")
            return
        lines = [f"{info.region} {info.side}: {call_words(info.final_call)}; {info.evidence}"]
        lines += [f"✎ {override_text(info)}"] if info.override else []
        self._ui.evidenceLabel.setText("\n".join(lines))

    def _write(self, text: str) -> None:
        self._ui.messageLabel.setText(text)
        self._ui.messageLabel.setVisible(bool(text))


def _totals(study: StudyResult) -> str:
    aspects = study.aspects
    text = _("right {right}, left {left}").format(right=aspects.right, left=aspects.left)
    if study.is_edited:
        text = f"{text}   ✎ {_('edited')}; {automatic_text(study)}"
    more = [
        *core_lines(study.core)[1:],  # the first stands beside the score
        *contrast_lines(study.contrast),
    ]
    return "\n".join(filter(None, [text, "; ".join(more)]))
