"""Damage: what is plain data is damaged as data, what is text as text, the rest as bytes. All by a seeded generator."""

from __future__ import annotations

import copy
import io
import json
import struct
from pathlib import PurePath
from random import Random
from typing import Any

from ruamel.yaml import YAML

Path = tuple[Any, ...]

NUMBERS: list[Any] = [
    0, -1, 1, 2, 3, 0.5, -0.5, 1e-320, 1e300, 10**9, 2**31, 2**63, -(2**63) - 1, 10**400, float("nan"),
    float("inf"), -float("inf"), True, False,
]  # fmt: skip
TEXTS: list[str] = [
    "", " ", "x", "$", "$x", "${", "@", ".", "a.b", "a@b", "..", "/", "../x", "~", "~nobodyuser/x",
    "\x00", "\x1b[31mred", "\u202egnp.exe", "\u2066x", "\ufeff", "\ud83d", "\U0001f39b", "é", "e\u0301",
    "NaN", "1e400", "1e400s", "-1beats", "9" * 400, "9" * 5000 + "s", "1bars + 2beats", "%", "null",
    "true", "'", '"', "\n", "\t", "a\r\nb", "master", "gain", "post", "inputs", "x" * 300, "y" * 100_000,
]  # fmt: skip
TOKENS: list[bytes] = [
    b"", b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\t", b"\n\n", b": ", b"- ", b"[", b"]",
    b"{", b"}", b"&a ", b"*a", b"<<: ", b"!!python/object:os.system ", b"%YAML 1.1\n---\n", b"\n---\n",
    b"|\n", b"#", b"'", b'"', b",", b";", b"\\ud83d", b"\\u0000", b"1e400", b"9" * 400, b"NaN",
    b"Infinity", b"\x1b]0;x\x07", "\u202e".encode(), "\u2028".encode(), b"\x85", b"\xc2\x85",
    b"[" * 5000, b"{\"a\":" * 3000, b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00",
]  # fmt: skip
NPY_SHAPES = ["(2, 54)", "(-1, 54)", "(9999999999999, 54)", "()", "(0, 54)", "54", "(2.0, 54)", "(1" * 500]
NPY_TYPES = ["'<f4'", "'|O'", "'<c16'", "'<U9'", "'<M8[s]'", "[('a', '<f4')]", "'<f99'", "None", "(" * 3000]


def damage(data: bytes, name: str, random: Random) -> bytes:
    """One to three changes of a file; its suffix says how it is taken apart."""
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        data = _once(data, PurePath(name).suffix, random)
    return data


def _once(data: bytes, suffix: str, random: Random) -> bytes:
    if random.random() < 0.6:
        try:
            if suffix in (".json", ".yaml"):
                return _document(data, suffix, random)
            if suffix == ".jsonl":
                return _lines(data, random)
            if suffix == ".csv":
                return _table(data, random)
            if suffix == ".npy":
                return _npy(data, random)
            if suffix == ".safetensors":
                return _safetensors(data, random)
        except Exception:  # damaged before: it can no longer be taken apart
            return damage_bytes(data, random)
    if suffix in (".wav", ".aiff") and random.random() < 0.4:
        return _chunk(data, random)
    return damage_bytes(data, random)


def damage_bytes(data: bytes, random: Random) -> bytes:
    """Flip, cut, double, move, overwrite or insert; more often near the beginning, where headers are."""
    size = len(data)
    place = random.randrange(size + 1) if random.random() < 0.6 else random.randrange(min(size, 64) + 1)
    length = random.choice([1, 2, 4, 16, 100, size // 3])
    kind = random.randrange(8)
    if kind == 0 and place < size:
        return data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]
    if kind == 1:
        return data[:place]
    if kind == 2:
        return data[:place] + data[place + length :]
    if kind == 3:
        return data[: place + length] + data[place:]
    if kind == 4:
        return data[:place] + random.randbytes(min(length, 400)) + data[place + length :]
    if kind == 5:
        return data[:place] + bytes(length) + data[place + length :]
    if kind == 6:
        other = random.randrange(size + 1)
        return data[:place] + data[other : other + length] + data[place:]
    return data[:place] + random.choice(TOKENS) + data[place:]


def damage_data(value: Any, random: Random) -> Any:
    """Plain data with one place changed: replaced, taken away, doubled, renamed, nested, or swapped for another."""
    value = copy.deepcopy(value)
    paths = list(_paths(value))
    path = random.choice(paths)
    if not path:
        return random.choice([value, [], {}, [value], junk(random)])
    parent = _at(value, path[:-1])
    kind = random.randrange(7)
    if kind == 0:
        del parent[path[-1]]
    elif kind == 1 and isinstance(parent, list):
        parent.insert(random.randrange(len(parent) + 1), copy.deepcopy(parent[path[-1]]))
    elif kind == 2 and isinstance(parent, dict):
        parent[random.choice([*TEXTS, *map(str, parent)])] = parent.pop(path[-1])
    elif kind == 3:
        parent[path[-1]] = copy.deepcopy(_at(value, random.choice(paths)))
    elif kind == 4 and isinstance(parent[path[-1]], (int, float)):
        parent[path[-1]] = random.choice(NUMBERS)
    elif kind == 5:
        for _ in range(random.choice([1, 2, 60])):
            parent[path[-1]] = random.choice([[parent[path[-1]]], {"a": parent[path[-1]]}])
    else:
        parent[path[-1]] = junk(random)
    return value


def junk(random: Random) -> Any:
    """A value that probably does not belong there."""
    return copy.deepcopy(
        random.choice([*NUMBERS, *TEXTS, None, [], {}, [[]], [None], {"x": 1}, {"from": 1, "to": 3}])
    )


def _paths(value: Any, path: Path = ()) -> Any:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value[:50]):
            yield from _paths(item, (*path, index))


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _document(data: bytes, suffix: str, random: Random) -> bytes:
    text = data.decode()
    value = json.loads(text) if suffix == ".json" else YAML(typ="safe", pure=True).load(text)
    changed = damage_data(value, random)
    # JSON is YAML as well; surrogates stay escapes.
    return json.dumps(changed, indent=random.choice([None, 1]), ensure_ascii=random.random() < 0.7).encode(
        "utf-8", "surrogatepass"
    )


def _lines(data: bytes, random: Random) -> bytes:
    lines = data.splitlines()
    place = random.randrange(len(lines))
    lines[place] = json.dumps(damage_data(json.loads(lines[place]), random)).encode()
    return b"\n".join(lines) + b"\n"


def _table(data: bytes, random: Random) -> bytes:
    rows = [line.split(",") for line in data.decode().splitlines()]
    if random.random() < 0.2:
        return random.choice([";", "\t", "|", ",,"]).join(",").join(map(",".join, rows)).encode()
    row = random.choice(rows)
    place = random.randrange(len(row))
    row[place] = str(junk(random)).replace("\ud83d", "?")
    return "\n".join(map(",".join, rows)).encode() + b"\n"


def _npy(data: bytes, random: Random) -> bytes:
    """The same bytes under another header."""
    shape = random.choice(NPY_SHAPES)
    kind = random.choice(NPY_TYPES)
    header = f"{{'descr': {kind}, 'fortran_order': {random.choice([True, False, 3])}, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    body = data[10 + struct.unpack("<H", data[8:10])[0] :]
    return (
        b"\x93NUMPY"
        + bytes([random.choice([1, 1, 1, 2, 9]), 0])
        + struct.pack("<H", len(header))
        + header
        + body
    )


def _safetensors(data: bytes, random: Random) -> bytes:
    """Another header, or another of the documents that djgraph keeps in it."""
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    notes = header.get("__metadata__", {})
    inner = [key for key in ("tree", "layout") if key in notes]
    if inner and random.random() < 0.6:
        key = random.choice(inner)
        notes[key] = json.dumps(damage_data(json.loads(notes[key]), random))
    else:
        header = damage_data(header, random)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", random.choice([len(text)] * 8 + [0, 2**62])) + text + data[8 + size :]


def _chunk(data: bytes, random: Random) -> bytes:
    """A wrong size in the header of some chunk."""
    file = io.BytesIO(data)
    order = "<" if data[:4] == b"RIFF" else ">"
    places, place = [4], 12
    while place + 8 <= len(data):
        places.append(place + 4)
        place += 8 + struct.unpack(order + "I", data[place + 4 : place + 8])[0]
    file.seek(random.choice(places))
    file.write(struct.pack(order + "I", random.choice([0, 1, 7, 2**31, 2**32 - 1, random.randrange(5000)])))
    return file.getvalue()
