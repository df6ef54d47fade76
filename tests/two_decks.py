"""The smallest mixer that transitions can be played on: two tracks of two stems, a gain each."""

from __future__ import annotations

from typing import Any

RATE = 8000
GAIN = {"effect": "gain", "controls": {"gain": {"as": "gain"}}}
GRAPH: dict[str, Any] = {
    "djgraph": 1,
    "name": "two_decks",
    "sample_rate": RATE,
    "inputs": [{"name": name, "stems": ["drums", "bass"]} for name in ("left", "right")],
    "mixer": [
        {
            "for": {"track": "inputs"},
            "do": [
                {
                    "for": {"stem": "$track.stems"},
                    "do": [
                        {"strip": "$track.$stem", "input": "$track.$stem", "chain": [GAIN], "to": "master"}
                    ],
                }
            ],
        },
        {"bus": "master"},
    ],
    "outputs": ["master"],
}
