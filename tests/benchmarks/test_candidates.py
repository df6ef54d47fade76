"""Candidates are measured with stems that are spread, and with copies."""

from __future__ import annotations

import pytest

from benchmarks import candidates


@pytest.mark.slow
def test_a_variant_is_measured() -> None:
    found = candidates.measure(candidates.VARIANTS[0], candidates=16, seconds=0.2, frames=3, of_stems=True)
    assert set(found) == {"forward", "region", "forward peak", "both", "region back", "both peak"}
    assert 0 < found["region back"] <= found["both"]
    assert 0 < found["region"] <= found["forward"]
