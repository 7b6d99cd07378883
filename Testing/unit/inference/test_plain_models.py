from __future__ import annotations

import pytest

from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.inference.plain_models import PlainKind, find_plain, plain_path
from ASPECTSLib.inference.registry import MODELS_FOLDER
from ASPECTSLib.scoring.support_vectors import KINDS
from ASPECTSLib.systems.cta import MACHINES, load_machines


def test_the_machines_that_ship_are_found():
    assert find_plain(PlainKind.MACHINES, MACHINES) == MODELS_FOLDER / "radiomics" / "cta-svm.json"
    machines, info = load_machines()
    assert tuple(machines) == KINDS
    assert info.name == MACHINES


def test_the_machines_of_the_site_take_the_place_of_those_that_ship(tmp_path, monkeypatch):
    own = plain_path(tmp_path, PlainKind.MACHINES, MACHINES)
    own.parent.mkdir()
    own.write_text(
        find_plain(PlainKind.MACHINES, MACHINES).read_text(encoding="utf-8") + "\n",
        encoding="utf-8",
    )
    shipped = load_machines()[1]
    monkeypatch.setenv("ASPECTS_MODELS", str(tmp_path))
    assert find_plain(PlainKind.MACHINES, MACHINES) == own
    assert load_machines()[1].sha256 != shipped.sha256


def test_a_site_without_machines_of_its_own_has_those_that_ship(tmp_path, monkeypatch):
    monkeypatch.setenv("ASPECTS_MODELS", str(tmp_path))
    assert find_plain(PlainKind.MACHINES, MACHINES).is_relative_to(MODELS_FOLDER)


def test_machines_that_are_nowhere_are_told(tmp_path):
    with pytest.raises(ResourceError, match="expected the support vectors cta-svm") as caught:
        find_plain(PlainKind.MACHINES, MACHINES, [tmp_path])
    assert caught.value.code is ErrorCode.MODEL_NOT_FOUND
