"""The graph while it is being built: nodes that know their place in the file but not yet all that they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import BaseModel

from djgraph.effects import Control, Effect
from djgraph.graph.ir import Binding, Point
from djgraph.graph.placed import PlacedOwner
from djgraph.language.model import Strip
from djgraph.language.parts import ChainSwitch, Override
from djgraph.language.site import Site
from djgraph.language.switches import RouteSwitch


@dataclass(eq=False)
class PlacedPoint:
    """A point that something reads, and the text that says so."""

    point: Point
    site: Site


@dataclass(eq=False)
class InputDraft:
    """One stem, or one input without stems."""

    id: str
    input: str
    stem: str | None
    channels: int
    optional: bool
    site: Site


@dataclass(eq=False)
class EffectDraft:
    """One use of an effect, or a send (which is one use of ``gain``).

    ``name`` is its id in the chain. ``effect`` and ``settings`` are None where they could not be resolved: a
    problem is noted then, and building goes on only to find more of them.
    """

    id: str
    owner: str
    name: str
    effect: type[Effect] | None
    settings: BaseModel | None
    overrides: Mapping[str, Override]
    site: Site
    is_send: bool = False
    is_route: bool = False
    """It is one way of a switch."""
    is_source: bool = False
    """It plays an input, which is its owner."""
    before: EffectDraft | SumDraft | None = None
    """What comes before it in its chain; None for the first."""
    controls: tuple[Control, ...] = ()
    """The declarations that overrides start from."""
    channels: int | None = None
    """What the file says of the first of a strip: how many channels its chain begins with."""
    ports: Mapping[str, str] = field(default_factory=dict)
    """What the file says of further input ports: port → point."""
    sources: dict[str, PlacedPoint] = field(default_factory=dict)
    bindings: dict[str, Binding] = field(default_factory=dict)

    @property
    def out(self) -> Point:
        """The first output port."""
        return Point(self.id, self.effect.outputs[0].name if self.effect else "out")

    def control_site(self, name: str) -> Site:
        """Where the override of a control stands; ``name`` as the file has it."""
        return self.site.below("level") if self.is_send else self.site.below("controls", name)


@dataclass(eq=False)
class SumDraft:
    """A bus's sum, or that of the chains of a switch, which has a ``name`` in its owner's chain and ``feeds``."""

    id: str
    site: Site
    sources: list[PlacedPoint] = field(default_factory=list)
    name: str = ""
    channels: int | None = None
    """How many the file says."""
    feeds: list[EffectDraft | SumDraft] = field(default_factory=list)

    @property
    def out(self) -> Point:
        return Point(self.id)


@dataclass(eq=False)
class FeedbackDraft:
    """The way back of a loop that a send closes; ``milliseconds`` long, 0 where the file says none.

    held: what delays it where the file says beats, an effect before it.
    """

    id: str
    milliseconds: float
    site: Site
    source: PlacedPoint | None = None
    held: EffectDraft | None = None

    @property
    def out(self) -> Point:
        return Point(self.id)


@dataclass(eq=False)
class SwitchDraft:
    """A switch where it chooses: a route for each of its positions, in order.

    name: of its own column, or of the switch elsewhere (``shared``) that it reads.
    """

    name: str
    shared: bool
    model: ChainSwitch | RouteSwitch
    site: Site
    routes: dict[str, EffectDraft] = field(default_factory=dict)


@dataclass(eq=False)
class OwnerDraft:
    """A strip or a bus.

    chain: in order; that of a switch is the chains of its choices, one behind the other, and then their sum.
    """

    placed: PlacedOwner
    chain: list[EffectDraft | SumDraft]
    sends: list[EffectDraft | None]
    """In the order of ``sends``; None where a send of level 1 needs no node."""
    sum: SumDraft | None
    switches: list[SwitchDraft]
    """In order: those of its chain, the one that says what it feeds, those of its sends."""
    mute: EffectDraft | None = None
    """The gain at the end of its chain that mute and solo close, where it has them."""
    way_out: SwitchDraft | None = None
    """The one that says what it feeds."""
    send_switches: dict[int, SwitchDraft] = field(default_factory=dict)
    """Those of sends, by the send's place."""
    feedback: dict[int, FeedbackDraft] = field(default_factory=dict)
    """The ways back of sends that close loops, by the send's place."""

    @property
    def name(self) -> str:
        return self.placed.name

    @property
    def site(self) -> Site:
        return self.placed.site

    @cached_property
    def nodes(self) -> dict[str, EffectDraft | SumDraft]:
        """The chain by node id."""
        return {
            node.name: node for node in self.chain if not (isinstance(node, EffectDraft) and node.is_route)
        }

    @property
    def effects(self) -> list[EffectDraft]:
        """The chain's effects in order, without the routes of switches."""
        return [node for node in self.chain if isinstance(node, EffectDraft) and not node.is_route]

    @property
    def routes(self) -> list[EffectDraft]:
        """Of the switches that are no part of the chain."""
        outside = [self.way_out, *self.send_switches.values()]
        return [route for switch in outside if switch is not None for route in switch.routes.values()]

    @property
    def generates(self) -> bool:
        """Whether this is a strip that reads nothing, so that its chain has to begin with a source of sound."""
        return isinstance(self.placed.model, Strip) and self.placed.model.input is None


NodeDraft = InputDraft | EffectDraft | SumDraft | FeedbackDraft
