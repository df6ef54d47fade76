"""Source text of made-up plugins."""

from __future__ import annotations

GOOD = """
    from djgraph.effects import TimeEffect
    from djgraph.plugins import hookimpl

    class {cls}(TimeEffect):
        type = "{type}"

        def process(self, audio, controls, state, block):
            return {{"out": audio["in"]}}, state

    @hookimpl
    def djgraph_effects():
        return [{cls}]
"""


def good(type_name: str, cls: str = "Wire") -> str:
    """Source of a plugin with one working effect."""
    return GOOD.format(type=type_name, cls=cls)
