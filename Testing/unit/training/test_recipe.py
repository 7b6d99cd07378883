from __future__ import annotations

import pytest

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.training.options import TrainingOptions
from ASPECTSLib.training.recipe import parse_recipe, read_recipe

TINY = """
name = "regions-tiny"
task = "regions-coarse"

[network]
architecture = "vbnet"
widths = [8, 16, 16]
blocks = [0, 1, 1]
planar_stages = 1

[data]
modalities = ["ncct", "dwi"]
patients_validation = 4
spacing_mm = [2.0, 2.0, 4.0]

[loss]
name = "focal"
gamma = 1

[optimisation]
steps = 100
warmup_steps = 10
learning_rate = 1
precision = "bf16"
channels_last = true
"""


def changed(old, new):
    assert old in TINY
    return TINY.replace(old, new)


def test_a_recipe_is_read_whole(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    recipe = read_recipe(path)
    assert (recipe.name, recipe.task) == ("regions-tiny", "regions-coarse")
    assert recipe.network.architecture == "vbnet"
    assert recipe.network.options["widths"] == [8, 16, 16]
    assert recipe.data["spacing_mm"] == [2.0, 2.0, 4.0]
    assert recipe.loss.build().keywords == {"gamma": 1}
    assert recipe.optimisation == TrainingOptions(
        steps=100, warmup_steps=10, learning_rate=1.0, precision="bf16", channels_last=True
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("task =", "tusk =", "tusk: expected a key of name, task, network, data, loss, optimis"),
        ('name = "regions-tiny"', "", "name: expected a value, got none"),
        ('"regions-tiny"', "3", "name: expected a text, got 3"),
        ("[data]", "[date]", "date: expected a key of"),
        (
            '"vbnet"',
            '"resnet"',
            "network: expected an architecture of .*, vbnet, got resnet",
        ),
        ('architecture = "vbnet"', "", "network.architecture: expected a value, got none"),
        ("[8, 16, 16]", "16", "network: expected a list of numbers for widths, got 16"),
        ("planar_stages = 1", "in_channels = 1", "network.in_channels: expected no such key"),
        ("planar_stages", "flat_stages", "network: expected options of .*, got flat_stages"),
        ('"focal"', '"hinge"', "loss.name: expected one of"),
        ("gamma", "delta", "loss.delta: expected a key of gamma, class_weights"),
        ("steps = 100", "", "optimisation.steps: expected a value, got none"),
        ("steps = 100", "steps = 100.0", "optimisation.steps: expected a whole number, got 100.0"),
        ("steps = 100", "steps = true", "optimisation.steps: expected a whole number, got True"),
        ("steps = 100", "steps = 0", "steps: expected at least 1, got 0"),
        ("warmup_steps = 10", "warmup_steps = 101", "warmup_steps: expected 0 to 100, got 101"),
        ("warmup_steps", "warmup", "optimisation.warmup: expected a key of steps, batch"),
        ("= 1\nprecision", '= "1"\nprecision', "learning_rate: expected a number, got '1'"),
        ('"bf16"', '"fp8"', "precision: expected one of fp32, bf16, fp16, got 'fp8'"),
        ("= true", "= 1", "channels_last: expected true or false, got 1"),
        ("[data]", "[data", "expected a recipe in TOML: .*line"),
    ],
)
def test_a_wrong_key_or_value_is_named(old, new, words):
    with pytest.raises(UsageError, match=words) as refused:
        parse_recipe(changed(old, new))
    assert refused.value.code is ErrorCode.RECIPE_INVALID


def test_a_table_cannot_be_a_value():
    text = TINY[: TINY.index("[loss]")] + TINY[TINY.index("[optimisation]") :]
    with pytest.raises(UsageError, match=r"loss: expected a table \[loss\], got focal"):
        parse_recipe('loss = "focal"\n' + text)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_recipe_that_cannot_be_read_is_refused(tmp_path, content):
    path = tmp_path / "recipe.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"recipe.toml cannot be read"):
        read_recipe(path)
