"""How big a graph file, and what it expands to, may be; each limit is named in the error that it causes."""

from __future__ import annotations

from dataclasses import dataclass

FILE_BYTES = 1_000_000
"""Size of a graph file."""

VALUES = 100_000
"""Values in a document after YAML aliases are expanded: scalars, lists and mappings, keys not counted."""

DEPTH = 64
"""How deep lists and mappings, and likewise templates and repeats, may lie in one another."""

NUMBER_DIGITS = 40
"""Characters of one number."""

LOOP = 60_000
LOOP_BEATS = 64
"""Longest delay of a loop, in ms."""
NAME = 200
"""Characters of one name of a strip, bus, node, input, output, macro, argument or template."""

TEXT = 10_000
"""Characters of one text after its references are replaced."""

REPEATS = 10_000
"""Values of one ``for``."""

CHOICES = 64
"""Choices of one switch."""

SOLOS = 128
"""Strips and buses that solo in one group: each reads the columns of all."""

GRAPHS = 64
"""Different graphs that one graph is put together of."""

STEPS = 1_000_000
"""Values that expansion makes in all: repeats, uses of templates, and what they put in place."""

NODES = 10_000
"""Nodes, strips, buses, sends and macros after expansion."""

COLUMNS = 20_000
"""Columns of the layout."""

PROBLEMS = 100
"""Problems that one error tells; it counts the rest."""


@dataclass(frozen=True)
class Kind:
    """What a file is supposed to be: the words for it in messages, and how big it may be."""

    noun: str
    beginning: str
    """What such a file begins with."""
    suffixes: tuple[str, ...] = (".yaml", ".yml", ".json")
    scale: int = 1
    """How many times larger than a graph it may be."""

    @property
    def file_bytes(self) -> int:
        return self.scale * FILE_BYTES

    @property
    def values(self) -> int:
        return self.scale * VALUES

    @property
    def one(self) -> str:
        """The noun with its article."""
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"


GRAPH = Kind("graph", "djgraph: 1")


def readable(count: int) -> str:
    """1000000 → "1 000 000"."""
    return f"{count:,}".replace(",", " ")
