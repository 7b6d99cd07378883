from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from model_phantoms import METRIC, card_content, write_model

import ASPECTSLib
from ASPECTSLib.cli import main, models
from ASPECTSLib.errors import ErrorCode, ExitCode
from ASPECTSLib.inference.card import Metric
from ASPECTSLib.inference.weights import pack

ROOT = Path(ASPECTSLib.__file__).parents[1]


@pytest.fixture(autouse=True)
def command(monkeypatch):
    monkeypatch.setattr(main, "SUBCOMMANDS", (models,))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the only folder in which models are looked for, and let their networks be made."""
    monkeypatch.setenv("ASPECTS_MODELS", str(tmp_path))
    monkeypatch.setattr("ASPECTSLib.inference.registry.MODELS_FOLDER", tmp_path / "shipped")
    return tmp_path


@pytest.fixture
def network(monkeypatch):
    """Let every card's network be one that takes the weights of the phantoms."""
    torch = pytest.importorskip("torch")

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(4, 3)
            self.scale = torch.nn.Parameter(torch.rand(()))
            self.register_buffer("steps", torch.zeros(1, dtype=torch.int64))

    module = SimpleNamespace(build_network=lambda _architecture, _options: Network())
    monkeypatch.setitem(sys.modules, "ASPECTSLib.networks.build", module)


@pytest.fixture
def benchmark(network, monkeypatch):  # noqa: ARG001 - a benchmark needs networks
    """Return a benchmark that measures what it is told to, and records how it was called."""

    def measure(name, models, data, progress, workers):
        progress.stage("measuring", 0.5)
        told.calls.append((name, models, data))
        told.workers = workers
        return [measured(value, **changes) for value, changes in told.values]

    told = SimpleNamespace(values=[(0.9, {})], calls=[])
    module = SimpleNamespace(BENCHMARKS={"phantoms": measure, "other": measure})
    monkeypatch.setitem(sys.modules, "ASPECTSLib.training.benchmarks", module)
    return told


def measured(value, **changes):
    fields = METRIC | {"value": value, "interval": (value - 0.1, value + 0.1)} | changes
    return Metric(**fields)


def test_models_are_listed_as_a_table(folder, run):
    write_model(folder, "site-brain", version="2")
    write_model(folder / "shipped", "tiny", metrics=[])
    outcome = run("models", "list")
    assert (outcome.exit_code, outcome.err) == (ExitCode.RESULT, "")
    headings, site, shipped = outcome.out.splitlines()
    assert headings.split()[:5] == ["NAME", "VERSION", "TASK", "SIZE", "FROM"]
    assert site.split()[:6] == ["site-brain", "2", "brain", "0.0", "MB", str(folder)]
    assert site.endswith("dice 0.9 (0.85 to 0.95), n = 20, synthetic")
    assert shipped.split()[5:] == ["shipped", "none"]
    assert shipped.index("shipped") == site.index(str(folder)) == headings.index("FROM")


def test_no_models_are_said_to_be_none(folder, run):  # noqa: ARG001
    for action in ("list", "verify"):
        outcome = run("models", action)
        assert (outcome.exit_code, outcome.out) == (ExitCode.RESULT, "no models\n")


def test_a_damaged_card_does_not_hide_the_other_models(folder, run):
    write_model(folder, "broken").with_suffix(".json").write_text("{")
    write_model(folder, "whole").unlink()
    outcome = run("models", "list")
    assert outcome.exit_code == ExitCode.FAILURE
    assert "broken.json is damaged" in outcome.err
    assert "MODEL_DAMAGED" in outcome.err
    assert outcome.out.splitlines()[1].split()[:4] == ["whole", "1", "brain", "missing"]


@pytest.mark.usefixtures("network")
def test_whole_models_are_verified(folder, run):
    write_model(folder, "first")
    write_model(folder, "second")
    assert run("models", "verify").out == "ok      first\nok      second\n"
    outcome = run("models", "verify", "second")
    assert (outcome.exit_code, outcome.out) == (ExitCode.RESULT, "ok      second\n")
    assert run("models", "verify", folder / "first.json").out == "ok      first\n"


@pytest.mark.usefixtures("network")
def test_a_model_that_fails_is_named_and_the_others_are_still_checked(folder, run):
    write_model(folder, "damaged").write_bytes(b"damaged")
    write_model(folder, "misfit", pack({}))
    write_model(folder, "whole")
    outcome = run("models", "verify")
    assert outcome.exit_code == ExitCode.FAILURE
    damaged, misfit, whole = outcome.out.splitlines()
    assert damaged.startswith("failed  damaged: expected the weights")
    assert damaged.endswith("[MODEL_DAMAGED]")
    assert misfit.startswith("failed  misfit: expected the tensors of tiny")
    assert misfit.endswith("[MODEL_MISMATCH]")
    assert whole == "ok      whole"


def test_a_model_of_an_unknown_architecture_fails(folder, run):
    pytest.importorskip("torch")
    write_model(folder, architecture="oracle")
    outcome = run("models", "verify")
    assert outcome.exit_code == ExitCode.FAILURE
    assert outcome.out.startswith("failed  tiny: ")


def test_a_model_that_is_not_there_fails(folder, run):
    outcome = run("models", "verify", "none", folder / "away" / "tiny.json")
    assert outcome.exit_code == ExitCode.FAILURE
    first, second = outcome.out.splitlines()
    assert first.startswith("failed  none: ")
    assert second.startswith("failed  tiny.json: ")
    assert outcome.out.count("[MODEL_NOT_FOUND]") == 2


def test_without_torch_weights_are_verified_but_no_network_is_made(folder, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    write_model(folder, "whole")
    outcome = run("models", "verify")
    assert outcome.exit_code == ExitCode.RESULT
    assert outcome.out.startswith("ok      whole (the network was not made")
    write_model(folder, "whole").write_bytes(b"damaged")
    assert run("models", "verify").exit_code == ExitCode.FAILURE


@pytest.mark.parametrize(
    ("value", "code", "verdict"),
    [(0.9, ExitCode.RESULT, "ok "), (0.84, ExitCode.FAILURE, "outside ")],
)
def test_a_benchmark_is_compared_with_the_card(folder, run, benchmark, value, code, verdict):
    write_model(folder)
    benchmark.values = [(value, {})]
    outcome = run("models", "verify", "tiny", "--benchmark", "phantoms", "--data", folder)
    assert outcome.exit_code == code
    assert benchmark.calls == [("phantoms", ["tiny"], folder)]
    line = outcome.out.splitlines()[-1]
    assert line.startswith(verdict)
    assert f"now dice {value}" in line
    assert "card dice 0.9 (0.85 to 0.95), n = 20, synthetic" in line


def test_a_benchmark_is_told_how_many_processes_share_it(folder, run, benchmark):
    write_model(folder)
    assert run("models", "verify", "--benchmark", "phantoms").exit_code == ExitCode.RESULT
    assert benchmark.workers == 1
    run("models", "verify", "--benchmark", "phantoms", "--workers", "3")
    assert benchmark.workers == 3


def test_a_benchmark_takes_the_models_whose_cards_name_it(folder, run, benchmark):
    write_model(folder, "claims")
    write_model(folder, "without", metrics=[])
    assert run("models", "verify", "--benchmark", "phantoms").exit_code == ExitCode.RESULT
    assert benchmark.calls == [("phantoms", ["claims"], None)]


def test_a_model_without_figures_is_measured_when_it_is_named(folder, run, benchmark):
    write_model(folder, "claims")
    write_model(folder, "without", metrics=[])
    outcome = run("models", "verify", "without", "--benchmark", "phantoms")
    assert outcome.exit_code == ExitCode.RESULT
    assert benchmark.calls == [("phantoms", ["without"], None)]
    assert outcome.out.splitlines()[-1].startswith("new     dice 0.9 (")
    benchmark.values = []
    assert (
        run("models", "verify", "without", "--benchmark", "phantoms").exit_code == ExitCode.FAILURE
    )


def test_what_no_card_says_is_told_beside_the_rest(folder, run, benchmark):
    write_model(folder)
    benchmark.values = [(0.9, {}), (0.1, {"metric": "volume"})]
    outcome = run("models", "verify", "--benchmark", "phantoms")
    assert outcome.exit_code == ExitCode.RESULT
    assert [line.split()[0] for line in outcome.out.splitlines()] == ["ok", "ok", "new"]


def test_one_number_outside_its_interval_fails_all(folder, run, benchmark):
    write_model(folder, metrics=[METRIC, METRIC | {"metric": "volume"}])
    benchmark.values = [(0.9, {}), (0.1, {"metric": "volume"})]
    outcome = run("models", "verify", "--benchmark", "phantoms")
    assert outcome.exit_code == ExitCode.FAILURE
    assert [line.split()[0] for line in outcome.out.splitlines()] == ["ok", "ok", "outside"]


def test_what_was_not_measured_again_is_said(folder, run, benchmark):
    write_model(folder, metrics=[METRIC, METRIC | {"data": "scans", "synthetic": False}])
    outcome = run("models", "verify", "--benchmark", "phantoms")
    assert outcome.exit_code == ExitCode.RESULT
    assert outcome.out.splitlines()[-1].startswith("not measured  tiny: card dice")
    benchmark.values = []
    assert run("models", "verify", "--benchmark", "phantoms").exit_code == ExitCode.FAILURE


@pytest.mark.usefixtures("benchmark")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--benchmark", "guess"], "these: other, phantoms; got guess"),
        (["--benchmark", "other"], "metrics of the benchmark other"),
        (["--data", "folder"], "--benchmark NAME"),
    ],
)
def test_a_benchmark_that_cannot_be_run_is_a_usage_error(folder, run, arguments, words):
    write_model(folder)
    outcome = run("models", "verify", *arguments)
    assert outcome.exit_code == ExitCode.USAGE
    assert words in outcome.err


def test_damaged_weights_are_not_measured(folder, run, benchmark):
    write_model(folder).write_bytes(b"damaged")
    assert run("models", "verify", "--benchmark", "phantoms").exit_code == ExitCode.FAILURE
    assert benchmark.calls == []


def test_a_benchmark_without_torch_is_refused(folder, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    write_model(folder)
    outcome = run("models", "verify", "--benchmark", "phantoms")
    assert outcome.exit_code == ExitCode.FAILURE
    assert f"[{ErrorCode.TORCH_MISSING}]" in outcome.err


def test_a_card_is_shown_in_words(folder, run):
    write_model(folder, limits="knows nothing but spheres\nand no cubes")
    outcome = run("models", "card", "tiny")
    assert (outcome.exit_code, outcome.err) == (ExitCode.RESULT, "")
    for line in (
        "model          tiny, version 1",
        'network        tiny {"width": 3}',
        "trained on     spheres, CC0-1.0, doi:10.1000/spheres",
        "metrics        dice 0.9 (0.85 to 0.95), n = 20, synthetic, spheres; benchmark phantoms",
        "intended use   research only: tests",
        "limits         knows nothing but spheres",
        "               and no cubes",
        "               seed 3",
    ):
        assert line in outcome.out.splitlines()


def test_a_card_without_metrics_or_input_says_so(folder, run):
    write_model(folder, metrics=[], input={})
    lines = run("models", "card", "tiny").out.splitlines()
    assert "metrics        none" in lines
    assert "input          not said" in lines


def test_a_card_is_shown_as_its_file_is(folder, run):
    weights = write_model(folder, note="left aside")
    outcome = run("models", "card", weights, "--json")
    assert json.loads(outcome.out) == card_content(weights.read_bytes(), note="left aside")


def test_the_card_of_a_model_that_is_not_there_is_refused(folder, run):  # noqa: ARG001
    outcome = run("models", "card", "none")
    assert outcome.exit_code == ExitCode.FAILURE
    assert "[MODEL_NOT_FOUND]" in outcome.err


@pytest.mark.parametrize("arguments", [[], ["guess"], ["card"]])
def test_a_command_that_cannot_be_parsed_is_a_usage_error(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main.main(["models", *arguments])
    assert caught.value.code == ExitCode.USAGE
    assert "usage: aspects models" in capsys.readouterr().err


def test_the_subcommand_starts_without_heavy_imports():
    heavy = {"numpy", "torch", "scipy", "SimpleITK"}
    program = f"import sys, ASPECTSLib.cli.models; print(*({heavy!r} & set(sys.modules)))"
    command = [sys.executable, "-c", program]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == ""


def calibrated(calibration):
    """Return what a calibration finds for one network, with weights of measures."""
    from ASPECTSLib.scoring.pooled_call import Pool
    from ASPECTSLib.training.calibrate import Calibrated

    return Calibrated({"danet-cortical": calibration}, Pool(0.1, 0.2, 0.3, -0.4, {"M1": 0.6}), 80)


def test_calibrations_are_written_beside_the_networks_and_nothing_else_changes(
    folder, run, monkeypatch
):
    pytest.importorskip("torch")
    from ASPECTSLib.inference.calibration import Calibration
    from ASPECTSLib.scoring.pooled_call import Pool
    from ASPECTSLib.systems.combined import load_pool
    from ASPECTSLib.training import calibrate

    write_model(folder, "danet-cortical")
    weights = (folder / "danet-cortical.safetensors").read_bytes()
    before = json.loads((folder / "danet-cortical.json").read_text())
    own = folder / "pools" / "ncct-combined.json"
    own.parent.mkdir()
    old = {"intended_use": "research", "patients": 3, "pool": Pool(1.0, 1.0, 1.0, 0.0).as_dict()}
    own.write_text(json.dumps(old))
    measured = calibrated(Calibration(1.5, -0.25, {"M1": 0.4}))
    monkeypatch.setattr(calibrate, "calibrate", lambda *_: measured)
    outcome = run("models", "calibrate", "--data", folder)
    assert outcome.exit_code == ExitCode.RESULT, outcome.err
    assert "danet-cortical" in outcome.out
    after = json.loads((folder / "danet-cortical.json").read_text())
    assert after.pop("calibration") == measured.cards["danet-cortical"].to_json()
    assert after == before
    assert (folder / "danet-cortical.safetensors").read_bytes() == weights
    assert {path.name for path in folder.rglob("*")} == {
        "danet-cortical.json",
        "danet-cortical.safetensors",
        "pools",
        "ncct-combined.json",
    }
    assert load_pool(own)[0] == measured.pool
    written = json.loads(own.read_text())
    assert (written["patients"], written["intended_use"]) == (80, "research")


def test_weights_are_written_where_there_were_none(folder, run, monkeypatch):
    pytest.importorskip("torch")
    from ASPECTSLib.inference.calibration import Calibration
    from ASPECTSLib.systems.combined import load_pool
    from ASPECTSLib.training import calibrate

    write_model(folder, "danet-cortical")
    measured = calibrated(Calibration())
    monkeypatch.setattr(calibrate, "calibrate", lambda *_: measured)
    assert run("models", "calibrate", "--data", folder).exit_code == ExitCode.RESULT
    assert load_pool()[0] == measured.pool


def test_a_card_that_cannot_be_written_stays_as_it_was(folder, run, monkeypatch):
    pytest.importorskip("torch")
    from ASPECTSLib.inference.calibration import Calibration
    from ASPECTSLib.training import calibrate

    write_model(folder, "danet-cortical")
    before = (folder / "danet-cortical.json").read_bytes()
    monkeypatch.setattr(calibrate, "calibrate", lambda *_: calibrated(Calibration(2.0)))

    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    outcome = run("models", "calibrate", "--data", folder)
    assert outcome.exit_code == ExitCode.FAILURE
    assert ErrorCode.OUTPUT_NOT_WRITABLE in outcome.err
    assert (folder / "danet-cortical.json").read_bytes() == before
