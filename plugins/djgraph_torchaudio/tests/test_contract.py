"""Every effect keeps djgraph's contract."""

from __future__ import annotations

from djgraph_torchaudio import EFFECTS
from djgraph_torchaudio.biquads import Band, Bandpass
from djgraph_torchaudio.emphasis import LFilter
from djgraph_torchaudio.shaping import MuLaw

from djgraph.effects.checks import parametrize_with_checks
from djgraph.plugins import Registry

THIRD_ORDER = {"b_coeffs": (0.2, 0.3, 0.1, 0.05), "a_coeffs": (2.0, -1.2, 0.5, -0.1)}


@parametrize_with_checks(
    [
        *EFFECTS,
        (Band, {"noise": True}),
        (Bandpass, {"const_skirt_gain": True}),
        (LFilter, THIRD_ORDER),
        (MuLaw, {"quantization_channels": 16}),
    ]
)
def test_contract(check):
    check()


def test_hooks():
    import djgraph_torchaudio

    registry = Registry()
    registry.register(djgraph_torchaudio)
    for effect in EFFECTS:
        assert registry.effect(effect.type) is effect
