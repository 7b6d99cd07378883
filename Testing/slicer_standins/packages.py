"""Stand-ins for `slicer.packaging`, `slicer.i18n` and the module SampleData: what they are asked is recorded."""

# ruff: noqa: N802, N803
from __future__ import annotations

import importlib.metadata
import types
from typing import Any

import slicer
from packaging.requirements import Requirement


def record_pip_install(requirements: str | list[str], **_options: Any) -> None:
    """Stand in for `slicer.packaging.pip_install`: nothing is installed."""
    wanted = requirements.split() if isinstance(requirements, str) else requirements
    slicer.app.records.pip_installs.extend(str(requirement) for requirement in wanted)


def make_packaging_module() -> types.ModuleType:
    """Return `slicer.packaging` with `pip_check`, `pip_ensure` and `pip_install`."""
    module = types.ModuleType("slicer.packaging")
    module.pip_install = record_pip_install
    module.pip_check = _pip_check
    module.pip_ensure = _pip_ensure
    return module


def make_i18n_module() -> types.ModuleType:
    """Return `slicer.i18n`: every text is its own translation."""
    module = types.ModuleType("slicer.i18n")
    module.tr = lambda text: text
    module.translate = lambda _context, text: text
    return module


def make_sample_data_module() -> types.ModuleType:
    """Return the module SampleData, which records the data sets that it is told of."""
    module = types.ModuleType("SampleData")
    module.SampleDataLogic = _SampleDataLogic
    return module


def _pip_check(requirements: str | list[str]) -> bool:
    return not _missing(requirements)


def _pip_ensure(  # noqa: PLR0917 - as in Slicer
    requirements: str | list[str],
    constraints: object = None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,  # noqa: ARG001
    requester: str | None = None,
    skip_in_testing: bool = True,  # noqa: ARG001
    show_progress: bool = True,
) -> None:
    """Ask, then install what is missing; declined, a RuntimeError is raised, as by the real one."""
    missing = _missing(requirements)
    if not missing:
        return
    title = f"{requester} - Install Python Packages" if requester else "Install Python Packages"
    text = f"{len(missing)} Python package(s) need to be installed. Continue?"
    details = "\n".join(missing)
    if prompt_install and not slicer.util.confirmOkCancelDisplay(text, title, detailedText=details):
        message = "User declined package installation"
        raise RuntimeError(message)
    slicer.packaging.pip_install(
        missing,
        constraints=constraints,
        skip_packages=skip_packages,
        show_progress=show_progress,
        requester=requester,
    )


def _missing(requirements: str | list[str]) -> list[str]:
    wanted = requirements.split() if isinstance(requirements, str) else requirements
    return [str(requirement) for requirement in wanted if not _is_met(str(requirement))]


def _is_met(requirement: str) -> bool:
    parsed = Requirement(requirement)
    try:
        return importlib.metadata.version(parsed.name) in parsed.specifier
    except importlib.metadata.PackageNotFoundError:
        return False


class _SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataSource(  # noqa: PLR0917 - as in Slicer
        category: str = "Custom",
        sampleName: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        customDownloader: Any = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFiles: Any = None,
        loadFileProperties: dict[str, Any] | None = None,
        checksums: Any = None,
    ) -> None:
        """Record a data set."""
        slicer.app.records.sample_data.append(locals())
