"""What learns: a network with its optimiser and the moving average of its weights, one step at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ASPECTSLib.errors import ErrorCode, TrainingError
from ASPECTSLib.training.batches import Batch
from ASPECTSLib.training.checkpoint import Checkpoint
from ASPECTSLib.training.distributed import Cluster
from ASPECTSLib.training.ema import WeightAverage
from ASPECTSLib.training.losses import Loss
from ASPECTSLib.training.options import TrainingOptions, require
from ASPECTSLib.training.precision import computing_precision
from ASPECTSLib.training.schedule import learning_rate

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_NETWORK, _AVERAGE, _OPTIMIZER = "network.", "average.", "optimizer."


@dataclass(frozen=True)
class StepReport:
    """Numbers of one step: mean loss over the batch, norm of its gradient before clipping, learning rate."""

    loss: float
    gradient_norm: float
    learning_rate: float


class Learner:
    """A network that learns, with AdamW (Loshchilov 2019, arXiv:1711.05101).

    Parameters
    ----------
    network
        Moved to the device and changed in place.
    loss
        Of logits and labels.
    options
        Of the run.
    cluster
        Device and processes.

    Raises
    ------
    UsageError
        RECIPE_INVALID if the precision is not to be had on the device.
    """

    def __init__(
        self, network: nn.Module, loss: Loss, options: TrainingOptions, cluster: Cluster
    ) -> None:
        device = cluster.device
        can_scale = options.precision != "fp16" or device.type == "cuda"
        require(can_scale, "precision", "bf16 or fp32 where there is no GPU", "fp16")
        self._options, self._cluster, self._loss = options, cluster, loss
        self._precision = computing_precision(options.precision, device)
        layout = torch.channels_last_3d if options.channels_last else torch.contiguous_format
        self._network = network.to(device=device, memory_format=layout)
        self._spread = cluster.spread(self._network)
        self._average = WeightAverage(self._network, options.ema_decay)
        self._optimizer = torch.optim.AdamW(_groups(self._network, options.weight_decay))
        self._scaler = torch.amp.GradScaler(device.type, enabled=options.precision == "fp16")

    @property
    def averaged(self) -> nn.Module:
        """The network with the averaged weights, for evaluation."""
        return self._average.network

    @property
    def notes(self) -> tuple[str, ...]:
        """What is done in another way than the options say, in sentences."""
        if self._precision == self._options.precision:
            return ()
        return (
            f"this processor has no {self._options.precision}: {self._precision} was computed with, as it is faster",
        )

    def learn(self, step: int, batch: Batch) -> StepReport:
        """Do one step, counted from 0.

        Random numbers of the step depend on seed, step and process only, so that a resumed run draws the same.

        Raises
        ------
        TrainingError
            RECIPE_INVALID if the loss or its gradient is not a number; the weights are as before.
        """
        torch.manual_seed(self._seed(step))
        options = self._options
        rate = learning_rate(step, options.steps, options.warmup_steps, options.learning_rate)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._network.train()
        loss = self.loss_of(self._spread, batch)[1]
        value = float(self._cluster.total(loss.detach())) / self._cluster.size
        _check_finite("loss", value, step)
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        norm = self._clip(step)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._average.update(self._network, step)
        return StepReport(value, norm, rate)

    def loss_of(self, network: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and loss of a batch, which is copied to the device."""
        device = self._cluster.device
        there = batch.to(device, channels_last=self._options.channels_last)
        mixed = self._precision != "fp32"
        with torch.autocast(device.type, _TYPES[self._precision], enabled=mixed):
            logits = network(there.image)
        return logits, self._loss(logits.float(), there.labels)

    def remember(self, state: Mapping[str, Any]) -> Checkpoint:
        """Return everything that the next steps depend on, with some more state."""
        moments = self._optimizer.state_dict()["state"]
        tensors = {
            **_prefixed(_NETWORK, self._network.state_dict()),
            **_prefixed(_AVERAGE, self._average.network.state_dict()),
            **{
                f"{_OPTIMIZER}{index}.{name}": value
                for index, values in moments.items()
                for name, value in values.items()
            },
        }
        return Checkpoint(tensors, {**state, "scaler": self._scaler.state_dict()})

    def recall(self, checkpoint: Checkpoint) -> None:
        """Take up what `remember` returned.

        Raises
        ------
        TrainingError
            CHECKPOINT_INVALID if it is that of another network.
        """
        try:
            self._network.load_state_dict(_chosen(_NETWORK, checkpoint.tensors))
            self._average.network.load_state_dict(_chosen(_AVERAGE, checkpoint.tensors))
            self._recall_moments(_chosen(_OPTIMIZER, checkpoint.tensors))
        except (RuntimeError, ValueError, KeyError, IndexError) as error:
            message = "expected a checkpoint of the network of the recipe, got one of another"
            raise TrainingError(ErrorCode.CHECKPOINT_INVALID, message) from error
        self._scaler.load_state_dict(checkpoint.state["scaler"])

    def _recall_moments(self, tensors: Mapping[str, torch.Tensor]) -> None:
        weights = [weight for group in self._optimizer.param_groups for weight in group["params"]]
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            index, _, name = key.partition(".")
            like = weights[int(index)]
            # In the memory layout of the weight: the sums of the next step are then made in the same order.
            kept = torch.empty_like(like).copy_(value) if value.ndim else value
            moments.setdefault(int(index), {})[name] = kept
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})

    def _clip(self, step: int) -> float:
        """Clip the gradient, and return the norm it had."""
        self._scaler.unscale_(self._optimizer)
        longest = self._options.clip_norm or math.inf
        norm = float(nn.utils.clip_grad_norm_(self._network.parameters(), longest))
        if not self._scaler.is_enabled():  # the scaler lets steps out whose gradient overflows
            _check_finite("gradient", norm, step)
        return norm

    def _seed(self, step: int) -> int:
        numbers = np.random.SeedSequence([self._options.seed, step, self._cluster.rank])
        return int(numbers.generate_state(1, np.uint32)[0])


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    return [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]


def _check_finite(what: str, value: float, step: int) -> None:
    if not math.isfinite(value):
        message = f"the {what} is not a number at step {step}; lower the learning rate"
        raise TrainingError(ErrorCode.RECIPE_INVALID, message)


def _prefixed(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _chosen(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
