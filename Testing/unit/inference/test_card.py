from __future__ import annotations

import json

import pytest
from model_phantoms import METRIC, card_content

from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.inference.card import Metric, ModelCard, is_model_name, strict_json

SOURCE = {"name": "spheres", "licence": "CC0-1.0"}


def content(**changes):
    return card_content(b"weights", **changes)


def read(content):
    return ModelCard.from_json(json.dumps(content))


def refusal(content, words):
    with pytest.raises(ResourceError, match=words) as caught:
        read(content)
    assert caught.value.code == ErrorCode.MODEL_DAMAGED
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_card_holds_what_its_file_says():
    card = read(content())
    assert (card.name, card.task, card.options) == ("tiny", "brain", {"width": 3})
    assert card.training.data[0].doi == "10.1000/spheres"
    assert card.training.details == {"device": "cpu"}
    assert card.metrics == (Metric(**METRIC | {"interval": (0.85, 0.95)}),)


def test_a_card_written_and_read_is_the_same_card():
    card = read(content())
    assert ModelCard.from_json(card.to_json()) == card
    assert json.loads(card.to_json()) == content()


def test_a_source_without_doi_is_written_without_doi():
    training = content()["training"] | {"data": [SOURCE]}
    card = read(content(training=training))
    assert json.loads(card.to_json())["training"]["data"] == [SOURCE]


def test_a_card_keeps_its_calibration_and_needs_none():
    calibration = {"temperature": 1.5, "offset": -0.2, "threshold": {"M1": 0.4}}
    card = read(content(calibration=calibration))
    assert card.calibration.threshold_of("M1") == 0.4
    assert json.loads(card.to_json())["calibration"] == calibration
    assert read(content()).calibration is None
    assert read(content(calibration=None)).calibration is None
    refusal(content(calibration={"temperature": -1}), "temperature above 0")


def test_a_model_without_metrics_says_so():
    assert read(content(metrics=[])).metrics == ()


def test_an_interval_holds_its_ends():
    metric = Metric(**METRIC | {"interval": (0.85, 0.95)})
    inside = [metric.covers(value) for value in (0.84, 0.85, 0.9, 0.95, 0.96)]
    assert inside == [False, True, True, True, False]


@pytest.mark.parametrize("key", sorted(content()))
def test_a_card_without_one_of_its_keys_is_refused(key):
    shortened = content()
    del shortened[key]
    assert key in refusal(shortened, "expected the key")


@pytest.mark.parametrize("key", ["data", "recipe", "seed"])
def test_training_without_one_of_its_keys_is_refused(key):
    training = content()["training"]
    del training[key]
    assert key in refusal(content(training=training), "expected the key")


@pytest.mark.parametrize("key", sorted(METRIC))
def test_a_metric_without_one_of_its_keys_is_refused(key):
    metric = {k: v for k, v in METRIC.items() if k != key}
    assert key in refusal(content(metrics=[metric]), "expected the key")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("schema_version", 2, "schema version 1, got 2"),
        ("schema_version", "1", "schema version 1"),
        ("schema_version", True, "schema version 1"),
        ("name", "../tiny", "small letters, digits and hyphens"),
        ("name", "Tiny", "small letters"),
        ("name", "tiny\n", "small letters"),
        ("name", 3, "words as name"),
        ("version", 1, "words as version"),
        ("task", " ", "words as task"),
        ("limits", "\x1b[2J", "printable"),
        ("limits", "\ud800", "printable"),
        ("options", [], "options as an object"),
        ("options", {"\x1b": 1}, "printable"),
        ("input", {"modalities": ["\x07"]}, "printable"),
        ("training", [], "an object as training"),
        ("metrics", {}, "a list as metrics"),
        ("metrics", [3], "an object as metrics"),
        ("sha256", "0" * 63, "SHA-256"),
        ("sha256", "G" * 64, "SHA-256"),
        ("sha256", None, "SHA-256"),
    ],
)
def test_a_field_of_another_kind_is_refused(key, value, words):
    refusal(content(**{key: value}), words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": []}, "training data with their licences"),
        ({"data": "spheres"}, "a list as data"),
        ({"data": [{"name": "spheres", "licence": ""}]}, "words as licence"),
        ({"data": [SOURCE | {"doi": 10}]}, "words as doi"),
        ({"seed": "lucky"}, "whole number as seed"),
        ({"seed": True}, "whole number as seed"),
        ({"recipe": "\x00"}, "printable"),
    ],
)
def test_training_of_another_kind_is_refused(changes, words):
    refusal(content(training=content()["training"] | changes), words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": "high"}, "finite number"),
        ({"value": True}, "finite number"),
        ({"value": 1e999}, "finite number|got Infinity"),
        ({"interval": [0.9]}, "lower and an upper"),
        ({"interval": [0.9, 0.8]}, "lower and an upper"),
        ({"interval": ["a", "b"]}, "lower and an upper"),
        ({"interval": 0.9}, "a list as interval"),
        ({"n": 0}, "n of at least 1"),
        ({"n": 2.5}, "n of at least 1"),
        ({"synthetic": "no"}, "true or false"),
        ({"data": ""}, "words as data"),
    ],
)
def test_a_metric_of_another_kind_is_refused(changes, words):
    refusal(content(metrics=[METRIC | changes]), words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value"),
        ("{", "Expecting"),
        ("[]", "an object as card"),
        ("null", "an object as card"),
        ('{"name": "a", "name": "b"}', "each key once"),
        ('{"value": NaN}', "got NaN"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 10_000, "digits"),
    ],
)
def test_what_is_no_json_of_a_card_is_refused(text, words):
    with pytest.raises(ResourceError, match=words) as caught:
        ModelCard.from_json(text)
    assert caught.value.code == ErrorCode.MODEL_DAMAGED


def test_a_number_beyond_all_floats_is_refused():
    text = json.dumps(content()).replace("0.9,", "1e999,")
    with pytest.raises(ResourceError, match="finite number"):
        ModelCard.from_json(text)


def test_a_long_value_is_not_repeated_in_full():
    assert len(refusal(content(name="N" * 5000), "small letters")) < 200


def test_unknown_keys_are_left_aside():
    assert read(content(colour="blue")) == read(content())


@pytest.mark.parametrize("name", ["a", "0", "brain", "regions-fine-2"])
def test_names_of_models(name):
    assert is_model_name(name)


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a.b", "a/b", "..", "a\\b", "a\n", "é"])
def test_names_that_could_be_other_files_are_no_names(name):
    assert not is_model_name(name)


def test_strict_json_reads_json():
    assert strict_json(' {"a": [1, 2.5, null]} ') == {"a": [1, 2.5, None]}
