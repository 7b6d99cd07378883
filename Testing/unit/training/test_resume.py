from __future__ import annotations

import json
from functools import partial

import pytest
import torch
from training_problems import Boxes, box_trainer, small_network, training_losses

from ASPECTSLib.errors import CancelledError, ErrorCode, OutputError, TrainingError, UsageError
from ASPECTSLib.progress import Progress
from ASPECTSLib.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from ASPECTSLib.training.log import read_log
from ASPECTSLib.training.losses import dice_ce
from ASPECTSLib.training.trainer import CHECKPOINT_FILE, WEIGHTS_FILE


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    """Leave the slow imports and drawings out; tests that are about them put them back."""
    monkeypatch.setattr("ASPECTSLib.training.log._open_events", lambda _folder, _step: None)
    monkeypatch.setattr("ASPECTSLib.training.trainer.draw_curves", lambda _series, _path: ())


def cancelled_after(steps, network):
    """Cancel when the network has been asked so many times to learn."""
    learned = []

    def count(module, _images):
        if module.training:  # the averaged network is not
            learned.append(1)

    network.register_forward_pre_hook(count)
    return Progress(is_cancelled=lambda: len(learned) >= steps)


def same(first, second):
    names = first.tensors.keys() | second.tensors.keys()
    return all(torch.equal(first.tensors[name], second.tensors[name]) for name in names)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("steps_before", [0, 4, 7])
def test_a_cancelled_run_resumes_as_if_it_had_not_been_interrupted(
    tmp_path, steps_before, channels_last
):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    box_trainer(whole, channels_last=channels_last).run()
    network = small_network(dropout=0.2)
    with pytest.raises(CancelledError):
        box_trainer(parts, network=network, channels_last=channels_last).run(
            cancelled_after(steps_before, network)
        )
    assert read_checkpoint(parts / CHECKPOINT_FILE).state["standing"]["step"] == steps_before
    # Other weights to begin with, and other random numbers, must not matter.
    other = small_network(seed=1, dropout=0.2)
    result = box_trainer(parts, network=other, channels_last=channels_last).run(resume=True)
    assert result.standing.step == 12
    assert read_log(parts) == read_log(whole)
    for file in (CHECKPOINT_FILE, WEIGHTS_FILE):
        assert same(read_checkpoint(parts / file), read_checkpoint(whole / file))


def test_a_run_killed_after_its_last_checkpoint_repeats_the_steps_since(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    box_trainer(whole, checkpoint_every=5).run()
    learned = []

    def killed(logits, labels):
        learned.append(logits.requires_grad)
        if sum(learned) == 8:
            raise KeyboardInterrupt
        return dice_ce(logits, labels)

    with pytest.raises(KeyboardInterrupt):
        box_trainer(parts, loss=killed, checkpoint_every=5).run()
    assert len(training_losses(parts)) == 7
    result = box_trainer(parts, checkpoint_every=5).run(resume=True)
    assert result.standing.step == 12
    assert read_log(parts) == read_log(whole)


def test_a_run_cancelled_in_a_validation_validates_when_resumed(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    box_trainer(whole).run()

    class Watched(Boxes):
        def __getitem__(self, index):
            self.asked.append(index)
            return super().__getitem__(index)

    cases = Watched(3)
    with pytest.raises(CancelledError):
        box_trainer(parts, validation=cases).run(Progress(is_cancelled=lambda: bool(cases.asked)))
    assert "dice/mean" not in read_log(parts)
    box_trainer(parts).run(resume=True)
    assert read_log(parts) == read_log(whole)


def test_a_folder_with_a_run_is_not_trained_into(tmp_path):
    box_trainer(tmp_path, steps=1).run()
    with pytest.raises(UsageError, match="holds a run; resume it or name another") as refused:
        box_trainer(tmp_path, steps=1).run()
    assert refused.value.code is ErrorCode.OUTPUT_EXISTS


def test_nothing_is_resumed_from_an_empty_folder(tmp_path):
    with pytest.raises(TrainingError, match=r"expected a checkpoint .* found none"):
        box_trainer(tmp_path).run(resume=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"learning_rate": 0.5}, "learning_rate: expected 0.01, as the run began with, got 0.5"),
        ({"batch": 4}, "batch: expected 2"),
        ({"network": partial(small_network, channels=4)}, "checkpoint of the network"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, options, words):
    box_trainer(tmp_path, steps=3).run()
    made = {key: value() if callable(value) else value for key, value in options.items()}
    with pytest.raises(TrainingError, match=words) as refused:
        box_trainer(tmp_path, steps=3, **made).run(resume=True)
    assert refused.value.code is ErrorCode.CHECKPOINT_INVALID


def test_options_of_the_machine_may_change_on_the_way(tmp_path):
    box_trainer(tmp_path / "whole", steps=3).run()
    network = small_network(dropout=0.2)
    with pytest.raises(CancelledError):
        box_trainer(tmp_path / "parts", network=network, steps=3).run(cancelled_after(2, network))
    box_trainer(tmp_path / "parts", steps=3, patience=9, checkpoint_every=1).run(resume=True)
    assert training_losses(tmp_path / "parts") == training_losses(tmp_path / "whole")


def test_the_state_of_a_checkpoint_is_plain_json(tmp_path):
    box_trainer(tmp_path, steps=1).run()
    state = read_checkpoint(tmp_path / CHECKPOINT_FILE).state
    assert json.loads(json.dumps(state)) == state
    assert state["options"]["steps"] == 1


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    box_trainer(tmp_path, steps=1).run()
    checkpoint = read_checkpoint(tmp_path / CHECKPOINT_FILE)
    other = Checkpoint(checkpoint.tensors, {**checkpoint.state, "schema_version": 2})
    write_checkpoint(other, tmp_path / CHECKPOINT_FILE)
    with pytest.raises(TrainingError, match="checkpoint of version 1, got another"):
        box_trainer(tmp_path, steps=1).run(resume=True)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="folder run cannot be made"):
        box_trainer(tmp_path / "taken" / "run").run()
