"""How loud each input is in the mix, band by band, for given controls: a graph without its audio.

Effects are asked for their gain in each band (:meth:`Effect.magnitude`), and with its phase where they turn any
(:meth:`Effect.frequency_response`); those without memory that do not tell it are tried whether they are one. What a
graph does beyond that (echoes, reverberation, anything with several ports) is left out here and measured through the
mixer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

from djgraph.controls.bank import ControlBank
from djgraph.effects import Block, Effect, TimeEffect
from djgraph.fitting.bands import Bands, environment_of
from djgraph.graph.ir import (
    EffectNode,
    FeedbackNode,
    Graph,
    InputNode,
    Point,
    SumNode,
    columns_of,
    leading_to,
    sources,
)
from djgraph.host.calls import EffectCall, build
from djgraph.layout import ParameterLayout

NUDGE = 1e-3
"""Step of a difference quotient, in units of a control's range."""

SPECTRAL = 1.5
"""Cost of a move of a control that works on parts of the spectrum, that of a gain being 1."""

Masks = dict[int, Tensor]


class Response:
    """Gains from every input node to one output.

    names: the input nodes, ``track_a.drums``, in order. turning: whether any effect turns phases. Each input is then
    two sources, itself and itself a quarter of a cycle ahead: a complex gain is one real number for each, and what is
    least squares in real gains stays so. sources: how many there are, inputs first, their quarter turns behind. reach:
    for each column the indices of the sources whose gain it changes; empty for a column that only this model does not
    know. groups: columns that share no input, which can be nudged at once. unknown: columns that drive an effect which
    is left out.
    """

    def __init__(self, graph: Graph, output: Point, bands: Bands) -> None:
        self.graph = graph
        self.output = output
        self.bands = bands
        self.layout = ParameterLayout(graph.columns)
        self._bank = ControlBank(graph)
        self._inputs = [node for node in graph.nodes if isinstance(node, InputNode)]
        self.names = [".".join(filter(None, (node.input, node.stem))) for node in self._inputs]
        environment = environment_of(bands)
        self._effects = {
            node.id: build(node, environment) for node in graph.nodes if isinstance(node, EffectNode)
        }
        self._widths = {
            node.id: width
            for node in graph.nodes
            if isinstance(node, EffectNode) and (width := self._width(node))
        }
        self._turning = {node for node in self._widths if self._turns(node)}
        self.turning = bool(self._turning)
        self.sources = len(self.names) * (2 if self.turning else 1)
        alike: dict[tuple[type[Effect], str], list[EffectNode]] = defaultdict(list)
        for node in graph.nodes:
            if isinstance(node, EffectNode) and node.id in self._widths:
                alike[node.effect, node.settings.model_dump_json()].append(node)
        self._alike = list(alike.values())
        self.reach, self.unknown = self._trace()
        self.groups = _colour(self.reach)

    def __call__(self, values: Tensor) -> Tensor:
        """Gains ``[points, sources, bands]`` for plain control values ``[points, controls]``."""
        rows = self._bank.rows(values.unsqueeze(0))
        gains = self._gains(rows)
        masks: dict[Point, Masks] = {}
        one = values.new_ones(1, 1)
        for index, source in enumerate(self._inputs):
            masks[Point(source.id)] = {index: one}
        for node in self.graph.nodes:
            if isinstance(node, SumNode):
                total: Masks = {}
                for point in node.sources:
                    for index, mask in masks[point].items():
                        total[index] = total[index] + mask if index in total else mask
                masks[Point(node.id)] = total
            elif isinstance(node, FeedbackNode):
                masks[Point(node.id)] = {}  # of a loop what is heard at once
            elif isinstance(node, EffectNode):
                for port in node.effect.outputs:
                    masks[Point(node.id, port.name)] = self._through(node, masks, gains)
        result = values.new_zeros(len(values), self.sources, len(self.bands))
        for index, mask in masks[self.output].items():
            if mask.is_complex():
                result[:, index], result[:, len(self.names) + index] = mask.real, mask.imag
            else:
                result[:, index] = mask
        return result

    def loudness(self, gains: Tensor) -> Tensor:
        """The magnitudes ``[…, inputs, bands]`` of gains ``[…, sources, bands]``."""
        return torch.hypot(*gains.chunk(2, dim=-2)) if self.turning else gains

    def slopes(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Gains at ``values`` and their derivatives ``[points, controls, sources, bands]`` per plain unit."""
        low, high = self.layout.minimum.to(values), self.layout.maximum.to(values)
        step = NUDGE * (high - low)
        nudged = [values]
        for group in self.groups:
            up, down = values.clone(), values.clone()
            up[:, group] = torch.minimum(values[:, group] + step[group], high[group])
            down[:, group] = torch.maximum(values[:, group] - step[group], low[group])
            nudged += [up, down]
        base, *moved = self(torch.cat(nudged)).split(len(values))
        result = values.new_zeros(len(values), len(self.layout), *base.shape[1:])
        for index, group in enumerate(self.groups):
            up, down = nudged[1 + 2 * index], nudged[2 + 2 * index]
            change = moved[2 * index] - moved[2 * index + 1]
            for column in group:
                reached = list(self.reach[column])
                width = (up[:, column] - down[:, column])[:, None, None]
                result[:, column, reached] = change[:, reached] / width
        return base, result

    def costs(self) -> Tensor:
        """What a move of each column costs against others that would do as well, ``[controls]``.

        1 for plain gains, SPECTRAL for what works on parts of the spectrum (and for what this model does not know): a
        stem that is gone was faded out, rather than filtered until nothing is left.
        """
        result = torch.full((len(self.layout),), SPECTRAL, dtype=torch.float64, device="cpu")
        for index, column in enumerate(self.graph.columns):
            if column.drives and all(self._widths.get(node) == 1 for node, _ in column.drives):
                result[index] = 1
        return result

    def _through(self, node: EffectNode, masks: Mapping[Point, Masks], gains: Mapping[str, Tensor]) -> Masks:
        if not node.sources:
            return {}
        before = masks[next(iter(node.sources.values()))]
        if node.id not in self._widths:
            return before
        gain = gains[node.id]
        return {index: mask * gain for index, mask in before.items()}

    def _gains(self, rows: Tensor) -> dict[str, Tensor]:
        """The gain of every modelled node, ``[points, bands]`` or ``[points, 1]``; equal effects in one call."""
        gains: dict[str, Tensor] = {}
        for nodes in self._alike:
            module, effect = self._effects[nodes[0].id], nodes[0].effect
            call = EffectCall(module, nodes)
            values = {}
            for control in effect.controls:
                row = rows[[self._bank.row(node, control) for node in nodes], 0]
                values[control.id] = row[:, :1] if control.rate == "clip" else row
            controls = {name: value.unsqueeze(-1) for name, value in values.items()}
            size = len(nodes), rows.shape[-1], len(self.bands)
            turning = nodes[0].id in self._turning
            gain = call.frequency_response(controls, *size) if turning else call.magnitude(controls, *size)
            if gain is None:
                ones = rows.new_ones(len(nodes), 1, rows.shape[-1])
                block = Block(0, rows.shape[-1], self.graph.sample_rate)
                controls = {name: value.unsqueeze(1) for name, value in values.items()}
                audio = {effect.inputs[0].name: ones}
                outputs, _ = call.process(audio, controls, {}, block, (len(nodes), 1, rows.shape[-1]))
                gain = next(iter(outputs.values()))[:, 0, :, None]
            gains |= {node.id: gain[index] for index, node in enumerate(nodes)}
        return gains

    def _width(self, node: EffectNode) -> int:
        """How many numbers the gain of an effect is: one, one for each band, or 0 where it is no gain."""
        module, effect = self._effects[node.id], node.effect
        if len(effect.inputs) != 1 or len(effect.outputs) != 1:
            return 0
        controls = {
            c.id: torch.full((1, 1, 1), c.default, dtype=torch.float64, device="cpu") for c in effect.controls
        }
        gain = EffectCall(module, (node,)).magnitude(controls, 1, 1, len(self.bands))
        return gain.shape[-1] if gain is not None else int(self._is_gain(node, controls))

    def _turns(self, node_id: str) -> bool:
        """Whether an effect tells the phase of its gain."""
        node = self.graph.by_id[node_id]
        assert isinstance(node, EffectNode)
        controls = {c.id: torch.full((1, 1, 1), c.default, device="cpu") for c in node.effect.controls}
        call = EffectCall(self._effects[node_id], (node,))
        return call.frequency_response(controls, 1, 1, len(self.bands)) is not None

    def _is_gain(self, node: EffectNode, controls: Mapping[str, Tensor]) -> bool:
        """Whether an effect without memory, tried on two signals, is the same gain for all values and channels."""
        module, effect = self._effects[node.id], node.effect
        if not isinstance(module, TimeEffect) or not module.memoryless or module.uses_clock:
            return False
        if any(control.rate == "frame" for control in effect.controls):
            return False
        if node.out_channels(effect.outputs[0].name) != node.channels:
            return False  # other channels come out
        probe = torch.linspace(-1, 1, 16, dtype=torch.float64, device="cpu").expand(1, node.channels, -1)
        held = {name: value.expand(1, 1, 16) for name, value in controls.items()}
        block = Block(0, 16, self.graph.sample_rate)
        call, name, size = EffectCall(module, (node,)), effect.inputs[0].name, (1, node.channels, 16)
        out, ones = (
            next(iter(call.process({name: audio}, held, {}, block, size)[0].values()))
            for audio in (probe, torch.ones_like(probe))
        )
        return torch.allclose(out, probe * ones[:, :1, :1]) and torch.allclose(ones, ones[:, :1, :1])

    def _late(self) -> set[str]:
        """The ids of nodes that are heard after a round in a loop only, of which this model takes no note."""
        now, left = {self.output.node}, [self.output.node]
        while left:
            before = {point.node for _, point in sources(self.graph.by_id[left.pop()])} - now
            now |= before
            left += before
        return leading_to(self.graph, [self.output.node]) - now

    def _trace(self) -> tuple[list[tuple[int, ...]], list[int]]:
        """For each column the sources it acts on in this model, and the columns that drive what is left out."""
        upstream: dict[Point, set[int]] = {Point(n.id): {i} for i, n in enumerate(self._inputs)}
        columns = {column.name: index for index, column in enumerate(self.graph.columns)}
        reach: list[set[int]] = [set() for _ in columns]
        unknown: set[int] = set()
        late = self._late()
        for node in self.graph.nodes:
            if isinstance(node, SumNode):
                upstream[Point(node.id)] = set().union(*(upstream[p] for p in node.sources))
            elif isinstance(node, FeedbackNode):
                upstream[Point(node.id)] = set()
            elif isinstance(node, EffectNode):
                sources = list(node.sources.values())
                before = upstream[sources[0]] if sources else set()
                for port in node.effect.outputs:
                    upstream[Point(node.id, port.name)] = before
                for binding in node.bindings.values():
                    for name in columns_of(binding):
                        column = columns[name]
                        if node.id in self._widths and node.id not in late:
                            reach[column] |= before
                        else:
                            unknown.add(column)
        heard = upstream[self.output]
        inputs = [sorted(r & heard) for r in reach]
        turns = (0, len(self.names)) if self.turning else (0,)
        return [tuple(i + turn for turn in turns for i in one) for one in inputs], sorted(unknown)


def _colour(reach: list[tuple[int, ...]]) -> list[list[int]]:
    """Columns in groups whose members reach no input in common."""
    groups: list[tuple[list[int], set[int]]] = []
    for column, inputs in enumerate(reach):
        if not inputs:
            continue
        for members, taken in groups:
            if not taken & set(inputs):
                members.append(column)
                taken |= set(inputs)
                break
        else:
            groups.append(([column], set(inputs)))
    return [members for members, _ in groups]
