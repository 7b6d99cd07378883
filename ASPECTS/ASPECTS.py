"""The ASPECTS module of 3D Slicer: score a head scan, see why, correct it, and export it."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

# The library is imported inside ASPECTSSlicer, which makes it importable; it cannot be here at the top.
from ASPECTSSlicer.files import FileOutcome, scoreFile
from ASPECTSSlicer.layout import registerLayout
from ASPECTSSlicer.panel import Panel
from ASPECTSSlicer.parameters import ASPECTSParameters
from ASPECTSSlicer.results import findResult, readStudy
from ASPECTSSlicer.runs import RESULT_EDITED, Request, ScoringError, ScoringRun
from ASPECTSSlicer.sample import loadSample, registerSample
from ASPECTSSlicer.volumes import scoredKind

if TYPE_CHECKING:
    from ASPECTSLib.report.result import StudyResult


class ASPECTS(ScriptedLoadableModule):
    """What Slicer's module list shows."""

    def __init__(self, parent) -> None:
        super().__init__(parent)
        parent.title = "ASPECTS"
        parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        parent.dependencies = ["Segmentations", "SubjectHierarchy"]
        parent.contributors = ["ASPECTS for 3D Slicer contributors"]
        parent.helpText = _(
            "Scores early ischaemic change on a head CT or a diffusion-weighted MRI by ASPECTS, and shows why. "
            "Choose the scan, press Score, go through the regions, switch those that you read differently, and "
            "export the result. "
            "Research use only."
        )
        parent.acknowledgementText = _("Sources of the atlases: see NOTICE in the repository.")
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self) -> None:
        """Offer the sample patient, the logic in Slicer's console, and the layout to saved scenes."""
        folder = Path(slicer.util.modulePath("ASPECTS")).parent
        registerSample(folder / "Resources" / "Icons" / "ASPECTS.png")
        ASPECTSLogic().attach()
        if slicer.app.layoutManager() is not None:  # None without a main window
            registerLayout(slicer.app.layoutManager().layoutLogic().GetLayoutNode())


class ASPECTSWidget(ScriptedLoadableModuleWidget):
    """The widget that Slicer makes; `Panel` does the work."""

    def __init__(self, parent=None) -> None:
        self.logic: ASPECTSLogic | None = None
        self.panel: Panel | None = None
        super().__init__(parent)

    def setup(self) -> None:
        """Build the panel when the module is opened for the first time."""
        super().setup()
        widget = slicer.util.loadUI(self.resourcePath("UI/ASPECTS.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = ASPECTSLogic()
        self.logic.attach()
        self.panel = Panel(
            self.ui,
            widget,
            slicer.mrmlScene,
            slicer.app.layoutManager(),
            self.logic.startRun,
            userName(),
        )
        scene = slicer.mrmlScene
        self.panel.addObserver(scene, scene.EndCloseEvent, self.onSceneEnd)
        self.panel.addObserver(scene, scene.EndImportEvent, self.onSceneEnd)
        if self.parent.isEntered:  # reloaded while it is open, which nobody tells
            self.enter()

    def enter(self) -> None:
        """Take up the scene whenever the module is opened."""
        self.panel.enter(self.logic.getParameterNode())

    def exit(self) -> None:
        """Leave Slicer as it was before."""
        self.panel.exit()

    def cleanup(self) -> None:
        """Leave nothing running and nothing observed when the module goes."""
        if self.panel is not None:
            self.panel.cleanup()

    def onSceneEnd(self, _caller: object, _event: str) -> None:
        """Take up another scene."""
        if self.parent.isEntered:
            self.panel.enter(self.logic.getParameterNode())


class ASPECTSLogic(ScriptedLoadableModuleLogic):
    """What can be done without the panel; opens no dialog.

    In Slicer's console: `slicer.modules.aspects.logic().score(volumeNode)`.
    """

    def getParameterNode(self) -> ASPECTSParameters:
        """Return what the panel remembers, from the scene."""
        return ASPECTSParameters(super().getParameterNode())

    def attach(self) -> None:
        """Hang `score` and `scoreFiles` on what `slicer.modules.aspects.logic()` returns."""
        moduleLogic = slicer.modules.aspects.logic()
        moduleLogic.score, moduleLogic.scoreFiles = self.score, self.scoreFiles

    def startRun(self, request: Request) -> ScoringRun:
        """Start scoring volumes of the scene."""
        return ScoringRun(request, Path(slicer.app.temporaryPath), _environment())

    def score(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        method: str = "auto",
        ageYears: float | None = None,
        *,
        kind: str = "",
        replaceEdited: bool = False,
        **companions: slicer.vtkMRMLScalarVolumeNode,
    ) -> StudyResult:
        """Score a scan of the scene, wait for the end, and add the result to the scene.

        Slicer stays alive meanwhile. A result that the volume had before is replaced; one that a
        person has changed by hand only with `replaceEdited`.

        Parameters
        ----------
        volumeNode
            The scan.
        method, ageYears
            As the options of the command line.
        kind
            What the scan shows: "ncct" or "dwi"; as its name, its header and its voxels say where this is left out.
        replaceEdited
            Whether a result that was changed by hand may go.
        companions
            Other scans of the study by what they show, such as `adc=`.

        Raises
        ------
        ScoringError
            If there is no result; `failure.code` and `failure.message` say why.
        """
        former = findResult(slicer.mrmlScene, volumeNode)
        if former is not None and readStudy(former).is_edited and not replaceEdited:
            raise ScoringError(RESULT_EDITED)
        volumes = {kind or scoredKind(volumeNode): volumeNode} | companions
        run = self.startRun(Request(volumes, method, ageYears))
        try:
            run.process.waitAlive(slicer.app.processEvents)
            return readStudy(run.finish(slicer.mrmlScene))
        finally:
            run.close()

    def scoreFiles(
        self,
        paths: Iterable[str | Path | Mapping[str, str | Path]],
        outputDir: str | Path,
        method: str = "auto",
        ageYears: float | None = None,
    ) -> list[FileOutcome]:
        """Score files or DICOM folders one after another, each to a folder of its own in `outputDir`.

        They are scored as by `aspects score`; nothing is added to the scene. A case that fails
        costs that case only: its outcome has a `failure` in the place of a `result`. Several files
        of one case go in a mapping by what they show, such as {"dwi": path, "adc": path}.
        """
        cases = [path if isinstance(path, Mapping) else {"": path} for path in paths]
        return [
            scoreFile(
                {kind: Path(path) for kind, path in case.items()},
                Path(outputDir),
                Request({}, method, ageYears),
                _environment(),
                slicer.app.processEvents,
            )
            for case in cases
        ]


class ASPECTSTest(ScriptedLoadableModuleTest):
    """The same cases as under Testing/widget, in the real application."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        """Run all checks."""
        for test in (
            self.test_theSamplePatientIsScored,
            self.test_volumeOfAirIsRefusedWithACode,
            self.test_thePanelShowsTheResultAndUndoesASwitch,
        ):
            self.setUp()
            test()

    def test_theSamplePatientIsScored(self) -> None:
        """The child process finds the three infarcted regions of the synthetic patient."""
        result = ASPECTSLogic().score(loadSample(slicer.mrmlScene))
        affected = {(info.region, info.side) for info in result.regions if info.affected}
        infarcted = {("I", "left"), ("L", "left"), ("M2", "left")}
        calledWrongly = {("IC", "left")}  # a few voxels between two of them
        self.assertEqual(affected, infarcted | calledWrongly)

    def test_volumeOfAirIsRefusedWithACode(self) -> None:
        """A volume without a head comes back refused, and the scene stays as it was."""
        import numpy as np

        volumeNode = slicer.util.addVolumeFromArray(np.full((30, 64, 64), -1000, dtype=np.int16))
        volumeNode.SetSpacing(3.0, 3.0, 5.0)
        with self.assertRaises(ScoringError) as caught:
            ASPECTSLogic().score(volumeNode)
        self.assertEqual(caught.exception.failure.code, "NO_SIGNAL")
        self.assertIsNone(findResult(slicer.mrmlScene, volumeNode))

    def test_thePanelShowsTheResultAndUndoesASwitch(self) -> None:
        """Score, switch M3 right by hand, undo."""
        from ASPECTSLib.atlas.regions import RegionCode, Side, region_of

        volumeNode = loadSample(slicer.mrmlScene)
        ASPECTSLogic().score(volumeNode, "classical")
        slicer.util.selectModule("ASPECTS")
        widget = slicer.modules.ASPECTSWidget
        widget.ui.ncctSelector.setCurrentNode(volumeNode)
        self.assertEqual(widget.ui.scoreLabel.text, "ASPECTS 7 / 10")
        widget.panel.review.switchRegion(region_of(RegionCode.M3, Side.LEFT))
        self.assertEqual(widget.ui.scoreLabel.text, "ASPECTS 6 / 10")
        widget.panel.review.onUndo()
        self.assertEqual(widget.ui.scoreLabel.text, "ASPECTS 7 / 10")


def userName() -> str:
    """Return who is at the screen: as Slicer's settings know it, or the account's name."""
    information = slicer.app.applicationLogic().GetUserInformation()
    return information.GetName() or information.GetLogin() or getpass.getuser()


def _environment() -> dict[str, str]:
    return slicer.util.startupEnvironment()
