"""What is played: the audio of every input of a graph, any part of it at any time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import torch
from torch import Tensor

from djgraph.graph import Graph, InputNode

Nested = dict[str, Any]
"""``[channels, samples]`` by input, or by input and stem."""
CHUNK = 1 << 15
"""Samples that are read at a time."""
KEPT = 8
"""Chunks that are kept: a loop of some seconds is read once."""


class Feed(Protocol):
    """The inputs of a graph. samples: how long they are. material: what plays the inputs that have a source.

    A feed may also have ``now``, a function of a number of samples: the next ones of inputs that come in as they are
    played, wherever in the clip that is.
    """

    @property
    def samples(self) -> int: ...

    @property
    def material(self) -> Mapping[str, Any]: ...

    def read(self, first: int, samples: int) -> Nested:
        """From sample ``first`` on, silence beyond the end; nothing where sources play every input."""


class MemoryFeed:
    """Signals in memory, ``[channels, samples]`` by input, or by input and stem. material: of inputs with a source.
    samples: how long the clip is; left out, as long as the longest signal."""

    def __init__(
        self, inputs: Mapping[str, Any], material: Mapping[str, Any] | None = None, samples: int | None = None
    ) -> None:
        self._inputs = inputs
        self.material: Mapping[str, Any] = material or {}
        longest = max((signal.shape[-1] for signal in signals_of(inputs)), default=0)
        self.samples = longest if samples is None else samples

    def read(self, first: int, samples: int) -> Nested:
        return mapped(self._inputs, lambda signal: _part(signal, first, samples))


class ReadAhead:
    """A feed whose next seconds are read by a thread of its own, before they are asked for. Close it when done."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._chunks: OrderedDict[int, Future[Nested]] = OrderedDict()
        self._reader = ThreadPoolExecutor(1, "djgraph feed")
        self._lock = threading.Lock()

    @property
    def samples(self) -> int:
        return self.feed.samples

    @property
    def material(self) -> Mapping[str, Any]:
        return self.feed.material

    @property
    def now(self) -> Callable[[int], Nested] | None:
        return now_of(self.feed)

    def prepare(self, first: int) -> None:
        """Begin to read what lies there, without waiting for it."""
        self._chunk(first // CHUNK)

    def read(self, first: int, samples: int) -> Nested:
        """As of a feed; waits where the disk is slower than the music."""
        begin, end = first // CHUNK, (first + samples - 1) // CHUNK
        chunks = [self._chunk(index).result() for index in range(begin, max(begin, end) + 1)]
        self._chunk(end + 1)
        offset = first - begin * CHUNK
        if len(chunks) == 1:
            return mapped(chunks[0], lambda signal: signal[..., offset : offset + samples])
        return joined(chunks, offset, samples)

    def aside(self, first: int, samples: int) -> Nested:
        """As :meth:`read`, of what is not played: nothing of it is kept, and what is played comes first."""
        return self._reader.submit(self.feed.read, first, samples).result()

    def retire(self) -> None:
        """Another feed takes its place: nothing is read ahead any more, and who still asks reads for itself."""
        self._reader.shutdown(wait=False)

    def close(self) -> None:
        self._reader.shutdown(wait=True, cancel_futures=True)

    def _chunk(self, index: int) -> Future[Nested]:
        with self._lock:
            if index in self._chunks and not _failed(self._chunks[index]):
                self._chunks.move_to_end(index)
            else:
                self._chunks[index] = self._submitted(index * CHUNK)
                while len(self._chunks) > KEPT:
                    self._chunks.popitem(last=False)
            return self._chunks[index]

    def _submitted(self, first: int) -> Future[Nested]:
        try:
            return self._reader.submit(self.feed.read, first, CHUNK)
        except RuntimeError:  # retired
            read = Future[Nested]()
            read.set_result(self.feed.read(first, CHUNK))
            return read


def _failed(chunk: Future[Nested]) -> bool:
    """Whether it could not be read; it may be there the next time."""
    return chunk.done() and not chunk.cancelled() and chunk.exception() is not None


def now_of(feed: Feed) -> Callable[[int], Nested] | None:
    """What a feed has for inputs that come in as they are played, if anything."""
    now: Callable[[int], Nested] | None = getattr(feed, "now", None)
    return now


def merged(inputs: Nested, others: Nested) -> Nested:
    """Inputs with others in their place, stem by stem."""
    return inputs | {
        name: {**inputs.get(name, {}), **value} if isinstance(value, Mapping) else value
        for name, value in others.items()
    }


def mapped(inputs: Mapping[str, Any], change: Callable[[Tensor], Tensor]) -> Nested:
    """Every signal changed."""
    return {
        name: {stem: change(one) for stem, one in value.items()}
        if isinstance(value, Mapping)
        else change(value)
        for name, value in inputs.items()
    }


def for_inputs(graph: Graph, signal: Callable[[InputNode], Tensor]) -> Nested:
    """A signal for every input of a graph, or every stem of one, that material is read for: none where sources play."""
    made = Nested()
    for node in graph.nodes:
        if not isinstance(node, InputNode) or node.input in graph.sources:
            continue
        if node.stem is None:
            made[node.input] = signal(node)
        else:
            made.setdefault(node.input, {})[node.stem] = signal(node)
    return made


def signals_of(inputs: Mapping[str, Any]) -> list[Tensor]:
    """Every signal."""
    values = inputs.values()
    return [one for value in values for one in (value.values() if isinstance(value, Mapping) else (value,))]


def blended(other: Nested, inputs: Nested, at: int, begun: int, fade: int, comes: bool = False) -> Nested:
    """Inputs with another stretch of material faded out from sample ``at`` on, or in where it comes. begun: samples of
    the fade that have passed; fade: all of them."""
    return {
        name: {stem: faded(other[name][stem], one, at, begun, fade, comes) for stem, one in value.items()}
        if isinstance(value, Mapping)
        else faded(other[name], value, at, begun, fade, comes)
        for name, value in inputs.items()
    }


def faded(old: Tensor, signal: Tensor, at: int, begun: int, fade: int, comes: bool = False) -> Tensor:
    """The same of one signal ``[…, samples]``."""
    count = old.shape[-1]
    way = torch.arange(begun + 1, begun + count + 1, device=signal.device) / (fade + 1)
    share = way.to(signal.dtype) if comes else 1 - way.to(signal.dtype)
    here = signal[..., at : at + count]
    return torch.cat((signal[..., :at], here + share * (old - here), signal[..., at + count :]), -1)


def joined(chunks: list[Nested], offset: int, samples: int) -> Nested:
    """A part of chunks that lie one behind the other."""

    def join(*signals: Tensor) -> Tensor:
        return torch.cat(signals, -1)[..., offset : offset + samples]

    first = chunks[0]
    return {
        name: {stem: join(*(chunk[name][stem] for chunk in chunks)) for stem in value}
        if isinstance(value, Mapping)
        else join(*(chunk[name] for chunk in chunks))
        for name, value in first.items()
    }


def _part(signal: Tensor, first: int, samples: int) -> Tensor:
    total = signal.shape[-1]
    begin, end = (min(max(at, first), first + samples) for at in (0, total))
    return torch.nn.functional.pad(signal[..., begin:end], (begin - first, first + samples - end))
