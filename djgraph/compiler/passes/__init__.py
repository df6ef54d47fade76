"""The passes, in the order in which they run. Each is Plan in → Plan out, and can be switched off by name."""

from djgraph.compiler.passes import drop, fold, free, fuse, group, share
from djgraph.compiler.passes.base import Pass

PIPELINE: tuple[Pass, ...] = (
    Pass("fold", "effects whose controls are all constant and neutral vanish; sums of one vanish", fold.run),
    Pass("share", "equal work on equal values is done once: one transform for each source", share.run),
    Pass("drop", "what reaches no output is not computed", drop.run),
    Pass(
        "fuse", "connected spectral work becomes one region, with the memoryless effects before it", fuse.run
    ),
    Pass("group", "calls of one kind run together, scheduled for the fewest calls", group.run),
    Pass("free", "values are freed after their last use", free.run),
)

__all__ = ["PIPELINE", "Pass"]
