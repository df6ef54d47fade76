"""Configurations of trainings: what they say, where they are wrong, trained as they say."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import djgraph
from djgraph.cli import app
from djgraph.training import begin, load_training
from djgraph.training.clips import collate

TEXT = """\
training: 1
corpus: corpus
run: runs/one
test: ~/other
model: transformer
losses: {spectral: 1, neutral: 0.1, controls: {"**.gain": 0.5}}
precision: bfloat16
"""


def test_paths_are_from_the_files_folder_on(tmp_path: Path) -> None:
    path = tmp_path / "training.yaml"
    path.write_text(TEXT)
    config = load_training(path)
    assert config.corpus == str(tmp_path / "corpus")
    assert config.run == str(tmp_path / "runs" / "one")
    assert config.test == str(Path("~/other").expanduser())
    assert config.start is None
    assert (config.model, config.precision, config.losses.controls) == (
        "transformer",
        "bfloat16",
        {"**.gain": 0.5},
    )
    assert load_training(path, epochs=3).epochs == 3
    assert load_training(TEXT).corpus == "corpus"


def test_all_mistakes_are_told_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "training.yaml"
    path.write_text("training: 1\ncorpus: c\nrun: r\nepoch: 3\nbatch: 0\nmodel: lstn\nlosses: {mell: 1}\n")
    with pytest.raises(djgraph.DocumentError) as caught:
        load_training(path)
    text = str(caught.value)
    assert [problem.position.line for problem in caught.value.problems if problem.position] == [4, 5, 6, 7]
    for part in (f"{path}:4:1", "did you mean: epochs", "expected a whole number", "lstm", "mel"):
        assert part in text
    with pytest.raises(djgraph.DocumentError, match="nothing to learn"):
        load_training({"training": 1, "corpus": "c", "run": "r", "losses": {"spectral": 0, "neutral": 1}})
    with pytest.raises(djgraph.DocumentError, match="training"):
        load_training({"corpus": "c", "run": "r"})


def test_mistakes_beside_the_file_have_no_line_in_it(tmp_path: Path) -> None:
    path = tmp_path / "training.yaml"
    path.write_text(TEXT.replace("transformer", "lstn"))
    with pytest.raises(djgraph.DocumentError) as caught:
        load_training(path, epoch=3, batch=0)
    places = [problem.position for problem in caught.value.problems]
    assert [place.line for place in places if place] == [TEXT.splitlines().index("model: transformer") + 1]
    assert len(places) == 3
    text = str(caught.value)
    assert "load_training(…, epoch=…): unknown key 'epoch'" in text
    assert "did you mean: epochs" in text
    assert "load_training(…, batch=…): expected a whole number" in text


@pytest.mark.slow
def test_the_command_trains_stops_and_goes_on(corpus: Path, tmp_path: Path) -> None:
    path = tmp_path / "training.yaml"
    path.write_text(
        f"training: 1\ncorpus: {json.dumps(str(corpus))}\nrun: run\nmodel: transformer\nhidden: 8\nbands: 4\n"
        "per_beat: 2\nbatch: 2\nheld_out: 0.2\nepochs: 1\ndevice: cpu\nprecision: bfloat16\n"
        "losses: {mel: 0.5, loudness: 0.1, variation: 0.01, controls: {'**.gain': 1}}\n"
    )
    result = CliRunner().invoke(app, ["train", str(path)])
    assert result.exit_code == 0, result.output
    assert "the model's loss is" in result.output
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [1, 2, 3]
    weights = {
        "spectral": 1, "mel": 0.5, "loudness": 0.1, "neutral": 0.3, "variation": 0.01, "controls **.gain": 1
    }  # fmt: skip
    assert log[0]["loss"] == pytest.approx(sum(weights[name] * log[0][name] for name in weights), rel=1e-5)
    again = CliRunner().invoke(app, ["train", str(path)])
    assert again.exit_code == 1
    assert "--resume goes on" in again.stderr
    more = CliRunner().invoke(app, ["train", str(path), "--resume", "--set", "epochs=2"])
    assert more.exit_code == 0, more.output
    player = djgraph.transitions.load_player(tmp_path / "run")
    assert type(player.model).__name__ == "TransformerModel"


def quick(corpus: Path, run: Path, **keys: object) -> dict[str, object]:
    small = {
        "hidden": 8,
        "bands": 4,
        "per_beat": 2,
        "batch": 2,
        "held_out": 0.2,
        "epochs": 1,
        "device": "cpu",
    }
    return {"training": 1, "corpus": str(corpus), "run": str(run), **small, **keys}


def test_the_network_is_in_bfloat16_and_the_mixer_is_not(corpus: Path, tmp_path: Path) -> None:
    session = begin(load_training(quick(corpus, tmp_path / "run", precision="bfloat16", model="transformer")))
    batch = collate([session.training[0], session.training[1]])
    seen: dict[str, torch.dtype] = {}
    session.model.encoder.register_forward_hook(lambda module, given, out: seen.update(network=out.dtype))
    torch.nn.init.normal_(session.model.head.weight, std=0.1)
    params = session.params(batch)
    assert seen == {"network": torch.bfloat16}
    assert params.dtype == torch.float32
    # Controls are not rounded to bfloat16 …
    moved = params[..., session.corpus.layout.index("left.drums.gain")].detach()
    assert not torch.equal(moved, moved.bfloat16().float())
    # … and a mixer that is called under autocast mixes as it always does.
    with torch.autocast("cpu", torch.bfloat16):
        inside = session.mix(batch, params)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, session.mix(batch, params))
    inside.square().mean().backward()
    weight = session.model.head.weight.grad
    assert weight is not None
    assert weight.dtype == torch.float32
    assert bool(weight.abs().sum() > 0)


def test_what_is_kept_is_blurred_anew(corpus: Path, tmp_path: Path) -> None:
    """Items that stay in memory are those that were read, however often they are asked for."""
    read = begin(load_training(quick(corpus, tmp_path / "run", blur=0.3))).training
    kept = begin(load_training(quick(corpus, tmp_path / "run", blur=0.3))).training
    kept.keep = True
    first = kept[0, 0]["features"]
    assert not torch.equal(kept[1, 0]["features"], first)
    for epoch in (0, 1):
        assert torch.equal(kept[epoch, 0]["features"], read[epoch, 0]["features"])


@pytest.mark.slow
def test_two_machines_train_as_one(corpus: Path, tmp_path: Path) -> None:
    """Two agents of torchrun, one process each, that meet at an address and talk by gloo."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    logs = {}
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(quick(corpus, tmp_path / name)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    machine = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    machine += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "djgraph"]
    train = ["-m", "djgraph", "train"]
    started = [
        subprocess.Popen(
            [*machine, *train, str(tmp_path / "two.yaml")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
        )
        for _ in range(2)
    ]  # fmt: skip
    told = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    result = CliRunner().invoke(app, ["train", str(tmp_path / "one.yaml")])
    assert result.exit_code == 0, result.output
    for name in ("one", "two"):
        lines = (tmp_path / name / "log.jsonl").read_text().splitlines()
        logs[name] = [json.loads(line)["loss"] for line in lines]
    assert logs["two"] == pytest.approx(logs["one"], rel=1e-3)
    assert sum("the model's loss is" in text for text in told) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_lightning_where_it_is(corpus: Path, tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning", reason="without Lightning")
    from djgraph.training.lightning import LightningTransitions

    session = begin(load_training(quick(corpus, tmp_path / "run", rate=0.01)))
    module = LightningTransitions(session)
    assert all(name.startswith("model.") for name in module.state_dict() if not name.startswith("objective."))
    before = {name: value.clone() for name, value in session.model.named_parameters()}
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(
        accelerator="cpu", precision="bf16-mixed", max_epochs=2, default_root_dir=tmp_path,
        enable_model_summary=False, num_sanity_val_steps=0, **options,
    )  # fmt: skip
    seen = set()
    session.model.encoder.register_forward_hook(lambda module, given, out: seen.add(out.dtype))
    trainer.fit(module)
    assert seen == {torch.bfloat16}  # the Trainer's precision, where the configuration asks for none
    assert trainer.global_step == 6
    assert float(trainer.callback_metrics["held_out_spectral"]) > 0
    assert any(not torch.equal(before[name], value) for name, value in session.model.named_parameters())
