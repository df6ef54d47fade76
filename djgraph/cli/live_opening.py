"""What ``djgraph live`` plays, and on which card."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from djgraph.cli.options import load_graph
from djgraph.cli.progress import Steps
from djgraph.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from djgraph.live import Card
    from djgraph.live.capture import Capture, Key
    from djgraph.studio.opening import Opened
    from djgraph.studio.project import Origin


def open_live(
    origin: Origin, places: dict[str, tuple[int, ...]], block: int, ahead: int
) -> tuple[Opened, Capture | None]:
    """What is played, and the ring of what comes in at the card, if anything does."""
    from djgraph.live.capture import ENDLESS, Capture, CardFeed
    from djgraph.playing import Completed, FeedBlocks, MemoryFeed
    from djgraph.rendering.files import channels_of
    from djgraph.studio.opening import Opened, open_origin

    if not places:
        with Steps() as steps:
            steps.begin("opening")
            return open_origin(origin, steps=steps), None
    graph = load_graph(origin.graph, [f"{name}={value}" for name, value in origin.args.items()])
    widths = channels_of(graph)
    signals = {".".join(filter(None, key)): key for key in widths if key[0] not in graph.sources}
    keys: dict[Key, tuple[int, ...]] = {}
    for name, channels in places.items():
        if name not in signals:
            allowed = ", ".join(signals) or "none"
            raise InputError(
                f"{name} is no signal that a card can give{did_you_mean(name, signals)}; those are {allowed}"
            )
        wanted = widths[signals[name]]
        if wanted is not None and wanted != len(channels):
            raise InputError(
                f"{name} has {wanted} channels, and {len(channels)} of the card are given for it"
            )
        keys[signals[name]] = channels
    capture = Capture(max(map(max, places.values())) + 1, block, ahead)
    if origin.inputs or origin.set:
        with Steps() as steps:
            opened = open_origin(origin, steps=steps)
    else:
        silence = Completed(MemoryFeed({}), graph, ENDLESS * graph.sample_rate)
        opened = Opened(origin, graph, silence, lambda: FeedBlocks(silence))
    return replace(opened, feed=CardFeed(opened.feed, capture, keys)), capture


def open_card(device: str | None, rate: int, block: int, outputs: int, inputs: int) -> Card:
    """The sound card of a name or number, the system's own, or ``none``. inputs: how many of its channels. Raises
    DeviceError as :class:`djgraph.live.SoundDeviceCard` does."""
    from djgraph.live import FakeCard, SoundDeviceCard

    if device == "none":
        import numpy as np

        return FakeCard(rate, block, outputs, np.zeros((block, inputs), np.float32) if inputs else None)
    return SoundDeviceCard(device, rate, block, outputs, inputs)


def channels(text: str, option: str) -> tuple[int, ...]:
    """``1,2`` → (0, 1). option: what it was given to."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() and 1 <= int(part) <= 256 for part in parts):
        raise typer.BadParameter(f"{text!r} names no channels; expected 1,2", param_hint=option)
    return tuple(int(part) - 1 for part in parts)


def region_of(loop: str | None, samples: int, rate: int) -> tuple[int, int] | None:
    """The samples of ``all``, or ``8:16`` in seconds."""
    if loop is None:
        return None
    if loop == "all":
        return 0, samples
    begin, _, end = loop.partition(":")
    try:
        region = round(float(begin) * rate), round(float(end) * rate)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{loop!r} is no loop; expected all or 8:16, in seconds") from None
    if not 0 <= region[0] < region[1] <= samples:
        raise typer.BadParameter(f"the loop {loop} does not lie in what is played, {samples / rate:.1f} s")
    return region
