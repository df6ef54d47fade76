"""What expansion makes of a document: pieces without references, each with the place where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from djgraph.language.fields import Element
from djgraph.language.model import Bus, Header, Macro, Strip
from djgraph.language.parts import ChainSwitch, GraphUse, Node
from djgraph.language.site import Site
from djgraph.language.switches import Switch

_Model = TypeVar("_Model", bound=Element)


@dataclass(frozen=True)
class Placed(Generic[_Model]):
    """A piece without references, and where it stands."""

    model: _Model
    site: Site


@dataclass(frozen=True)
class PlacedSwitch:
    """A switch among chains: ``model.choices`` says their names, and ``chains`` has them put in place, in order."""

    model: ChainSwitch
    site: Site
    chains: tuple[PlacedChain, ...]


PlacedChain = tuple["Placed[Node] | PlacedSwitch", ...]


@dataclass(frozen=True)
class PlacedOwner:
    """A strip or bus. ``chain`` is ``model.chain`` with templates and references put in place."""

    model: Strip | Bus
    site: Site
    chain: PlacedChain

    @cached_property
    def name(self) -> str:
        return self.site.space + self.own_name

    @property
    def own_name(self) -> str:
        """Its name as its own document has it."""
        return self.model.strip if isinstance(self.model, Strip) else self.model.bus

    @property
    def kind(self) -> str:
        return "strip" if isinstance(self.model, Strip) else "bus"


PlacedItem = PlacedOwner | Placed[Macro | Switch]


@dataclass(frozen=True)
class PlacedGraph:
    """A graph that is a part of another one.

    model, site: how it is used, and where. header: what stands above its own mixer.
    """

    model: GraphUse
    site: Site
    header: Placed[Header]

    @property
    def name(self) -> str:
        return self.site.space + self.model.as_


@dataclass(frozen=True)
class Expanded:
    """A document after expansion: what stands above the mixer, and the mixer's items in document order.

    parts: the graphs that are parts of it, each before those that are parts of it in turn.
    """

    header: Placed[Header]
    items: tuple[PlacedItem, ...]
    parts: tuple[PlacedGraph, ...] = ()
