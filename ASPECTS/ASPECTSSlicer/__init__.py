"""Glue between Slicer and the library, which importing this package makes importable."""

from __future__ import annotations

import sys
from pathlib import Path

_MODULE_FOLDER = Path(__file__).resolve().parents[1]

# In an installed extension the library lies beside the module, in a checkout one folder up.
LIBRARY_ROOT = _MODULE_FOLDER if (_MODULE_FOLDER / "ASPECTSLib").is_dir() else _MODULE_FOLDER.parent

if str(LIBRARY_ROOT) not in sys.path:
    sys.path.append(str(LIBRARY_ROOT))
