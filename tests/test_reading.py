"""Files from disk: limits, damage, and errors that say where."""

from __future__ import annotations

import io
import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from djgraph.errors import CorpusError, InputError
from djgraph.reading import Json, Stored, parse_json, read_array, read_bytes, read_json, read_text


def refused(text: str, **options: Any) -> str:
    with pytest.raises(CorpusError) as caught:
        parse_json(text, "f.json", CorpusError, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "1:1", "no JSON"),
        ('{"a": 1,\n "b": }', "2:7", "no JSON"),
        ("[" * 100_000, "1:65", "nested more than 64"),
        ('{"a":' * 100_000, "1:321", "nested more than 64"),
        ('{"a": 1,\n  "a": 2}', "2:3", "'a' is given twice"),
        ('{"x": {"a": 1, "b": 2,\n "a": 3}}', "2:2", "'a' is given twice"),
        ('{"n":\n  ' + "9" * 41 + "}", "2:3", "41 digits"),
        ('{"n": ' + "9" * 10_000 + "}", "1:7", "10000 digits"),
        ('{"n": [0, 1e400]}', "1:11", "1e400 is too large"),
        ('{"n": ' + "9" * 400 + ".5}", "1:7", "is too large"),
        ('{"n": NaN}', "1:7", "NaN is no number"),
        ('{"NaN": [1,\n -Infinity]}', "2:2", "-Infinity is no number"),
        ('{"t": "\\ud83d"}', "1:7", "half a surrogate pair"),
        ('{"t": [1, {"u": "\\udc00x"}]}', "1:17", "half a surrogate pair"),
        ('{"t": "a\nb"}', "1:9", "no JSON"),
        ("[1, 2] 3", "1:8", "no JSON"),
    ],
)
def test_no_json(text: str, place: str, words: str) -> None:
    message = refused(text)
    assert message.startswith(f"f.json:{place}: ")
    assert words in message
    if "1e400" in text:
        assert "at: n[1]" in message
    assert len(message) < 300


def test_what_is_json_is_read_as_json_reads_it() -> None:
    """Random data, and brackets and numbers that stand in texts."""
    drawn = random.Random(1)

    def some(depth: int) -> Any:
        kinds = [
            None,
            True,
            3,
            -(2**127),
            1.5e-300,
            "[[[{",
            'a"\\',
            "NaN",
            "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
            "9" * 60,
        ]
        if depth == 0 or drawn.random() < 0.3:
            return drawn.choice(kinds)
        if drawn.random() < 0.5:
            return [some(depth - 1) for _ in range(drawn.randrange(4))]
        return {f"k{i}]": some(depth - 1) for i in range(drawn.randrange(4))}

    for _ in range(200):
        data = some(6)
        for ascii_only in (True, False):
            text = json.dumps(data, ensure_ascii=ascii_only, indent=drawn.choice([None, 1]))
            assert parse_json(text, "f", CorpusError).data == json.loads(text) == data


def test_places_are_those_of_the_values() -> None:
    """Every value of a document is found where a search for its own unique text finds it."""
    data = {"a": [10, {"b": 11, 'c"d': [12, [13]]}], "e": {}, "f": [[], 14], "{": 15}
    for indent in (None, 2):
        text = json.dumps(data, indent=indent)
        paths: dict[tuple[str | int, ...], int] = {
            ("a", 0): 10,
            ("a", 1, "b"): 11,
            ("a", 1, 'c"d', 0): 12,
            ("a", 1, 'c"d', 1, 0): 13,
            ("f", 1): 14,
            ("{",): 15,
        }
        for path, number in paths.items():
            at = text.index(str(number))
            place = Json(data, text, "f", CorpusError).place(path)
            assert place.line == text[:at].count("\n") + 1
            assert place.column == at - (text[:at].rfind("\n") + 1) + 1
        lost = Json(data, text, "f", CorpusError).place(("a", 1, "none"))
        at = text.index("{", 2)
        assert lost.line == text[:at].count("\n") + 1


def test_what_is_not_known() -> None:
    text = '{"a": NaN, "b": [Infinity, "x\\ud83d"], "c": "\\ud83d\\ude00"}'
    assert parse_json(text, "f", CorpusError, "null").data == {"a": None, "b": [None, "x\ufffd"], "c": "😀"}
    kept = parse_json("[NaN, -Infinity, Infinity]", "f", CorpusError, "keep").data
    assert kept[0] != kept[0]
    assert kept[1:] == [float("-inf"), float("inf")]


class Row(Stored):
    count: int
    names: list[str]


def test_a_model_says_what_and_where() -> None:
    def wrong(text: str) -> str:
        with pytest.raises(CorpusError) as caught:
            parse_json(text, "f", CorpusError).read_as(Row)
        return str(caught.value)

    assert "f:1:1: expected a mapping" in wrong("[]")
    assert "missing key 'names'" in wrong('{"count": 1}')
    text = wrong('{"count": true,\n "names": ["a", 3]}')
    assert "f:1:11: expected a whole number, got true\n  at: count" in text
    assert "f:2:17: expected text, got the number 3\n  at: names[1]" in text
    text = wrong(json.dumps({"count": 1, "names": list(range(1000))}))
    assert text.count("\n  at: ") == 10
    assert "990 more problems" in text


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(path, CorpusError).data == {"a": 1}
    path.write_bytes(b'{"a":\n "\xff"}')
    with pytest.raises(CorpusError, match=r"f\.json:2:3: this is not UTF-8 text: byte 0xff"):
        read_text(path, CorpusError)
    with pytest.raises(CorpusError, match=r"larger than the limit of 4 bytes"):
        read_bytes(path, CorpusError, 4)
    for name in ("none", "a\0b", "n" * 300):
        with pytest.raises(CorpusError):
            read_text(tmp_path / name, CorpusError)
    with pytest.raises(CorpusError):
        read_text(tmp_path, CorpusError)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CorpusError, match="not an ordinary file"):
        read_json(tmp_path / "pipe", CorpusError)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", "i1", "<u2", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays(tmp_path: Path, dtype: str, order: str) -> None:
    array = np.asarray(np.arange(12).reshape(3, 4) % 2, dtype=dtype, order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "a.npy", array)
    found = read_array(tmp_path / "a.npy", InputError, 10_000)
    assert (found == np.load(tmp_path / "a.npy")).all()
    assert found.dtype == array.dtype
    assert found.shape == (3, 4)


def header(text: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    padded = text.encode() + b"\n"
    return b"\x93NUMPY" + version + len(padded).to_bytes(2, "little") + padded + data


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"\x93NUMPY\x01",
        b"\x93NUMPY\x09\x00\x00\x00",
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 54)}"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", b"\0" * 16),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4)}", b"\0" * 16),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (9" + "9" * 400 + ",)}"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", b"\0" * 15),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", b"\0" * 17),
        header("{'descr': '<f4', 'fortran_order': 3, 'shape': (2, 2)}", b"\0" * 16),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"\0" * 8),
        header("{'descr': '<U3', 'fortran_order': False, 'shape': (1,)}", b"\0" * 12),
        header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", b"\0" * 4),
        header("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", b"\0" * 8),
        header("{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,)}", b"\0" * 8),
        header("[" * 5000),
        header("{'descr': ("),
        header("__import__('os').abort()"),
        pickled(),
    ],
)
def test_no_arrays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npy") as caught:
        read_array(path, InputError, 10_000)
    assert len(str(caught.value)) < 400
