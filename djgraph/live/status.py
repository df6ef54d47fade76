"""What a person who plays wants to see, a line that is written over: place, load, late blocks, levels."""

from __future__ import annotations

import math
from typing import Any

from djgraph.live.engine import Engine


class Status:
    """Of an engine, as numbers and as a line."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def numbers(self) -> dict[str, Any]:
        """playing, seconds, load (a block's time as a share of its length: the median, and what 99 of 100 keep within),
        late (blocks that were not ready), faults (as the card tells), peak_dbfs of what goes to the card since this was
        last asked, momentary and integrated LUFS, true peak in dBTP."""
        engine, player = self._engine, self._engine.player
        median, most = player.load
        momentary, integrated, true_peak = player.loudness
        peak, engine.peak = engine.peak, 0.0
        return {
            "playing": player.transport.playing,
            "seconds": player.transport.position / engine.card.rate,
            "load": median,
            "load_99": most,
            "late": engine.late,
            "faults": engine.card.faults,
            "peak_dbfs": 20 * math.log10(peak) if peak > 0 else None,
            "momentary_lufs": momentary,
            "lufs": integrated,
            "true_peak_dbtp": true_peak,
        }


def line(now: dict[str, Any]) -> str:
    """The numbers in one line."""
    minutes, seconds = divmod(now["seconds"], 60)
    parts = [
        f"{'▶' if now['playing'] else '■'} {int(minutes):02d}:{seconds:04.1f}",
        f"load {now['load']:.0%}, 99 of 100 blocks {now['load_99']:.0%}",
        f"late {now['late']}" + (f", card {now['faults']}" if now["faults"] else ""),
    ]
    if now["peak_dbfs"] is not None:
        parts.append(f"peak {now['peak_dbfs']:+.1f} dBFS")
    if now["momentary_lufs"] is not None:
        parts.append(f"{now['momentary_lufs']:.1f} LUFS")
    return "   ".join(parts)
