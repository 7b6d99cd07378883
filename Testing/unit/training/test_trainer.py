from __future__ import annotations

import pytest
import torch
from torch import nn
from training_problems import Boxes, box_trainer, small_network, training_losses

from ASPECTSLib.errors import ErrorCode, TrainingError, UsageError
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.progress import Progress
from ASPECTSLib.training.checkpoint import read_checkpoint
from ASPECTSLib.training.log import read_log
from ASPECTSLib.training.losses import dice_ce
from ASPECTSLib.training.options import TrainingOptions
from ASPECTSLib.training.trainer import CHECKPOINT_FILE, Trainer


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    """Leave the slow imports and drawings out; tests that are about them put them back."""
    monkeypatch.setattr("ASPECTSLib.training.log._open_events", lambda _folder, _step: None)
    monkeypatch.setattr("ASPECTSLib.training.trainer.draw_curves", lambda _series, _path: ())


def test_loss_falls_and_dice_rises(tmp_path):
    result = box_trainer(tmp_path, steps=40, validate_every=20, ema_decay=0.9).run()
    values = [loss for _, loss in training_losses(tmp_path)]
    assert len(values) == 40
    assert sum(values[-5:]) < 0.5 * sum(values[:5])
    dice = read_log(tmp_path)["dice/mean"]
    assert [step for step, _ in dice] == [20, 40]
    assert dice[1][1] > 0.8
    assert result.standing.best_dice == max(value for _, value in dice)
    assert not result.stopped_early


def test_a_vbnet_learns_with_mixed_precision_and_channels_last(tmp_path):
    options = {"in_channels": 1, "out_channels": 3, "widths": [8, 8, 16], "blocks": [1, 1, 1]}
    torch.manual_seed(0)
    network = build_network("vbnet", options)
    box_trainer(
        tmp_path, network=network, precision="bf16", channels_last=True, steps=25, validate_every=0
    ).run()
    values = [loss for _, loss in training_losses(tmp_path)]
    assert sum(values[-5:]) < 0.7 * sum(values[:5])
    assert all(weight.dtype == torch.float32 for weight in network.parameters())


def test_samples_of_a_step_are_known_by_its_number(tmp_path):
    boxes = Boxes()
    Trainer(small_network(), dice_ce, boxes, None, TrainingOptions(3, device="cpu"), tmp_path).run()
    assert boxes.asked == [0, 1, 2, 3, 4, 5]


def test_same_seed_gives_the_same_run_and_another_seed_another(tmp_path):
    for name, seed in (("first", 5), ("second", 5), ("other", 6)):
        box_trainer(tmp_path / name, seed=seed).run()
    assert training_losses(tmp_path / "first") == training_losses(tmp_path / "second")
    assert training_losses(tmp_path / "first") != training_losses(tmp_path / "other")


def test_the_caller_keeps_his_random_numbers(tmp_path):
    network = small_network()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    box_trainer(tmp_path, network=network, steps=2).run()
    assert torch.equal(torch.rand(4), expected)


def test_workers_change_nothing(tmp_path):
    box_trainer(tmp_path / "alone", steps=4).run()
    box_trainer(tmp_path / "workers", steps=4, workers=1).run()
    assert read_log(tmp_path / "alone") == read_log(tmp_path / "workers")


def test_training_stops_when_validations_no_longer_get_better(tmp_path):
    result = box_trainer(tmp_path, learning_rate=1e-9, validate_every=1, patience=2).run()
    assert result.stopped_early
    assert (result.standing.best_step, result.standing.step) == (1, 3)
    again = box_trainer(tmp_path, learning_rate=1e-9, validate_every=1, patience=2).run(resume=True)
    assert again == result


def test_weights_are_the_averaged_ones_of_the_best_validation(tmp_path):
    result = box_trainer(tmp_path, steps=8, ema_decay=0.9).run()
    best = read_checkpoint(result.weights)
    assert best.state == {"dice": result.standing.best_dice, "step": result.standing.best_step}
    last = read_checkpoint(tmp_path / CHECKPOINT_FILE)
    assert result.standing.best_step == 8
    for name, weight in best.tensors.items():
        assert torch.equal(weight, last.tensors[f"average.{name}"])
        assert not torch.equal(weight, last.tensors[f"network.{name}"])


def test_without_validation_the_weights_are_those_of_the_end(tmp_path):
    network = small_network()
    result = box_trainer(tmp_path, network=network, validation=None, ema_decay=0.0).run()
    weights = read_checkpoint(result.weights).tensors
    assert all(torch.equal(weights[name], w) for name, w in network.state_dict().items())


def test_a_long_gradient_is_clipped(tmp_path):
    def steep(logits, labels):
        return 1e4 * dice_ce(logits, labels)

    def change(name, clip_norm):
        network = small_network()
        before = nn.utils.parameters_to_vector(network.parameters()).detach()
        box_trainer(
            tmp_path / name,
            network=network,
            loss=steep,
            steps=2,
            clip_norm=clip_norm,
            validation=None,
            weight_decay=0.0,
        ).run()
        second = read_checkpoint(tmp_path / name / CHECKPOINT_FILE)
        squares = [v for k, v in second.tensors.items() if k.endswith("exp_avg_sq")]
        assert read_log(tmp_path / name)["gradient_norm"][0][1] > 1e3
        assert not torch.equal(nn.utils.parameters_to_vector(network.parameters()), before)
        return sum(float(square.sum()) for square in squares) / 0.001

    # The second moments of AdamW (beta 0.999) sum to 0.001 of the squared norms of two gradients.
    assert change("clipped", 0.5) == pytest.approx(0.5**2 * 1.999, rel=1e-3)
    assert change("free", 0.0) > 1e6


def test_a_loss_that_is_no_number_ends_the_run(tmp_path):
    def broken(logits, labels):
        return dice_ce(logits, labels) * float("nan")

    with pytest.raises(TrainingError, match="loss is not a number at step 0; lower") as refused:
        box_trainer(tmp_path, loss=broken).run()
    assert refused.value.code is ErrorCode.RECIPE_INVALID


def test_a_gradient_that_is_no_number_leaves_the_weights(tmp_path):
    network = small_network()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}

    def cornered(logits, labels):
        return dice_ce(logits, labels) + (logits * 0).abs().sum().sqrt()

    with pytest.raises(TrainingError, match="gradient is not a number at step 0"):
        box_trainer(tmp_path, network=network, loss=cornered).run()
    assert all(torch.equal(before[name], w) for name, w in network.state_dict().items())


def test_half_precision_without_a_gpu_is_refused(tmp_path):
    with pytest.raises(UsageError, match="precision: expected bf16 or fp32"):
        box_trainer(tmp_path, precision="fp16").run()


def test_validation_without_cases_or_labels_is_refused(tmp_path):
    with pytest.raises(UsageError, match="expected validation cases, found none") as refused:
        box_trainer(tmp_path, validation=Boxes(0))
    assert refused.value.code is ErrorCode.COHORT_INVALID

    class Blank(Boxes):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            return {**sample, "labels": sample["labels"] * 0}

    with pytest.raises(UsageError, match="found background only"):
        box_trainer(tmp_path, validation=Blank(1)).run()


def test_progress_names_the_stages_and_ends_at_one(tmp_path):
    told = []
    box_trainer(tmp_path, steps=4).run(
        Progress(lambda stage, fraction: told.append((stage, fraction)))
    )
    assert told[0] == ("training", 0.0)
    assert told[-2:] == [("validation", 1.0), ("done", 1.0)]
    assert [fraction for _, fraction in told] == sorted(fraction for _, fraction in told)


def test_the_log_can_be_read_by_tensorboard(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    monkeypatch.undo()
    monkeypatch.setattr("ASPECTSLib.training.trainer.draw_curves", lambda _series, _path: ())
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    result = box_trainer(tmp_path, steps=3).run()
    assert result.notes == ()
    (file,) = tmp_path.glob("events.*")
    events = [
        (value.tag, event.step, value.tensor.float_val[0])
        for event in EventFileLoader(str(file)).Load()
        for value in event.summary.value
    ]
    for series, points in read_log(tmp_path).items():
        told = [(step, value) for tag, step, value in events if tag == series]
        assert told == [(step, pytest.approx(value, rel=1e-6)) for step, value in points]
