"""Which strip, bus, input and output is connected with which, and how a send branches off."""

from __future__ import annotations

import pickle
from typing import Any

from hypothesis import given
from runtime.documents import REGISTRY, documents, looped_documents

import djgraph
from djgraph.graph import EffectNode, Graph, InputNode
from djgraph.graph.links import links, tap_of


def load(mixer: list[dict[str, Any]], outputs: list[Any], inputs: tuple[str, ...] = ("mic",)) -> Graph:
    document = {
        "djgraph": 1,
        "name": "x",
        "inputs": [{"name": name} for name in inputs],
        "mixer": mixer,
        "outputs": outputs,
    }
    return djgraph.load(document, registry=REGISTRY)


def shown(graph: Graph) -> list[str]:
    return [
        f"{link.source} {link.kind} {link.target}" + (f" {link.node}.{link.port}" if link.port else "")
        for link in links(graph)
    ]


def test_strips_without_a_chain_are_links_of_their_own() -> None:
    graph = load(
        [
            {"strip": "c", "input": "b", "to": "master"},
            {"strip": "b", "input": "a", "chain": []},
            {"strip": "a", "input": "mic", "to": "master"},
            {"strip": "d", "input": "a", "chain": ["gain", {"effect": "duck", "inputs": {"key": "b"}}]},
            {"strip": "e", "input": "d@input", "chain": ["gain"]},
            {"bus": "master"},
        ],
        ["master", "b", {"name": "raw", "from": "mic"}],
    )
    assert shown(graph) == [
        "b input c",
        "a input b",
        "in:mic input a",
        "a input d",
        "b port d d.duck.key",
        "a input e",  # what d reads, before d
        "c to master",
        "a to master",
        "master output master",
        "b output b",
        "in:mic output raw",
    ]
    assert pickle.loads(pickle.dumps(graph)) == graph


def test_sends_say_where_they_branch_off() -> None:
    sends = [
        {"to": "after", "tap": "post"},
        {"to": "before", "tap": "pre"},
        {"to": "room.big", "tap": "eq3"},
        {"to": "record", "tap": "eq3", "level": 1},
        {"to": "dry", "tap": "split", "level": 0.5},
    ]
    chain = ["eq3", "split", "gain", {"effect": "gain", "id": "fader"}]
    buses = [{"bus": str(send["to"])} for send in sends]
    graph = load(
        [{"strip": "deck.one", "input": "mic", "chain": chain, "sends": sends}, *buses],
        ["after"],
    )
    (owner,) = [owner for owner in graph.owners if owner.name == "deck.one"]
    found = [link for link in links(graph) if link.kind == "send"]
    assert [(link.target, tap_of(graph, owner, link)) for link in found] == [
        ("after", "post"),
        ("before", "pre"),
        ("room.big", "eq3"),
        ("record", "eq3"),
        ("dry", "split"),
    ]
    assert [owner.name_of(node) for node in owner.nodes][4:] == [
        "send:after",
        "send:before",
        "send:room.big",
        "send:dry",
    ]
    assert owner.fader == "deck.one.fader"


@given(documents() | looped_documents())
def test_every_connection_between_owners_is_a_link(document: dict[str, Any]) -> None:
    graph = djgraph.load(document, registry=REGISTRY)
    found = links(graph)
    items = {item.get("strip") or item["bus"]: item for item in document["mixer"]}
    for name, item in items.items():
        out = sorted(link.target for link in found if link.source == name and link.kind in ("to", "send"))
        assert out == sorted([*item.get("to", []), *(send["to"] for send in item.get("sends", []))])
        ports = [node for node in item["chain"] if "inputs" in node]
        here = [link for link in found if link.target == name and link.kind == "port"]
        assert len(here) <= len(ports)
        assert sum(link.kind == "input" and link.target == name for link in found) == ("strip" in item)
    assert sum(link.kind == "output" for link in found) == len(document["outputs"])
    owned = [node for owner in graph.owners for node in owner.nodes]
    assert sorted(owned) == sorted(node.id for node in graph.nodes if not isinstance(node, InputNode))
    for owner in graph.owners:
        for node in owner.nodes:
            if isinstance(graph.by_id[node], EffectNode):
                assert node == f"{owner.name}.{owner.name_of(node)}"
