"""`aspects models`: which models there are, whether they are whole, and what their cards say."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ASPECTSLib.cli.console import Console, interruptible
from ASPECTSLib.errors import ASPECTSError, ErrorCode, ExitCode, ResourceError, UsageError

if TYPE_CHECKING:
    from ASPECTSLib.inference.card import Metric, ModelCard, ModelFile, TrainingSource
    from ASPECTSLib.training.unseen import Benchmark

    Claim = tuple[str, Metric]  # a model's name, and what its card says

_HEADINGS = ("NAME", "VERSION", "TASK", "SIZE", "FROM", "FIRST METRIC")
_LABEL_WIDTH = 15


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser(
        "models",
        help="list, check and describe the models",
        description="Models lie in the folders that ASPECTS_MODELS names, and in the one that ships.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list all models")
    listing.set_defaults(run=run, action=_list)
    verify = actions.add_parser("verify", help="check weights against their cards")
    verify.add_argument("models", nargs="*", metavar="NAME", help="name or path; all when left out")
    verify.add_argument(
        "--benchmark",
        metavar="NAME",
        help="measure what the cards say, or a model named",
    )
    verify.add_argument("--data", type=Path, metavar="DIR", help="data that the benchmark needs")
    _add_workers(verify)
    verify.set_defaults(run=run, action=_verify)
    calibrate = actions.add_parser(
        "calibrate",
        help="make the probabilities of ncct-danet and ncct-combined mean something",
        description="Measure the installed danet-cortical, danet-subcortical and ncct-infarct on synthetic patients "
        "that are neither trained nor reported on, and write calibration and thresholds into the cards of the first "
        "two, and the weights of ncct-combined into its file. Needs PyTorch and MONAI.",
    )
    calibrate.add_argument("--data", type=Path, metavar="DIR", required=True, help="public data")
    _add_workers(calibrate)
    calibrate.set_defaults(run=run, action=_calibrate)
    card = actions.add_parser("card", help="show what a model is, was trained on and is for")
    card.add_argument("model", metavar="NAME", help="name or path")
    card.add_argument("--json", action="store_true", help="the card's file as it is")
    card.set_defaults(run=run, action=_show_card)


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes that share the patients, each of 2 GB (default: 1)",
    )


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    """List, check or describe models, as the arguments say."""
    return arguments.action(arguments, console)


def _list(_arguments: argparse.Namespace, console: Console) -> ExitCode:
    from ASPECTSLib.inference.registry import model_stems, open_card

    rows, failed = [_HEADINGS], False
    for stem in model_stems():
        try:
            rows.append(_row(open_card(stem)))
        except ASPECTSError as error:
            failed = True
            console.show_error(error.code, error.message)
    console.show(_aligned(rows) if len(rows) > 1 else "no models")
    return ExitCode.FAILURE if failed else ExitCode.RESULT


def _row(model: ModelFile) -> tuple[str, ...]:
    from ASPECTSLib.inference.registry import MODELS_FOLDER

    card, weights = model.card, model.weights_path
    size = f"{weights.stat().st_size / 1e6:.1f} MB" if weights.is_file() else "missing"
    origin = "shipped" if model.folder == MODELS_FOLDER else str(model.folder)
    metric = _measured(card.metrics[0]) if card.metrics else "none"
    return (card.name, card.version, card.task, size, origin, metric)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in cells)


def _verify(arguments: argparse.Namespace, console: Console) -> ExitCode:
    from ASPECTSLib.inference.registry import model_stems

    benchmark = _benchmark(arguments)
    named = arguments.models or model_stems()
    with interruptible(console) as progress:
        models = [model for name in named if (model := _verified(name, console))]
        if len(models) < len(named):
            return ExitCode.FAILURE
        if not named:
            console.show("no models")
        if benchmark is None:
            return ExitCode.RESULT
        claims = _claims(models, arguments.benchmark)
        if not claims and not arguments.models:
            message = f"expected a model whose card has metrics of the benchmark {arguments.benchmark}, got none; "
            raise UsageError(ErrorCode.USAGE, message + "name those to measure for the first time")
        taken = arguments.models or sorted({name for name, _ in claims})
        measured = benchmark(
            arguments.benchmark, taken, arguments.data, progress, arguments.workers
        )
        progress.finish()
    return _compare(claims, measured, console)


def _benchmark(arguments: argparse.Namespace) -> Benchmark | None:
    """Return the benchmark that the arguments name."""
    if arguments.benchmark is None:
        if arguments.data is not None:
            raise UsageError(ErrorCode.USAGE, "expected --benchmark NAME with --data DIR")
        return None
    from ASPECTSLib.inference.registry import require_torch

    require_torch()
    from ASPECTSLib.training.benchmarks import BENCHMARKS

    if arguments.benchmark not in BENCHMARKS:
        names = ", ".join(sorted(BENCHMARKS)) or "none"
        message = f"expected a benchmark of these: {names}; got {arguments.benchmark}"
        raise UsageError(ErrorCode.USAGE, message)
    return BENCHMARKS[arguments.benchmark]


def _verified(name_or_path: str | Path, console: Console) -> ModelFile | None:
    """Check a model and say how it is; None if it failed."""
    from ASPECTSLib.inference.registry import find_model

    try:
        model = find_model(name_or_path)
        note = _check(model)
    except (ResourceError, UsageError) as error:
        console.show(f"failed  {Path(name_or_path).name}: {error.message} [{error.code}]")
        return None
    console.show(f"ok      {model.name}{note}")
    return model


def _check(model: ModelFile) -> str:
    """Check the weights, and that they make a network where torch is there; return what to note."""
    from ASPECTSLib.inference.registry import load_network, verify_model

    try:
        load_network(model)
    except ResourceError as error:
        if error.code is not ErrorCode.TORCH_MISSING:
            raise
        verify_model(model)
        return " (the network was not made, as PyTorch is not installed)"
    return ""


def _claims(models: Iterable[ModelFile], benchmark: str) -> list[Claim]:
    """Return what the cards say that a benchmark measured."""
    claims = [(m.name, metric) for m in models for metric in m.card.metrics]
    return [(name, metric) for name, metric in claims if metric.benchmark == benchmark]


def _compare(claims: Sequence[Claim], measured: Sequence[Metric], console: Console) -> ExitCode:
    """Show what is measured now beside what the cards say, in whose intervals it must lie, and what no card says."""
    now = {_what(metric): metric for metric in measured}
    verdicts = []
    for name, claim in claims:
        found = now.get(_what(claim))
        if found is None:
            console.show(f"not measured  {name}: card {_measured(claim)}")
            continue
        verdicts.append(claim.covers(found.value))
        verdict = "ok      " if verdicts[-1] else "outside "
        console.show(f"{verdict}{name}: now {_measured(found)}; card {_measured(claim)}")
    claimed = {_what(claim) for _, claim in claims}
    for what, metric in now.items():
        if what not in claimed:
            console.show(f"new     {_measured(metric)}; no card of these models has it")
    compared = verdicts if claims else measured
    return ExitCode.RESULT if compared and all(verdicts) else ExitCode.FAILURE


def _what(metric: Metric) -> tuple[str, str, str]:
    """Return what was measured, on what, whatever came out."""
    return metric.benchmark, metric.metric, metric.data


def _calibrate(arguments: argparse.Namespace, console: Console) -> ExitCode:
    from ASPECTSLib.inference.registry import find_model, require_torch

    require_torch()
    from ASPECTSLib.systems.combined import POOL
    from ASPECTSLib.training.calibrate import calibrate, write_calibration, write_pool

    with interruptible(console) as progress:
        found = calibrate(arguments.data, progress, arguments.workers)
        progress.finish()
    models = {name: find_model(name) for name in found.cards}
    for name, calibration in found.cards.items():
        write_calibration(models[name], calibration)
        console.show(f"{name}: {json.dumps(calibration.to_json())}")
    write_pool(next(iter(models.values())).folder, found)
    console.show(f"{POOL}: {json.dumps(found.pool.as_dict())}")
    return ExitCode.RESULT


def _show_card(arguments: argparse.Namespace, console: Console) -> ExitCode:
    from ASPECTSLib.inference.registry import find_model

    model = find_model(arguments.model)
    if arguments.json:
        console.show(model.card_path.read_text(encoding="utf-8").rstrip("\n"))
    else:
        console.show(_described(model.card))
    return ExitCode.RESULT


def _described(card: ModelCard) -> str:
    details = {"recipe": card.training.recipe, "seed": card.training.seed, **card.training.details}
    sections = (
        ("model", [f"{card.name}, version {card.version}"]),
        ("task", [card.task]),
        ("network", [f"{card.architecture} {json.dumps(card.options)}"]),
        ("input", _listed(card.input)),
        ("trained on", [_source(source) for source in card.training.data]),
        ("training", _listed(details)),
        ("metrics", [_benchmarked(metric) for metric in card.metrics] or ["none"]),
        ("intended use", card.intended_use.splitlines()),
        ("limits", card.limits.splitlines()),
        ("sha256", [card.sha256]),
    )
    return "\n".join(
        f"{label if first else '':<{_LABEL_WIDTH}}{line}"
        for label, lines in sections
        for first, line in zip([True] + [False] * len(lines), lines, strict=False)
    )


def _listed(values: dict[str, object]) -> list[str]:
    return [f"{key} {_plain(value)}" for key, value in values.items()] or ["not said"]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _source(source: TrainingSource) -> str:
    doi = f", doi:{source.doi}" if source.doi else ""
    return f"{source.name}, {source.licence}{doi}"


def _benchmarked(metric: Metric) -> str:
    return f"{_measured(metric)}, {metric.data}; benchmark {metric.benchmark}"


def _measured(metric: Metric) -> str:
    low, high = metric.interval
    kind = ", synthetic" if metric.synthetic else ""
    return f"{metric.metric} {metric.value:.4g} ({low:.4g} to {high:.4g}), n = {metric.n}{kind}"
