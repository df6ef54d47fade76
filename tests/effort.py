"""How hard property tests try: a few examples in the daily loop, all of them before a merge."""

import os

FULL = os.environ.get("DJGRAPH_EXAMPLES") == "full"
"""Whether every example is tried; ``.ci/run`` says so."""
QUICK_SHARE = 0.2
QUICK_LEAST = 5


def examples(count: int) -> int:
    """``max_examples`` of a property test: ``count``, or a fifth of it (at least 5) in the quick profile."""
    return count if FULL else min(count, max(QUICK_LEAST, round(QUICK_SHARE * count)))
