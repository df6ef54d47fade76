"""Control values from files, friendly and hostile."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from djgraph.cli import params as module
from djgraph.cli.params import read_params
from djgraph.effects import Control
from djgraph.errors import InputError
from djgraph.graph.ir import Column
from djgraph.layout import ParameterLayout


def column(name: str, default: float, aliases: tuple[str, ...] = ()) -> Column:
    control = Control(0, 2, neutral=1, default=default, id=name.rpartition(".")[2], aliases=aliases)
    return Column(name, control)


LAYOUT = ParameterLayout([column("a.gain", 0.5, ("volume",)), column("a.low", 1.0), column("b.gain", 0.25)])


def read(path: Path) -> list[list[float]]:
    params = read_params(path, LAYOUT)
    assert params.dtype == torch.float32
    return params.tolist()  # type: ignore[no-any-return]


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_params(path, LAYOUT)
    message = str(caught.value)
    assert message.startswith(str(path))
    return message


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "i2", "f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path: Path, dtype: str, order: str) -> None:
    values = np.array([[0, 1, 2], [2, 1, 0]], dtype=dtype, order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "p.npy", values)
    assert read(tmp_path / "p.npy") == [[0, 1, 2], [2, 1, 0]]
    np.save(tmp_path / "p.npy", values[None])
    assert read(tmp_path / "p.npy") == [[0, 1, 2], [2, 1, 0]]


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("\ufeffb.gain, a.volume\n0.5,1\n\n1e-1,.25\n", encoding="utf-8")
    assert read(path) == [[1, 1, 0.5], [0.25, 1, pytest.approx(0.1)]]


def test_json_and_yaml(tmp_path: Path) -> None:
    values = {"a.low": 2, "b.gain": [0, 0.5, 1]}
    (tmp_path / "p.json").write_text(json.dumps(values))
    (tmp_path / "p.yaml").write_text("a.low: 2\nb.gain: [0, 0.5, 1e0]\n")
    expected = [[0.5, 2, 0], [0.5, 2, 0.5], [0.5, 2, 1]]
    assert read(tmp_path / "p.json") == expected
    assert read(tmp_path / "p.yaml") == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.csv", "", "expected a line of control names"),
        ("p.csv", "a.gain\n", "expected a line of control names"),
        ("p.csv", "a.gain,a.low\n1,1\n1\n", "p.csv:3: 1 values for 2 controls"),
        ("p.csv", "a.gain,a.low\n1,loud\n", "p.csv:2: a.low: 'loud' is not a number"),
        ("p.csv", "a.gian\n1\n", "did you mean 'a.gain'"),
        ("p.csv", "a.gain,a.gain\n1,1\n", "'a.gain' names two columns"),
        ("p.csv", "a.gain,a.volume\n1,1\n", "same control"),
        ("p.csv", "a.gain\n1\nnan\n", "a.gain"),
        ("p.csv", 'a.gain\n"1\n', "unexpected end of data"),
        ("p.json", "{", "no JSON"),
        ("p.json", "[" * 100_000, "no JSON"),
        ("p.json", "[1, 2]", "expected a mapping"),
        ("p.json", '{"a.gain": 1, "a.gain": 0}', "'a.gain' is given twice"),
        ("p.json", '{"a.gain": "1"}', "'a.gain': expected a number"),
        ("p.json", '{"a.gain": true}', "'a.gain': expected a number"),
        ("p.json", '{"a.gain": null}', "'a.gain': expected a number"),
        ("p.json", '{"a.gain": []}', "'a.gain': expected a number"),
        ("p.json", '{"a.gain": [[1]]}', "'a.gain': expected a number"),
        ("p.json", '{"a.gain": {"b": 1}}', "'a.gain': expected a number"),
        ("p.json", '{"a.gain": [1, 2], "a.low": [1, 2, 3]}', "a.low"),
        ("p.json", '{"a.gain": NaN}', "a.gain"),
        ("p.json", '{"a.gain": 1e999}', "a.gain"),
        ("p.json", '{"a.gain": %s}' % ("9" * 400), "a.gain"),
        ("p.json", '{"a.gain": %s}' % ("9" * 10_000), "no JSON"),
        ("p.yaml", "a.gain: 1\na.gain: 2\n", "a.gain"),
        ("p.yaml", "a.gain: !!python/object:os.system x\n", ""),
        ("p.yaml", "just text\n", "expected a mapping"),
        ("p.yaml", "a.gain: [1\n", "p.yaml:"),
        ("p.txt", "a.gain: 1", "control values are read from .npy, .csv, .json, .yaml, .yml"),
        ("p", "a.gain: 1", "control values are read from"),
    ],
)
def test_bad_text(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert message in refused(path)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".yaml"])
def test_not_text(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"p{suffix}"
    path.write_bytes(b"a.gain\n\xff\xfe\n")
    assert "not UTF-8" in refused(path)


def test_missing_and_folder(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "p.npy")
    (tmp_path / "q.npy").mkdir()
    assert "not an ordinary file" in refused(tmp_path / "q.npy")


class Evil:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.trace,))


def test_no_pickle_is_run(tmp_path: Path) -> None:
    path, evil = tmp_path / "p.npy", Evil(tmp_path / "trace")
    np.save(path, np.array([evil], dtype=object), allow_pickle=True)
    assert "no NumPy array of numbers" in refused(path)
    path.write_bytes(pickle.dumps(evil))
    assert "no NumPy array of numbers" in refused(path)
    assert not evil.trace.exists()
    pickle.loads(pickle.dumps(evil))
    assert evil.trace.exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 4)), r"the shape [2, 4]; expected [frames, 3]"),
        (np.zeros(3), "the shape [3]"),
        (np.zeros((0, 3)), "the shape [0, 3]"),
        (np.zeros((2, 5, 3)), "the shape [2, 5, 3]"),
        (np.zeros((2, 3), dtype=complex), "complex128; expected real numbers"),
        (np.zeros((2, 3), dtype="U3"), "expected real numbers"),
        (np.full((2, 3), np.inf), "a.gain"),
    ],
)
def test_bad_arrays(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "p.npy", array)
    assert message in refused(tmp_path / "p.npy")


def test_an_array_whose_header_lies_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "p.npy"
    np.save(path, np.zeros((2, 3)))
    path.write_bytes(path.read_bytes().replace(b"(2, 3), }          ", b"(20000000000, 3), }"))
    assert "no NumPy array of numbers" in refused(path)
    np.savez(tmp_path / "z.npz", np.zeros((2, 3)))
    (tmp_path / "z.npz").rename(tmp_path / "z.npy")
    assert "no NumPy array of numbers" in refused(tmp_path / "z.npy")
    (tmp_path / "e.npy").touch()
    assert "no NumPy array of numbers" in refused(tmp_path / "e.npy")


def test_size_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    np.save(tmp_path / "p.npy", np.zeros((20, 3)))
    assert "larger than the limit" in refused(tmp_path / "p.npy")
