"""Every effect keeps djgraph's contract, but for what the statement below says."""

from __future__ import annotations

import pedalboard
from djgraph_pedalboard import EFFECTS
from djgraph_pedalboard.builtin import BUILT_IN, BrickwallLimiter, LadderFilter, Resample

from djgraph.effects.checks import parametrize_with_checks
from djgraph.plugins import Registry

WAITS = {"check_host_synchronisation": "plugins run on the CPU, on arrays of NumPy"}


@parametrize_with_checks(
    [
        *EFFECTS,
        (BrickwallLimiter, {"true_peak": True, "block": 64}),
        (Resample, {"target_sample_rate": 11025.0, "quality": "Linear"}),
    ],
    expected_failures={effect: WAITS for effect in EFFECTS},
)
def test_contract(check):
    check()


def test_hooks():
    import djgraph_pedalboard

    registry = Registry()
    registry.register(djgraph_pedalboard)
    for effect in EFFECTS:
        assert registry.effect(effect.type) is effect


NOT_HERE = {"Convolution", "GSMFullRateCompressor", "MP3Compressor", "PitchShift"}
"""Of the README's list."""
NO_EFFECTS = {"AudioUnitPlugin", "Chain", "ExternalPlugin", "IIRFilter", "Mix", "Pedalboard", "Plugin",
              "PluginContainer", "VST3Plugin"}  # fmt: skip


def test_every_effect_of_pedalboards_is_here_or_said_not_to_be():
    classes = {
        value.__name__
        for value in vars(pedalboard).values()
        if isinstance(value, type) and issubclass(value, pedalboard.Plugin)
    }
    assert {effect.plugin for effect in BUILT_IN} == classes - NOT_HERE - NO_EFFECTS


def test_controls_and_defaults_are_pedalboards():
    for effect in BUILT_IN:
        plugin = getattr(pedalboard, effect.plugin)()
        own = {name for name in dir(type(plugin)) if isinstance(getattr(type(plugin), name), property)}
        own -= {"is_effect", "is_instrument"}
        controls = {control.id for control in effect.controls} - {"mix"}
        settings = set(effect.Settings.model_fields) & own
        assert own == controls | settings | (set(effect.fixed) & own), effect.type
        for control in effect.controls:
            if control.id not in ("mix", "mode"):
                assert abs(control.default - getattr(plugin, control.id)) < 1e-6, (effect.type, control.id)
        for name in settings - {"quality"}:
            assert effect.Settings.model_fields[name].default == getattr(plugin, name)
    assert LadderFilter.controls[1].names[0] == pedalboard.LadderFilter().mode.name.lower()
    assert pedalboard.Resample().quality.name == Resample.Settings().quality
