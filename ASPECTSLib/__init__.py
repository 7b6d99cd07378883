"""ASPECTS for 3D Slicer: the library behind the module and the command line."""

__version__ = "0.1.0"
