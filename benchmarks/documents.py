"""The graphs that are measured besides the shipped ones, as documents."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML

import djgraph

STRIPS_PER_SUBMIX = 6


def wide_mixer(tracks: int, stems: int) -> dict[str, Any]:
    """The shipped DJ mixer with another number of tracks and stems, otherwise word for word."""
    document: dict[str, Any] = YAML(typ="safe").load(djgraph.registry().graphs["dj_mixer"].path)
    names = [f"stem_{index + 1}" for index in range(stems)]
    document["name"] = "wide_mixer"
    document["inputs"] = [{"name": f"track_{index + 1}", "stems": names} for index in range(tracks)]
    return document


def console(strips: int = 24) -> dict[str, Any]:
    """A mixing console: strips of EQ, filter and gain, submixes of six, two returns, a master chain.

    With 24 strips it has 100 effects: 24 × 3 in strips, 4 × 5 in submixes (EQ, filter, gain, two sends), 2 × 2 in
    returns (reverb and echo, each with a level), 4 in the master chain.
    """
    submixes = -(-strips // STRIPS_PER_SUBMIX)
    channel = ["eq3", "lowpass", {"effect": "gain", "id": "fader"}]
    mixer: list[dict[str, Any]] = [
        {
            "strip": f"strip_{index + 1}",
            "input": f"desk.in_{index + 1}",
            "chain": channel,
            "to": f"submix_{index // STRIPS_PER_SUBMIX + 1}",
        }
        for index in range(strips)
    ]
    for index in range(submixes):
        mixer.append(
            {
                "bus": f"submix_{index + 1}",
                "chain": channel,
                "sends": [{"to": "room"}, {"to": "echo"}],
                "to": "master",
            }
        )
    for name, effect in (("room", "reverb"), ("echo", "delay")):
        returned = {"effect": effect, "controls": {"mix": 1}}
        mixer.append({"bus": name, "chain": [returned, {"effect": "gain", "id": "level"}], "to": "master"})
    mixer.append(
        {"bus": "master", "chain": ["eq3", "lowpass", "highpass", {"effect": "gain", "id": "fader"}]}
    )
    return {
        "djgraph": 1,
        "name": "console",
        "inputs": [{"name": "desk", "stems": [f"in_{index + 1}" for index in range(strips)]}],
        "mixer": mixer,
        "outputs": ["master"],
    }


def console_of(nodes: int) -> dict[str, Any]:
    """A console with about that many effects."""
    # Six strips of three and a submix of five are 23; returns and master are eight.
    return console(max(1, round((nodes - 8) * STRIPS_PER_SUBMIX / 23)))
