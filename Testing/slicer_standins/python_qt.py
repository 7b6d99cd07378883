"""The module `qt` as Slicer's embedded Python shows it (PythonQt), made of PySide6.

What differs between the two and is bridged here:

- a Qt property is an attribute: `label.text`, `box.checked = True`; setters and `isChecked()` stay
- so are dynamic properties, and children by their object name; `name` is the object name
- `connect("clicked(bool)", function)` and `disconnect(...)` take signals by their C++ signature; the object keeps
  the function alive, and a function gets at most as many arguments as it has parameters
- enumerators are numbers; everything lies flat in one module
- an attribute that Qt does not know cannot be set on a widget, so that a misspelt property is an error

PySide 6.12 is made for Pythons whose None, True and False are immortal (3.12 and later). On 3.11 it gives away
references that it does not have, a setter one to None per call, until the interpreter aborts with "deallocating
None"; hence `_keep_singletons_alive`.
"""

from __future__ import annotations

import ctypes
import inspect
import os
import sys
import types
from typing import TYPE_CHECKING, Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Enumerators as IntEnum and IntFlag; read by PySide6 when it is imported.
os.environ.setdefault("PYSIDE6_OPTION_PYTHON_ENUM", "0x06")

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets

if TYPE_CHECKING:
    from collections.abc import Callable

_QObject = QtCore.QObject
_connect_by_signature = _QObject.connect
_disconnect_by_signature = _QObject.disconnect
_get_attribute = _QObject.__getattribute__
_single_shot = QtCore.QTimer.singleShot

# Stand-ins for C++ widgets: Python classes whose users may not add attributes.
_native_classes: set[type] = set()
# Connected functions by address of the sender, then by signature: (function, what Qt calls).
_connections: dict[int, dict[str, list[tuple[Callable, Callable]]]] = {}


def native(cls: type) -> type:
    """Mark a Python class as standing for a C++ class (a class decorator)."""
    _native_classes.add(cls)
    return cls


def make_qt_module() -> types.ModuleType:
    """Return the module `qt`, made once for the process; PySide6's classes are changed in place."""
    if "qt" in sys.modules:
        return sys.modules["qt"]
    qt = types.ModuleType("qt", __doc__)
    for source in (QtCore, QtGui, QtWidgets):
        for name in dir(source):
            if name.startswith("Q"):
                setattr(qt, name, getattr(source, name))
    _keep_singletons_alive()
    _change_classes()
    sys.modules["qt"] = qt
    return qt


def _keep_singletons_alive() -> None:
    """Give None, True and False more references than a process can lose."""
    if sys.version_info < (3, 12) and sys.implementation.name == "cpython":
        for singleton in (None, True, False):
            # The number of references is the first field of an object.
            ctypes.c_ssize_t.from_address(id(singleton)).value += 1 << 40


def _change_classes() -> None:
    classes = {
        value
        for source in (QtCore, QtGui, QtWidgets)
        for value in vars(source).values()
        if isinstance(value, type) and issubclass(value, _QObject)
    }
    # Derived classes first: the getters of their bases must still be methods then.
    for cls in sorted(classes, key=lambda cls: len(cls.__mro__), reverse=True):
        _make_properties_attributes(cls)
        cls.__setattr__ = _set_attribute
    _QObject.__getattribute__ = _get_attribute_or_child
    _QObject.name = property(
        lambda self: self.objectName, lambda self, name: self.setObjectName(name)
    )
    _QObject.className = lambda self: self.metaObject().className()
    _QObject.delete = _delete
    QtCore.QTimer.singleShot = _SingleShot()


def _delete(self: QtCore.QObject) -> None:
    shiboken6.delete(self)


# Properties


def _make_properties_attributes(cls: type) -> None:
    meta = cls.staticMetaObject
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        qt_property = meta.property(index)
        name = qt_property.name()
        setter = _setter(cls, name) if qt_property.isWritable() else None
        setattr(cls, name, property(_getter(cls, name), setter))


def _getter(cls: type, name: str) -> Callable[[Any], Any]:
    method = getattr(cls, name, None)
    if inspect.isroutine(method):
        return method
    return lambda self: _QObject.property(self, name)


def _setter(cls: type, name: str) -> Callable[[Any, Any], None]:
    setter = "set" + name[0].upper() + name[1:]
    if hasattr(cls, setter):
        return lambda self, value: getattr(self, setter)(value)
    return lambda self, value: _QObject.setProperty(self, name, value)


def _set_attribute(self: QtCore.QObject, name: str, value: object) -> None:
    """Set a property; other attributes only on objects of a module's own Python classes.

    PythonQt refuses them too: its Python side of a widget may go and come, and would lose them.
    """
    cls = type(self)
    descriptor = inspect.getattr_static(cls, name, None)
    if type(descriptor) is QtCore.Property and descriptor.fset is not None:
        descriptor.fset(self, value)
        return
    if hasattr(type(descriptor), "__set__"):
        descriptor.__set__(self, value)
        return
    if isinstance(value, _QObject) and value.objectName == name:
        return  # PySide's loader names all descendants of a form; PythonQt finds its children only
    if _QObject.property(self, name) is not None:
        _QObject.setProperty(self, name, value)  # a dynamic one
        return
    is_native = cls.__module__.startswith("PySide6") or cls in _native_classes
    # PySide keeps the bound signals of an object as its attributes.
    is_signal = type(value) is QtCore.SignalInstance
    if is_native and not name.startswith("_") and not is_signal:
        message = f"{cls.__name__} has no property {name!r} that can be set"
        raise AttributeError(message)
    vars(self)[name] = value


def _get_attribute_or_child(self: QtCore.QObject, name: str) -> object:
    # Shiboken answers these two by itself; a class attribute would never be asked.
    if name == "connect":
        return types.MethodType(_connect, self)
    if name == "disconnect":
        return types.MethodType(_disconnect, self)
    try:
        return _get_attribute(self, name)
    except AttributeError:
        if not name.startswith("_") and shiboken6.isValid(self):
            if (dynamic := _QObject.property(self, name)) is not None:
                return dynamic
            for child in _QObject.children(self):
                if child.objectName == name:
                    return child
        raise


class _SingleShot:
    """`QTimer.singleShot(...)` of the class and `timer.singleShot = True` of a timer."""

    def __get__(self, timer: QtCore.QTimer | None, owner: type) -> object:
        return _single_shot if timer is None else timer.isSingleShot()

    def __set__(self, timer: QtCore.QTimer, value: bool) -> None:
        timer.setSingleShot(value)


# Signals


def _connect(self: QtCore.QObject, signal: str, *target: Any) -> bool:
    """Connect to a function, or to a receiver and its slot; an unknown signal is an error."""
    function = _slot(*target)
    called = _with_fewer_arguments(function)
    if (own := _python_signal(self, signal)) is not None:
        own.connect(called)
    else:
        _connect_by_signature(self, "2" + _known_signature(self, signal), called)
    _connections_of(self).setdefault(signal, []).append((function, called))
    return True


def _disconnect(self: QtCore.QObject, signal: str, *target: Any) -> bool:
    """Disconnect a function once, or all functions; False if it was not connected."""
    connected = _connections_of(self).get(signal, [])
    ended = list(connected)
    if target:
        function = _slot(*target)
        ended = [pair for pair in connected if pair[0] == function][:1]
    for pair in ended:
        connected.remove(pair)
        if (own := _python_signal(self, signal)) is not None:
            own.disconnect(pair[1])
        else:
            _disconnect_by_signature(self, "2" + _known_signature(self, signal), pair[1])
    return bool(ended)


def _slot(receiver_or_function: Any, slot: str | None = None) -> Callable:
    if slot is None:
        return receiver_or_function
    return getattr(receiver_or_function, slot.split("(")[0])


def _python_signal(sender: QtCore.QObject, signal: str) -> Any:
    """Return a stand-in's signal that carries MRML objects, for which Qt has no signature."""
    name = getattr(type(sender), "MRML_SIGNALS", {}).get(signal)
    return getattr(sender, name) if name else None


def _known_signature(sender: QtCore.QObject, signal: str) -> str:
    signature = QtCore.QMetaObject.normalizedSignature(signal)
    signature = signature if isinstance(signature, str) else bytes(signature).decode()
    if sender.metaObject().indexOfSignal(signature) < 0:
        message = f"{type(sender).__name__} has no signal {signal!r}"
        raise ValueError(message)
    return signature


def _with_fewer_arguments(function: Callable) -> Callable:
    """Return a function that hands on as many arguments as PythonQt would.

    That is the number of positional parameters, those with a default included: the `False` of `clicked(bool)` lands
    in the `n` of `lambda n=n: ...`.
    """
    count = None
    plain = function.__func__ if inspect.ismethod(function) else function
    if inspect.isfunction(plain) and not plain.__code__.co_flags & inspect.CO_VARARGS:
        count = plain.__code__.co_argcount - inspect.ismethod(function)
    # A new function even where all are handed on: of a method alone Qt would keep no reference.
    return lambda *arguments: function(*arguments[:count])


def _connections_of(sender: QtCore.QObject) -> dict[str, list[tuple[Callable, Callable]]]:
    address = shiboken6.getCppPointer(sender)[0]
    if address not in _connections:
        _connections[address] = {}
        # The address may be given to another object later.
        sender.destroyed.connect(lambda *_: _connections.pop(address, None))
    return _connections[address]
