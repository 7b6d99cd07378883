"""Stand-in for `slicer.parameterNodeWrapper`: typed members kept in a vtkMRMLScriptedModuleNode.

Types: str, int, float, bool, pathlib.Path, MRML node classes, and Optional of a node class; annotations Default,
WithinRange, Minimum, Maximum, Choice. Values are kept under the names and in the form of the real one.
"""

# ruff: noqa: N802, N815
from __future__ import annotations

import pathlib
import types
import typing
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from slicer_standins.connectors import GuiConnector, make_connector

PROPERTY = "SlicerParameterName"
_SIMPLE_TYPES = (str, int, float, bool, pathlib.Path)


@dataclass(frozen=True)
class Default:
    """Annotation: the value of a parameter that was never set."""

    value: Any


@dataclass(frozen=True)
class WithinRange:
    """Annotation: the least and the greatest value."""

    minimum: float
    maximum: float

    def validate(self, value: float) -> None:
        """Raise a ValueError for a value outside."""
        if not self.minimum <= value <= self.maximum:
            message = f"expected a value from {self.minimum} to {self.maximum}, got {value}"
            raise ValueError(message)


class Minimum(WithinRange):
    """Annotation: the least value."""

    def __init__(self, minimum: float) -> None:
        super().__init__(minimum, float("inf"))


class Maximum(WithinRange):
    """Annotation: the greatest value."""

    def __init__(self, maximum: float) -> None:
        super().__init__(float("-inf"), maximum)


@dataclass(frozen=True)
class Choice:
    """Annotation: the values to choose from."""

    choices: list[Any]

    def validate(self, value: object) -> None:
        """Raise a ValueError for any other value."""
        if value not in self.choices:
            message = f"expected one of {self.choices}, got {value!r}"
            raise ValueError(message)


class Parameter:
    """One member: how its value is checked, written and read."""

    def __init__(self, name: str, annotated: Any, default: Any = None) -> None:
        self.name = name
        self.type, self.annotations = _split(annotated)
        arguments = [arg for arg in typing.get_args(self.type) if arg is not type(None)]
        self.is_optional = len(typing.get_args(self.type)) == 2 and len(arguments) == 1
        self.value_type = arguments[0] if self.is_optional else self.type
        self.is_node = _is_node_class(self.value_type)
        if not self.is_node and (self.is_optional or self.value_type not in _SIMPLE_TYPES):
            message = f"the parameter {name!r} has the type {self.type}, which has no stand-in"
            raise NotImplementedError(message)
        self.default = self._default_of(default)

    def _default_of(self, given: Default | None) -> Any:
        for default in (given, *self.annotations):
            if isinstance(default, Default):
                return default.value
        return None if self.is_node else self.value_type()

    def check(self, value: Any) -> None:
        """Raise what the real wrapper raises for a value that cannot be kept."""
        if value is None and self.is_node:
            return
        accepted = (int, float) if self.value_type is float else self.value_type
        if value is None:
            message = f"the parameter {self.name!r} must not be None"
            raise ValueError(message)
        if not isinstance(value, accepted):
            message = f"expected a value of {self.value_type} for {self.name!r}, got {value!r}"
            raise TypeError(message)
        for annotation in self.annotations:
            if hasattr(annotation, "validate"):
                annotation.validate(value)

    def is_in(self, node: slicer.vtkMRMLScriptedModuleNode) -> bool:
        """Return whether the value was ever written."""
        return any(node.HasParameter(key) for key in self._keys())

    def write(self, node: slicer.vtkMRMLScriptedModuleNode, value: Any) -> None:
        """Keep a value."""
        self.check(value)
        with slicer.util.NodeModify(node):
            if not self.is_node:
                node.SetParameter(self.name, str(value))
                return
            for key in self._keys():
                node.UnsetParameter(key)
                node.RemoveNodeReferenceIDs(key)
            key = self._keys()[int(self.is_optional and value is None)]
            node.SetParameter(key, "")
            if value is not None:
                node.SetNodeReferenceID(key, value.GetID())

    def read(self, node: slicer.vtkMRMLScriptedModuleNode) -> Any:
        """Return the value; the default is written when there is none."""
        if not self.is_in(node):
            self.write(node, self.default)
        if self.is_node:
            return node.GetNodeReference(self._keys()[0])
        text = node.GetParameter(self.name)
        return text == "True" if self.value_type is bool else self.value_type(text)

    def _keys(self) -> tuple[str, ...]:
        """Return the names in the node: a union numbers its alternatives."""
        return (f"{self.name}.0", f"{self.name}.1") if self.is_optional else (self.name,)


class Wrapper:
    """What `parameterNodeWrapper` makes of a class."""

    allParameters: typing.ClassVar[dict[str, Parameter]] = {}

    def __init__(self, parameterNode: slicer.vtkMRMLScriptedModuleNode) -> None:  # noqa: N803
        self.parameterNode = parameterNode
        self._guis: dict[int, tuple[dict[str, GuiConnector], int]] = {}
        self._next_tag = 0
        self._is_updating = False
        for parameter in self.allParameters.values():
            parameter.read(parameterNode)

    def getValue(self, name: str) -> Any:
        """Return the value of a parameter."""
        return self._parameter(name).read(self.parameterNode)

    def setValue(self, name: str, value: Any) -> None:
        """Set the value of a parameter."""
        self._parameter(name).write(self.parameterNode, value)

    def default(self, name: str) -> Default:
        """Return the default of a parameter."""
        return Default(self._parameter(name).default)

    def _parameter(self, name: str) -> Parameter:
        if name not in self.allParameters:
            message = f"there is no parameter {name!r} among {list(self.allParameters)}"
            raise ValueError(message)
        return self.allParameters[name]

    # Widgets

    def connectGui(self, gui: Any) -> int:
        """Tie the widgets with the dynamic property SlicerParameterName to the parameters; return a tag."""
        widgets = [widget for widget in vars(gui).values() if widget.property(PROPERTY)]
        return self.connectParametersToGui(
            {widget.property(PROPERTY): widget for widget in widgets}
        )

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """Tie widgets to parameters by name; return a tag for `disconnectGui`."""
        connectors = {
            name: make_connector(widget, self._parameter(name)) for name, widget in mapping.items()
        }
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.connect(lambda name=name, gui=connector: self._take(name, gui))
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._show())
        tag, self._next_tag = self._next_tag, self._next_tag + 1
        self._guis[tag] = (connectors, observer)
        return tag

    def disconnectGui(self, tag: int) -> None:
        """Untie the widgets."""
        if tag not in self._guis:
            return
        connectors, observer = self._guis.pop(tag)
        for connector in connectors.values():
            connector.disconnect()
        self.RemoveObserver(observer)

    def _take(self, name: str, connector: GuiConnector) -> None:
        if not self._is_updating:
            self.setValue(name, connector.read())

    def _show(self) -> None:
        if self._is_updating:
            return
        self._is_updating = True
        try:
            for connectors, _ in self._guis.values():
                for name, connector in connectors.items():
                    connector.write(self.getValue(name))
        finally:
            self._is_updating = False

    # The node

    def AddObserver(self, event: int, callback: Any, priority: float = 0.0) -> int:
        """Observe the node."""
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        """End an observation of the node."""
        self.parameterNode.RemoveObserver(tag)

    def StartModify(self) -> int:
        """Hold the node's events back."""
        return self.parameterNode.StartModify()

    def EndModify(self, was_modifying: int) -> int:
        """Send the node's events."""
        return self.parameterNode.EndModify(was_modifying)

    def Modified(self) -> None:
        """Tell the node's observers."""
        self.parameterNode.Modified()


def parameterNodeWrapper(cls: type | None = None) -> Any:
    """Make the annotated members of a class parameters of a node (a class decorator)."""
    if cls is None:
        return parameterNodeWrapper
    hints = typing.get_type_hints(cls, include_extras=True)
    parameters = {
        name: Parameter(name, hint, Default(getattr(cls, name)) if hasattr(cls, name) else None)
        for name, hint in hints.items()
    }
    reserved = set(dir(Wrapper)) - set(dir(object))
    members = {name: value for name, value in vars(cls).items() if not name.startswith("__")}
    if taken := reserved.intersection(parameters, members):
        message = f"a parameter node wrapper has the names {sorted(taken)} already"
        raise ValueError(message)
    members |= {name: _member(name) for name in parameters}
    members |= {"allParameters": parameters, "__module__": cls.__module__, "__doc__": cls.__doc__}
    return type(cls.__name__, (Wrapper,), members)


def isParameterNodeWrapper(value: object) -> bool:
    """Return whether a class or an object was made by `parameterNodeWrapper`."""
    return issubclass(value if isinstance(value, type) else type(value), Wrapper)


def _member(name: str) -> property:
    return property(
        lambda self: self.getValue(name), lambda self, value: self.setValue(name, value)
    )


def _split(annotated: Any) -> tuple[Any, tuple[Any, ...]]:
    kind, *annotations = typing.get_args(typing.Annotated[annotated, None])
    if isinstance(kind, types.UnionType):
        kind = typing.Union[typing.get_args(kind)]  # noqa: UP007
    return kind, tuple(annotations[:-1])


def _is_node_class(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)
