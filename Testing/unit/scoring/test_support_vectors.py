from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.scoring.support_vectors import SupportVectors, from_dict, read_machines

LINEAR = SupportVectors(
    features=("a", "b"),
    kernel="linear",
    gamma=0.0,
    mean=(1.0, 2.0),
    scale=(2.0, 4.0),
    vectors=((3.0, -1.0),),
    weights=(1.0,),
    intercept=0.5,
    slope=-2.0,
    offset=0.0,
    threshold=0.4,
)
RBF = replace(
    LINEAR, kernel="rbf", gamma=0.5, vectors=((0.0, 0.0), (1.0, 0.0)), weights=(2.0, -1.0)
)


def test_a_linear_machine_is_a_weighted_sum():
    # ((5 - 1) / 2, (2 - 2) / 4) = (2, 0)
    assert LINEAR.decision(np.array([[5.0, 2.0]])) == pytest.approx([6.5])


def test_a_machine_with_a_kernel_weighs_its_vectors_by_their_distance():
    expected = 2.0 * np.exp(-0.5 * 4.0) - np.exp(-0.5 * 1.0) + 0.5
    assert RBF.decision(np.array([[5.0, 2.0]])) == pytest.approx([expected])


def test_the_probability_is_one_half_where_curve_and_decision_cross():
    at_the_border = replace(LINEAR, vectors=((0.0, 0.0),), intercept=0.0)
    assert at_the_border.probability(np.array([[9.0, 9.0]])) == pytest.approx([0.5])


@pytest.mark.parametrize("machine", [LINEAR, RBF])
def test_a_machine_survives_json(machine):
    assert from_dict(json.loads(json.dumps(machine.as_dict()))) == machine


@pytest.mark.parametrize(
    "change",
    [
        {"mean": (1.0,)},
        {"weights": (1.0, 2.0)},
        {"scale": (0.0, 1.0)},
        {"intercept": float("nan")},
        {"kernel": "cubic"},
        {"vectors": ()},
    ],
)
def test_numbers_that_do_not_fit_each_other_are_refused(change):
    with pytest.raises(ResourceError, match="numbers that fit each other") as caught:
        replace(LINEAR, **change)
    assert caught.value.code is ErrorCode.MODEL_DAMAGED


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"machines": {"cortical": {}}}'])
def test_a_damaged_file_is_refused(text):
    with pytest.raises(ResourceError) as caught:
        read_machines(text)
    assert caught.value.code is ErrorCode.MODEL_DAMAGED
