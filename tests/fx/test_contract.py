"""All built-in effects: registration, and the conformance kit with default and with other settings."""

import djgraph_fx
import pluggy
import pytest
from djgraph_fx import (
    Balance,
    Compressor,
    DeEsser,
    Delay,
    Ducker,
    Eq3,
    Expander,
    Filter,
    FilterKnob,
    Gain,
    Gate,
    Highpass,
    Leveler,
    Limiter,
    Lowpass,
    Mono,
    Pan,
    Polarity,
    Pump,
    Reverb,
    Saturate,
    Trans,
    Transient,
    Tremolo,
    Trim,
    Width,
)

from djgraph.effects.checks import parametrize_with_checks
from djgraph.plugins import hookspecs

EFFECTS = [
    *(Gain, Eq3, Lowpass, Highpass, Reverb, Delay),
    *(Filter, FilterKnob, Compressor),
    *(Trim, Polarity, Balance, Pan, Width, Mono),
    *(Tremolo, Trans, Saturate),
    *(Limiter, Gate, Expander, Ducker, DeEsser, Transient, Leveler),
    Pump,
]


def test_the_public_hook_hands_over_all():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(djgraph_fx)
    (given,) = manager.hook.djgraph_effects()
    assert list(given) == EFFECTS


@pytest.mark.parametrize("effect", EFFECTS)
def test_defaults_are_neutral(effect):
    assert all(control.default == control.neutral for control in effect.controls)


@pytest.mark.parametrize("effect", EFFECTS)
def test_everything_is_described(effect):
    assert effect.description
    assert all(control.description for control in effect.controls)
    assert all(field.description for field in effect.Settings.model_fields.values())


@parametrize_with_checks(
    [
        *(effect for effect in EFFECTS if effect is not Reverb),
        (Reverb, Reverb.Settings(decay_time=0.1)),
        (Tremolo, Tremolo.Settings(sync="beats", spread=0.5)),
    ],
    expected_failures={
        Pan: {"check_gradients": "a kink at the centre, which finite differences of one sample step across"}
    },
)
def test_contract(check):
    check()


@pytest.mark.slow
@parametrize_with_checks(
    [
        (Eq3, Eq3.Settings(low=150, high=9000, order=12)),
        (Lowpass, Lowpass.Settings(order=12)),
        (Highpass, Highpass.Settings(order=1)),
        (Reverb, Reverb.Settings(decay_time=0.03, damping=0, pre_delay=0, seed=3)),
        (Delay, Delay.Settings(time=1, max_feedback=0)),
        *((Filter, Filter.Settings(kind=kind)) for kind in ("highpass", "bandpass", "notch")),
        (FilterKnob, FilterKnob.Settings(lowest=300, highest=3000)),
        (Compressor, Compressor.Settings(detector="rms")),
        (Compressor, Compressor.Settings(linked=False)),
        (Limiter, Limiter.Settings(true_peak=True)),
        (Limiter, Limiter.Settings(lookahead=0, linked=False)),
        (Tremolo, Tremolo.Settings(shape="triangle", spread=1)),
        (Trans, Trans.Settings(edge=50)),
        (Saturate, Saturate.Settings(kind="cubic")),
        (Saturate, Saturate.Settings(kind="hard")),
    ]
)
def test_contract_with_other_settings(check):
    check()
