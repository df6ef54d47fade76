"""The smallest graph that holds an effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from djgraph.effects import Effect

NODE = "fx"
"""What the effect is called there: its columns are ``track.fx.…``."""


def graph(
    effect: type[Effect], settings: Mapping[str, Any] | None = None, stems: bool = False
) -> dict[str, Any]:
    """A document: one stereo input through the effect, or played by it, to the output.

    Ports that have to be connected hear an input ``other``; each further output of the effect is an output of the
    graph; an effect that makes sound of its own is added to an input ``beside``.
    """
    node: dict[str, Any] = {"effect": effect.type, "id": NODE}
    if settings:
        node["settings"] = dict(settings)
    inputs: list[dict[str, Any]] = [{"name": "track"}]
    if effect.domain == "source":
        inputs[0]["source"] = {key: value for key, value in node.items() if key != "id"}
        strip: dict[str, Any] = {"strip": "track", "input": "track", "to": "master"}
    else:
        strip = {"strip": "track", "input": "track", "chain": [node], "to": "master"}
        if not effect.inputs:
            inputs[0]["name"] = "beside"
            del strip["input"]
        further = [port.name for port in effect.inputs[1:] if port.default is None]
        if further:
            inputs.append({"name": "other"})
            node["inputs"] = {name: "other" for name in further}
    items: list[dict[str, Any]] = [strip]
    if not effect.inputs and effect.domain != "source":  # a mix is as long as what goes in
        items.append({"strip": "beside", "input": "beside", "to": "master"})
    outputs = ["master"]
    for port in effect.outputs[1:]:
        items.append({"bus": f"{port.name}_out", "to": []})
        items.append({"strip": port.name, "input": f"track@{NODE}.{port.name}", "to": f"{port.name}_out"})
        outputs.append(f"{port.name}_out")
    items.append({"bus": "master"})
    return {"djgraph": 1, "name": effect.type, "inputs": inputs, "mixer": items, "outputs": outputs}
