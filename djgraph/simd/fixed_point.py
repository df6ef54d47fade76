"""How positions are counted, with Numba and without: in whole samples and whole parts of one."""

from __future__ import annotations

FRACTION_BITS = 46
UNIT = 2.0**FRACTION_BITS
"""Parts of a sample that rates and positions are counted in."""
FASTEST = 2.0**20
"""A rate is held within ± this."""
