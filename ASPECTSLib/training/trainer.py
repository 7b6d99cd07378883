"""Training from the first step to the last: validation, early stop, checkpoints, log and cancellation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ASPECTSLib.errors import CancelledError, ErrorCode, OutputError, UsageError
from ASPECTSLib.progress import Progress, ignore_progress
from ASPECTSLib.training.batches import (
    Batch,
    CaseIndices,
    Samples,
    SizedSamples,
    StepIndices,
    load_batches,
)
from ASPECTSLib.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from ASPECTSLib.training.curves import CURVES_FILE, draw_curves
from ASPECTSLib.training.distributed import Cluster, join_cluster
from ASPECTSLib.training.learner import Learner
from ASPECTSLib.training.log import TrainingLog, read_log
from ASPECTSLib.training.losses import Loss
from ASPECTSLib.training.options import TrainingOptions
from ASPECTSLib.training.standing import Standing, TrainingResult, from_state, to_state
from ASPECTSLib.training.validation import Measure, Tally, Validation, dice_by_class

CHECKPOINT_FILE = "checkpoint.safetensors"
WEIGHTS_FILE = "weights.safetensors"

_REPORTS = 200  # of progress, at most, in a run


class Trainer:
    """Train a network on samples.

    The folder gets `checkpoint.safetensors`, from which a run is resumed exactly; `weights.safetensors`, the averaged
    weights with the best validation; `log.csv` and, with tensorboard, event files; `curves.png`, with matplotlib.

    On a CPU a resumed run has the same losses and weights, to the bit, as one that was not interrupted, as long as
    samples depend on their index only and the number of threads stays the same.

    Parameters
    ----------
    network
        Changed in place.
    loss
        Of logits (B, C, D, H, W) and labels (B, D, H, W); see `ASPECTSLib.training.losses`.
    training
        Samples by index, without end: sample n of step s is number s × batch + n.
    validation
        Whole cases, each of its own size if need be; none to keep the weights of the end.
    options
        Of the run.
    folder
        Where the files go; made if need be.

    Attributes
    ----------
    measure
        What a validation measures of each case; Dice by class unless set.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        training: Samples,
        validation: SizedSamples | None,
        options: TrainingOptions,
        folder: Path,
    ) -> None:
        if validation is not None and not len(validation):
            raise UsageError(ErrorCode.COHORT_INVALID, "expected validation cases, found none")
        self.network = network
        self.loss = loss
        self.training = training
        self.validation = validation
        self.options = options
        self.folder = folder
        self.measure: Measure = dice_by_class

    def run(self, progress: Progress | None = None, *, resume: bool = False) -> TrainingResult:
        """Train to the end.

        Parameters
        ----------
        progress
            Told of the steps, and asked between them whether to stop.
        resume
            Whether to go on from the checkpoint in the folder, which must then be there.

        Raises
        ------
        CancelledError
            If the work was cancelled; the checkpoint is that of the last step.
        TrainingError
            RECIPE_INVALID if the loss is not a number; CHECKPOINT_INVALID if the checkpoint is missing, damaged, or
            that of another run.
        UsageError
            OUTPUT_EXISTS if the folder holds a run that is not to be resumed; RECIPE_INVALID if device, precision,
            samples and options do not go together; COHORT_INVALID if no validation case has labels.
        OutputError
            OUTPUT_NOT_WRITABLE if the files cannot be written.
        """
        progress = progress or Progress()
        with (
            join_cluster(self.options.device) as cluster,
            _own_random_numbers(cluster.device),
            progress.native(),  # a signal must not end a step halfway: it is asked for between steps
        ):
            learner = Learner(self.network, self.loss, self.options, cluster)
            standing = self._begin(learner, resume=resume)
            cluster.wait()  # before the leader writes what another process still looks for
            if not cluster.is_leader:
                return _Run(self, learner, cluster, progress, log=None).finish(standing)
            with TrainingLog(self.folder, standing.step) as log:
                return _Run(self, learner, cluster, progress, log).finish(standing)

    def _begin(self, learner: Learner, *, resume: bool) -> Standing:
        path = self.folder / CHECKPOINT_FILE
        if resume:
            checkpoint = read_checkpoint(path)
            standing = from_state(checkpoint.state, self.options)
            learner.recall(checkpoint)
            return standing
        if path.exists():
            message = f"the folder {self.folder.name} holds a run; resume it or name another folder"
            raise UsageError(ErrorCode.OUTPUT_EXISTS, message)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"the folder {self.folder.name} cannot be made: {error.strerror}"
            raise OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message) from error
        return Standing()


class _Run:
    """One run of a trainer in one process; only the leader has a log and writes files."""

    def __init__(
        self,
        trainer: Trainer,
        learner: Learner,
        cluster: Cluster,
        progress: Progress,
        log: TrainingLog | None,
    ) -> None:
        self._trainer, self._options = trainer, trainer.options
        self._learner, self._cluster, self._log = learner, cluster, log
        self._is_cancelled = progress.is_cancelled
        # Shown without asking for cancellation: all processes must stop at the same step.
        sink = progress.sink if log else ignore_progress
        self._shown = Progress(sink, timings_s=progress.timings_s)
        self._last_shown: tuple[str, int] | None = None
        self._standing = Standing()
        device, workers = cluster.device, trainer.options.workers
        if trainer.validation is not None:
            self._case_indices = CaseIndices(len(trainer.validation), cluster)
            cases = trainer.validation
            self._cases = load_batches(cases, self._case_indices, workers, device)

    def finish(self, standing: Standing) -> TrainingResult:
        """Go on from a standing to the end."""
        self._standing = standing
        try:
            self._go_on()
        except CancelledError:
            self._close()
            raise
        notes = self._close()
        self._shown.finish()
        stopped_early = self._standing.step < self._options.steps
        weights = self._trainer.folder / WEIGHTS_FILE
        return TrainingResult(self._standing, stopped_early, weights, notes)

    def _go_on(self) -> None:
        self._check()
        self._validate_if_due()  # a run may have been cancelled in a validation
        if self._standing.is_over(self._options):
            return
        steps = range(self._standing.step, self._options.steps)
        indices = StepIndices(steps, self._options.batch, self._cluster)
        self._show("training")
        for batch in load_batches(
            self._trainer.training, indices, self._options.workers, self._cluster.device
        ):
            self._check()
            self._learn(batch)
            self._validate_if_due()
            if self._standing.is_due(self._options.checkpoint_every, self._options):
                self._save()
            if self._standing.is_over(self._options):
                return

    def _learn(self, batch: Batch) -> None:
        if self._standing.step % math.ceil(self._options.steps / _REPORTS) == 0:
            self._show("training")
        report = self._learner.learn(self._standing.step, batch)
        self._standing = replace(self._standing, step=self._standing.step + 1)
        self._write(
            {
                "loss/training": report.loss,
                "gradient_norm": report.gradient_norm,
                "learning_rate": report.learning_rate,
            }
        )

    def _validate_if_due(self) -> None:
        standing = self._standing
        is_due = standing.is_due(self._options.validate_every, self._options)
        if self._trainer.validation is None or not is_due:
            return
        if standing.validated_step == standing.step:
            return
        self._show("validation")
        validation = self._validate()
        self._standing = standing.after(validation)
        by_class = {f"dice/{label}": dice for label, dice in validation.dice.items()}
        means = {"loss/validation": validation.loss, "dice/mean": validation.mean_dice}
        self._write({**means, **by_class})
        if self._standing.best_step == self._standing.step:
            self._write_weights()
        if not self._standing.is_over(self._options):
            self._show("training")

    @torch.inference_mode()
    def _validate(self) -> Validation:
        tally = Tally(self._trainer.measure)
        for batch, counts in zip(self._cases, self._case_indices.counts, strict=True):
            self._check()
            logits, loss = self._learner.loss_of(self._learner.averaged, batch)
            tally.add(logits, batch.labels.to(logits.device), float(loss), counts=counts)
        return tally.means(self._cluster.total)

    def _check(self) -> None:
        if self._cluster.any(self._is_cancelled()):
            raise CancelledError

    def _close(self) -> tuple[str, ...]:
        """Write what is left to write, and tell what could not be."""
        notes: tuple[str, ...] = ()
        self._save()
        if self._log is not None:
            series = read_log(self._trainer.folder)
            drawn = draw_curves(series, self._trainer.folder / CURVES_FILE)
            notes = (*self._learner.notes, *self._log.notes, *drawn)
        self._cluster.wait()  # until the leader's files are there for all
        return notes

    def _save(self) -> None:
        if self._log is None:
            return
        self._log.flush()
        state = to_state(self._standing, self._options)
        write_checkpoint(self._learner.remember(state), self._trainer.folder / CHECKPOINT_FILE)
        if self._trainer.validation is None:
            self._write_weights()

    def _write_weights(self) -> None:
        if self._log is None:
            return
        state = {"step": self._standing.step, "dice": self._standing.best_dice}
        weights = Checkpoint(self._learner.averaged.state_dict(), state)
        write_checkpoint(weights, self._trainer.folder / WEIGHTS_FILE)

    def _write(self, values: dict[str, float]) -> None:
        if self._log is not None:
            self._log.write(self._standing.step, values)

    def _show(self, stage: str) -> None:
        now = (stage, self._standing.step)
        if now != self._last_shown:
            self._shown.stage(stage, self._standing.step / self._options.steps)
            self._last_shown = now


@contextmanager
def _own_random_numbers(device: torch.device) -> Iterator[None]:
    """Leave the random numbers of the caller as they are."""
    is_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if is_gpu else []):
        yield
