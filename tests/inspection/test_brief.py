"""Plans in brief name every operation and output, and count every node."""

from __future__ import annotations

import re

import pytest

import djgraph
from djgraph.compiler.plan import Load, Process, Region
from djgraph.graph import EffectNode
from djgraph.inspection.brief import brief


@pytest.mark.parametrize("name", ["dj_mixer", "dub_desk", "mastering", "djtransgan"])
@pytest.mark.parametrize("stream", [False, True])
def test_every_node_is_counted(name: str, stream: bool) -> None:
    mixer = djgraph.compile(name)
    for stage in mixer.stages(stream=stream):
        text = brief(stage.plan)
        assert text.splitlines()[0] == str(stage.plan).splitlines()[0]
        effects = {node.effect.type for node in mixer.graph.nodes if isinstance(node, EffectNode)}
        counted = 0
        for line in text.splitlines()[1:]:
            several = re.match(r" +(\w+)(?:{.*})? × (\d+): ", line)
            one = re.match(r" +\S+ = (\w+)(?:{.*})?(?:  \(latency \d+\))?$", line)
            if several and several[1] in effects:
                counted += int(several[2])
            elif one and one[1] in effects:
                counted += 1
        assert counted == sum(isinstance(node, EffectNode) for node in mixer.graph.nodes)
        for output, value in stage.plan.outputs.items():
            assert f"  {output} = {value}" in text


def test_equal_nodes_share_a_line() -> None:
    plan = djgraph.compile("dj_mixer").plan
    text = brief(plan)
    names = ", ".join(f"in:track_a.{stem}" for stem in ("drums", "bass", "vocals", "other"))
    assert f"  input × 8: {names}, 4 more" in text
    assert "  reverb × 2: track_a.reverb, track_b.reverb\n" in text
    assert "free" not in text
    assert "@" not in text
    assert {type(op) for op in plan.ops} >= {Load, Process, Region}
    assert len(text.splitlines()) < 20 < len(str(plan).splitlines())


def test_a_stream_tells_latencies() -> None:
    mixer = djgraph.compile("filter_knob")
    text = mixer.explain(stream=True, verbose=False)
    assert text.endswith("latency of the stream: 2047 samples, 46.4 ms at 44100 Hz")
    assert "(latency 2047)" in text
    assert "\nestimate for" in mixer.explain(verbose=False)
