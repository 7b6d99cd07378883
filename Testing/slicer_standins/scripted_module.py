"""Stand-ins for `slicer.ScriptedLoadableModule`: the base classes of a scripted module's four classes."""

# ruff: noqa: N802, N803
from __future__ import annotations

import importlib
import unittest
from pathlib import Path
from typing import Any

import qt
import slicer

_NODE_CLASS = "vtkMRMLScriptedModuleNode"


class ScriptedLoadableModule:
    """Describes the module to the application."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__
        slicer.selfTests = getattr(slicer, "selfTests", {})
        slicer.selfTests[self.moduleName] = self.runTest
        icons = Path(self.resourcePath("Icons"))
        for icon in (icons / f"{self.moduleName}.svg", icons / f"{self.moduleName}.png"):
            if icon.is_file():
                parent.icon = qt.QIcon(str(icon))
                break

    def resourcePath(self, filename: str) -> str:
        """Return the path of a file of the module's folder Resources."""
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def runTest(self, msec: int = 100, **kwargs: Any) -> None:
        """Run the test class that lies beside the module class."""
        module = importlib.import_module(type(self).__module__)
        test = getattr(module, f"{self.moduleName}Test")()
        test.messageDelay = msec
        test.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """The module's panel."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        if parent is None:
            message = "a panel without parent has no stand-in"
            raise NotImplementedError(message)
        self.parent = parent
        self.layout = parent.layout()
        slicer.app.moduleManager().connect(
            "moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded
        )

    def resourcePath(self, filename: str) -> str:
        """Return the path of a file of the module's folder Resources."""
        folder = Path(slicer.util.modulePath(self.moduleName)).parent
        return str(folder / "Resources" / filename)

    def setup(self) -> None:
        """Build the panel; overridden."""

    def cleanup(self) -> None:
        """Leave nothing behind; overridden."""

    def _onModuleAboutToBeUnloaded(self, moduleName: str) -> None:
        if moduleName == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect(
                "moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded
            )


class ScriptedLoadableModuleLogic:
    """What the module computes; it finds the module's parameter node."""

    def __init__(self, _parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> slicer.vtkMRMLScriptedModuleNode:
        """Return the scene's parameter node of this module, made when there is none."""
        if not self.isSingletonParameterNode:
            found = self.getAllParameterNodes()
            return found[0] if found else slicer.mrmlScene.AddNode(self.createParameterNode())
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, _NODE_CLASS)
        if node is None:
            return slicer.mrmlScene.AddNode(self.createParameterNode())
        # Closing a scene clears attributes.
        node.SetAttribute("ModuleName", self.moduleName)
        return node

    def getAllParameterNodes(self) -> list[slicer.vtkMRMLScriptedModuleNode]:
        """Return the scene's parameter nodes of this module."""
        nodes = slicer.util.getNodesByClass(_NODE_CLASS)
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self) -> slicer.vtkMRMLScriptedModuleNode:
        """Return a new parameter node that is not in the scene."""
        node = slicer.vtkMRMLScriptedModuleNode()
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """The module's checks of itself inside the application."""

    def delayDisplay(
        self,
        message: str,  # noqa: ARG002
        requestedDelay: int | None = None,  # noqa: ARG002
        msec: int | None = None,  # noqa: ARG002
    ) -> None:
        """Show a message; a test does not wait for it."""
        slicer.app.processEvents()

    def runTest(self) -> None:
        """Run all methods whose name begins with `test`."""
        for name in dir(self):
            if name.startswith("test") and callable(getattr(self, name)):
                getattr(self, name)()
