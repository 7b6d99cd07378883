"""The ASPECTS module of 3D Slicer: choose a head CT, press Score, see the score and the regions."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import qt
import slicer
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from ASPECTSSlicer import LIBRARY_ROOT
from ASPECTSSlicer.outcome import RESULT_EXIT_CODES, readOutcome
from ASPECTSSlicer.process import ChildProcess, findPython, scoreCommand
from ASPECTSSlicer.segmentations import loadRegions
from ASPECTSSlicer.volumes import writeVolume

POLL_INTERVAL_MS = 200


class ASPECTS(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent) -> None:
        super().__init__(parent)
        parent.title = "ASPECTS"
        parent.categories = ["Quantification"]
        parent.contributors = ["ASPECTS for 3D Slicer contributors"]
        parent.helpText = (
            "Scores early ischaemic change on a head CT by ASPECTS and shows the twenty regions. "
            "Research use only."
        )
        parent.acknowledgementText = "Sources of the atlases: see NOTICE in the repository."


@dataclass
class ScoringRun:
    """A scan that is being scored: its node, its folder and its process."""

    volumeNode: slicer.vtkMRMLScalarVolumeNode
    folder: tempfile.TemporaryDirectory
    resultFolder: Path
    process: ChildProcess

    def close(self) -> None:
        """End the child if it still runs and remove the scan and the result from the disk."""
        self.process.cancel()
        self.folder.cleanup()


class ASPECTSWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: it starts a run, asks after it and shows its end."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: ASPECTSLogic | None = None
        self.run: ScoringRun | None = None

    def setup(self) -> None:
        """Build the panel when the module is opened for the first time."""
        super().setup()
        panel = slicer.util.loadUI(self.resourcePath("UI/ASPECTS.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = ASPECTSLogic()
        self.timer = qt.QTimer()
        self.timer.setInterval(POLL_INTERVAL_MS)
        self.timer.connect("timeout()", self.onTimer)
        self.ui.scoreButton.connect("clicked(bool)", self.onScore)
        self.ui.cancelButton.connect("clicked(bool)", self.onCancel)
        self.ui.volumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.updateButtons)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.showIdle("Choose a head CT and press Score.")

    def cleanup(self) -> None:
        """Leave nothing running and nothing observed when the module goes."""
        self.endRun()
        self.removeObservers()

    def onScore(self, _checked: bool = False) -> None:
        """Start scoring the chosen volume."""
        with slicer.util.tryWithErrorDisplay("Scoring could not be started."):
            self.run = self.logic.startRun(self.ui.volumeSelector.currentNode())
            self.ui.progressBar.setValue(0)
            self.ui.resultLabel.setText("Scoring ...")
            self.timer.start()
            self.updateButtons()

    def onCancel(self, _checked: bool = False) -> None:
        """Stop the run at once."""
        self.showIdle("Cancelled.")

    def onSceneStartClose(self, _caller, _event) -> None:
        """Stop the run whose scan is about to go."""
        self.showIdle("Choose a head CT and press Score.")

    def onTimer(self) -> None:
        """Show how far the run is, or its end."""
        progress = self.run.process.poll()
        if progress is not None:
            self.ui.progressBar.setValue(round(100 * progress.fraction))
            self.ui.resultLabel.setText(f"{progress.stage} ...")
        if self.run.process.exitCode() is None:
            return
        self.timer.stop()
        text = "The result could not be shown."
        with slicer.util.tryWithErrorDisplay(text):
            text = self.logic.finishRun(self.run)
        self.showIdle(text)

    def showIdle(self, text: str) -> None:
        """Show a sentence and wait for the user."""
        self.endRun()
        self.ui.progressBar.setValue(0)
        self.ui.resultLabel.setText(text)
        self.updateButtons()

    def endRun(self) -> None:
        """Stop the run, if there is one, and remove its files."""
        self.timer.stop()
        if self.run is not None:
            self.run.close()
        self.run = None

    def updateButtons(self, _node=None) -> None:
        """Enable what makes sense now."""
        running = self.run is not None
        self.ui.volumeSelector.setEnabled(not running)
        self.ui.scoreButton.setEnabled(
            not running and self.ui.volumeSelector.currentNode() is not None
        )
        self.ui.cancelButton.setEnabled(running)
        self.ui.progressBar.setVisible(running)


class ASPECTSLogic(ScriptedLoadableModuleLogic):
    """Start a run and bring its result into the scene; opens no dialog."""

    def startRun(self, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> ScoringRun:
        """Write the volume to a folder of its own, without the patient's name, and score it."""
        folder = tempfile.TemporaryDirectory(prefix="aspects-", dir=slicer.app.temporaryPath)
        scan, resultFolder = Path(folder.name) / "scan.nii.gz", Path(folder.name) / "result"
        writeVolume(volumeNode, scan)
        command = scoreCommand(findPython(), scan, resultFolder)
        process = ChildProcess(command, LIBRARY_ROOT, slicer.util.startupEnvironment())
        return ScoringRun(volumeNode, folder, resultFolder, process)

    def finishRun(self, run: ScoringRun) -> str:
        """Add the regions of an ended run to the scene and return the sentence to show."""
        run.process.poll()
        if run.process.exitCode() not in RESULT_EXIT_CODES:
            return run.process.describeFailure()
        outcome = readOutcome(run.resultFolder)
        if outcome.regionsFile is not None:
            loadRegions(slicer.mrmlScene, outcome.regionsFile, run.volumeNode)
        return outcome.text


class ASPECTSTest(ScriptedLoadableModuleTest):
    """Checks that need the real application; the rest is tested without it, under Testing/."""

    def runTest(self) -> None:
        """Run all checks on an empty scene."""
        slicer.mrmlScene.Clear(0)
        self.test_volumeWithoutHeadIsRefusedWithASentence()

    def test_volumeWithoutHeadIsRefusedWithASentence(self) -> None:
        """A volume of air goes through the child process and comes back refused."""
        volumeNode = slicer.util.addVolumeFromArray(np.full((30, 64, 64), -1000, dtype=np.int16))
        logic = ASPECTSLogic()
        run = logic.startRun(volumeNode)
        run.process.wait()
        text = logic.finishRun(run)
        run.close()
        assert run.process.failure is not None, text
