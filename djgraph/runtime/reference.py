"""The meaning of a graph: an interpreter that runs it node by node, with no pass and no sharing of work.

A compiled mixer must equal it in output and gradients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from djgraph.compiler.causal import causal_in_loops
from djgraph.controls.bank import ControlBank
from djgraph.controls.reader import read_at, read_control
from djgraph.dsp import stft
from djgraph.dsp.curve import Timeline
from djgraph.dsp.placed import timeline_of
from djgraph.effects import Clock, Effect, SpectralEffect, TimeEffect
from djgraph.graph.ir import EffectNode, Graph, InputNode, Node, Point, SumNode
from djgraph.graph.loops import Loop, parts
from djgraph.host.build import as_module_dict, build_effects, process_clip
from djgraph.host.calls import EffectCall
from djgraph.layout import ParameterLayout
from djgraph.runtime.clock import make_clock
from djgraph.runtime.inputs import Inputs, input_names, prepare_audio, prepare_params, prepare_positions
from djgraph.runtime.outputs import check_finite, reads_values
from djgraph.runtime.sources import likeness, played, samples_of, silences


@dataclass
class Signal:
    """Audio, or a spectrum, or both: what is heard is ``time`` plus the inverse transform of ``spectrum``.

    A spectral effect's output stays a spectrum until something needs audio; sums add part by part. So a run of
    spectral effects and the sums between them has one transform at each end.
    """

    time: Tensor | None = None
    spectrum: Tensor | None = None


@dataclass
class _Clip:
    """What runs, and the signals so far."""

    audio: Mapping[str, Tensor]
    rows: Tensor
    timeline: Timeline
    clock: Clock | None
    signals: dict[Point, Signal]
    like: Tensor
    batch: int

    @property
    def samples(self) -> int:
        return self.timeline.samples


class Reference(nn.Module):
    """Runs a graph plainly; same arguments and results as :class:`djgraph.Mixer`."""

    @torch.inference_mode(False)
    def __init__(self, graph: Graph, effects: dict[str, Effect] | None = None) -> None:
        super().__init__()
        self.graph = graph
        self.layout = ParameterLayout(graph.columns)
        self._looped = causal_in_loops(graph)
        self._modules_by_node = effects or build_effects(self._looped)
        self.effects = as_module_dict(self._modules_by_node)
        self._bank = ControlBank(graph)

    def forward(
        self,
        inputs: Inputs,
        params: Tensor,
        *,
        return_intermediates: bool = False,
        tempo: float | Tensor | None = None,
        positions: Tensor | Sequence[int] | None = None,
        samples: int | None = None,
    ) -> Tensor | dict[str, Tensor] | tuple[Tensor | dict[str, Tensor], dict[str, Tensor]]:
        graph = self.graph
        audio, batch, length = prepare_audio(graph, inputs)
        like = next(iter(audio.values())) if audio else likeness(graph, inputs, params)
        samples = samples_of(samples, length)
        sources = played(graph, self._modules_by_node, self._bank, inputs, like)
        batch = max([batch, *(source.batch for source in sources)])
        check = reads_values(like.device)
        params = prepare_params(self.layout, params, like, batch, "clamp", check)
        batch = max(batch, params.shape[0])
        rows = self._bank.rows(params.expand(batch, -1, -1))
        placed = prepare_positions(positions, params, check)
        clock = make_clock(tempo, batch, samples, graph.sample_rate, like, placed)
        timeline = timeline_of(samples, params.shape[1], placed)
        for source in sources:
            audio |= source.play_clip(rows, timeline, clock, like)
        audio |= silences(graph, audio, like, samples)
        signals: dict[Point, Signal] = {}
        clip = _Clip(audio, rows, timeline, clock, signals, like, batch)
        for part in parts(self._looped):
            if isinstance(part, Loop):
                self._loop(part, clip)
            else:
                self._node(part, clip)
        # Copies, so that nobody's memory but the caller's is written to.
        outputs = {
            name: self._audio(signals[point], samples).clone() for name, point in graph.outputs.items()
        }
        if check:
            check_finite(outputs, audio, input_names(graph))
        result = outputs if len(outputs) > 1 else next(iter(outputs.values()))
        if not return_intermediates:
            return result
        return result, {
            name: self._audio(signals[point], samples).clone() for name, point in graph.taps.items()
        }

    def _loop(self, loop: Loop, clip: _Clip) -> None:
        """A loop again and again on the whole clip, with what came back the last time: each time the samples of one
        more block are right on one of the ways at least, until all are."""
        place = {node.id: index for index, node in enumerate(self._looped.nodes)}
        nodes = sorted(
            loop.nodes, key=lambda node: place[node.id]
        )  # only the ways back read what comes later
        for way in loop.ways:
            silence = clip.like.new_zeros(clip.batch, way.channels, clip.samples)
            clip.signals[Point(way.id)] = Signal(silence)
        count = -(-clip.samples // loop.block)
        if not all(way.samples for way in loop.ways):
            count = len(loop.ways) * (count + 1)
        for _ in range(count):
            for node in nodes:
                self._node(node, clip)
            for way in loop.ways:
                came = self._audio(clip.signals[way.source], clip.samples)
                late = pad(came, (way.samples, 0))[..., : clip.samples]
                clip.signals[Point(way.id)] = Signal(late)

    def _node(self, node: Node, clip: _Clip) -> None:
        signals, like, batch, samples = clip.signals, clip.like, clip.batch, clip.samples
        if isinstance(node, InputNode):
            signals[Point(node.id)] = Signal(clip.audio[node.id].expand(batch, -1, -1))
        elif isinstance(node, EffectNode):
            module = self._modules_by_node[node.id]
            if isinstance(module, SpectralEffect):
                spectrum = self._spectrum(signals[next(iter(node.sources.values()))])
                frames, bins = spectrum.shape[-2:]
                controls = self._frame_controls(node, clip.rows, clip.timeline)
                gain = EffectCall(module, (node,)).mask(controls, (batch, frames, bins)).unsqueeze(1)
                signals[Point(node.id, node.effect.outputs[0].name)] = Signal(None, spectrum * gain)
            elif isinstance(module, TimeEffect):
                widths = {
                    port.name: node.channels if port.channels is None else port.channels
                    for port in node.effect.inputs
                    if not port.apart
                }
                sources = {
                    port: _wide(self._audio(signals[point], samples), widths.get(port))
                    for port, point in node.sources.items()
                }
                results = process_clip(
                    EffectCall(module, (node,)),
                    sources,
                    self._controls(node, clip.rows, clip.timeline),
                    like,
                    (batch, node.channels, samples),
                    clip.clock,
                )
                for port, tensor in results.items():
                    signals[Point(node.id, port)] = Signal(tensor)
        elif isinstance(node, SumNode):
            added = [self._as_wide(signals[point], node.channels, samples) for point in node.sources]
            times = [part.time for part in added if part.time is not None]
            spectra = [part.spectrum for part in added if part.spectrum is not None]
            silence = like.new_zeros(batch, node.channels, samples)
            signals[Point(node.id)] = Signal(
                sum(times[1:], times[0]) if times else None if spectra else silence,
                sum(spectra[1:], spectra[0]) if spectra else None,
            )

    def _controls(self, node: EffectNode, rows: Tensor, timeline: Timeline) -> dict[str, Tensor]:
        """What a time effect reads, each control by itself: ``[batch, 1, points]``."""
        graph, values = self.graph, {}
        for control in node.effect.controls:
            number = self._bank.row(node, control)
            row, held = rows[number : number + 1], self._bank.held([number])
            span = 0, timeline.samples
            read = read_control(control, row, held, timeline, span, graph.sample_rate, graph.transform.hop)
            values[control.id] = read[0].unsqueeze(1)
        return values

    def _frame_controls(self, node: EffectNode, rows: Tensor, timeline: Timeline) -> dict[str, Tensor]:
        hop, frames = self.graph.transform.hop, self.graph.transform.frames(timeline.samples)
        positions = stft.frame_positions(timeline.samples, hop, 0, frames, rows.device)
        values = {}
        for control in node.effect.controls:
            number = self._bank.row(node, control)
            row, held = rows[number : number + 1], self._bank.held([number])
            read = row[..., :1] if control.rate == "clip" else read_at(row, held, timeline, positions)
            values[control.id] = read[0].unsqueeze(-1)
        return values

    def _as_wide(self, signal: Signal, channels: int, samples: int) -> Signal:
        """A mono signal on so many channels, out of the transform; any other one as it is."""
        part = signal.spectrum if signal.time is None else signal.time
        assert part is not None
        if part.shape[1] == channels:
            return signal
        return Signal(_wide(self._audio(signal, samples), channels))

    def _spectrum(self, signal: Signal) -> Tensor:
        """``[batch, channels, frames, bins]``."""
        if signal.time is None:
            assert signal.spectrum is not None
            return signal.spectrum
        size, hop = self.graph.transform.size, self.graph.transform.hop
        samples = signal.time.shape[-1]
        frames = self.graph.transform.frames(samples)
        padded_length = (frames - 1) * hop + size
        index = stft.reflect_index(
            torch.arange(padded_length, device=signal.time.device) - size // 2, samples
        )
        windowed = signal.time[..., index].unfold(-1, size, hop) * stft.window(size, signal.time)
        spectrum = torch.fft.rfft(windowed)
        return spectrum if signal.spectrum is None else spectrum + signal.spectrum

    def _audio(self, signal: Signal, samples: int) -> Tensor:
        if signal.spectrum is None:
            assert signal.time is not None
            return signal.time
        size, hop = self.graph.transform.size, self.graph.transform.hop
        batch, channels = signal.spectrum.shape[:2]
        flat = signal.spectrum.flatten(0, 1).transpose(-1, -2)
        window = torch.hann_window(size, dtype=flat.real.dtype, device=flat.device)
        audio = torch.istft(flat, size, hop, window=window, center=True, length=samples)
        audio = audio.view(batch, channels, samples)
        return audio if signal.time is None else signal.time + audio


def _wide(signal: Tensor, channels: int | None) -> Tensor:
    """A mono signal, ``[batch, 1, …]``, on so many channels; any other one as it is."""
    if channels is None or signal.shape[1] == channels:
        return signal
    return signal.expand(-1, channels, *signal.shape[2:])
