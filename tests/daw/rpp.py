"""A reader of REAPER projects for tests: blocks of lines of words."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

WORD = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`|\S+")


@dataclass
class Block:
    """``<TAG words`` … ``>``."""

    words: list[str]
    lines: list[list[str]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    items: list[list[str] | Block] = field(default_factory=list)
    """Lines and blocks in their order."""

    @property
    def tag(self) -> str:
        return self.words[0]

    def one(self, tag: str) -> list[str]:
        """The words behind the only line of a tag."""
        (line,) = [line for line in self.lines if line[0] == tag]
        return line[1:]

    def number(self, tag: str, place: int = 0) -> float:
        return float(self.one(tag)[place])

    def all(self, tag: str) -> list[Block]:
        return [block for block in self.blocks if block.tag == tag]

    def points(self) -> list[tuple[float, float, int]]:
        """Of an envelope: seconds, value, shape."""
        return [(float(line[1]), float(line[2]), int(line[3])) for line in self.lines if line[0] == "PT"]


def parse(text: str) -> Block:
    """The project's block."""
    root = Block([""])
    stack = [root]
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("<"):
            block = Block(_words(line[1:]))
            stack[-1].blocks.append(block)
            stack[-1].items.append(block)
            stack.append(block)
        elif line == ">":
            stack.pop()
        elif line.startswith("|"):
            stack[-1].lines.append(["|", line[1:]])
        else:
            words = _words(line)
            stack[-1].lines.append(words)
            stack[-1].items.append(words)
    assert stack == [root]
    (project,) = root.blocks
    return project


def _words(line: str) -> list[str]:
    return [word[1:-1] if word[0] in "\"'`" and len(word) > 1 else word for word in WORD.findall(line)]


def value_at(points: list[tuple[float, float, int]], second: float) -> float:
    """An envelope's value: straight in seconds, or held."""
    if second <= points[0][0]:
        return points[0][1]
    for (a, u, shape), (b, v, _) in itertools.pairwise(points):
        if a <= second < b:
            return u if shape == 1 else u + (v - u) * (second - a) / (b - a)
    return points[-1][1]


def beat_at(points: list[tuple[float, float, int]], second: float) -> float:
    """Beats since second 0 by a tempo envelope: the integral of its lines."""
    beats = 0.0
    for (a, u, shape), (b, v, _) in zip(points, [*points[1:], (float("inf"), points[-1][1], 1)]):
        span = min(b, second) - a
        if span <= 0:
            break
        end = u if shape == 1 else u + (v - u) * span / (b - a)
        beats += (u + end) / 2 * span / 60
    return beats


def source_second(item: Block, second: float) -> float:
    """The second of its file that an item plays at a second of the project."""
    at = second - item.number("POSITION")
    marks = [line[1:] for line in item.lines if line[0] == "SM"]
    if not marks:
        return item.number("SOFFS") + at * item.number("PLAYRATE")
    pairs = [(float(x), float(y)) for x, y in zip(marks[0][0::3], marks[0][1::3])]
    for (a, u), (b, v) in itertools.pairwise(pairs):
        if a <= at <= b:
            return u + (at - a) * (v - u) / (b - a)
    raise AssertionError(f"{at} is in no stretch")
