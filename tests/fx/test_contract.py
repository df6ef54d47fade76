"""All built-in effects: registration, and the conformance kit with default and with other settings."""

import djgraph_fx
import pluggy
import pytest
from djgraph_fx import (
    Balance,
    Chorus,
    Compressor,
    Delay,
    DelaySamples,
    Echo,
    Eq3,
    Filter,
    FilterKnob,
    Flanger,
    Gain,
    Highpass,
    Lowpass,
    Mono,
    Multitap,
    Pan,
    Phaser,
    Polarity,
    Reverb,
    RingMod,
    Saturate,
    Trans,
    Tremolo,
    Trim,
    Vibrato,
    Width,
)

from djgraph.effects.checks import parametrize_with_checks
from djgraph.plugins import hookspecs

EFFECTS = [
    *(Gain, Eq3, Lowpass, Highpass, Reverb, Delay),
    *(Filter, FilterKnob, Compressor),
    *(Trim, Polarity, Balance, Pan, Width, Mono),
    *(Tremolo, Trans, Saturate),
    *(Vibrato, Chorus, Flanger, Phaser, RingMod, DelaySamples),
    *(Echo, Multitap),
]

ACROSS_SAMPLES = "delays of many samples step across samples, where the second derivative of the cubic jumps"


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
        (Flanger, Flanger.Settings(sync="beats", spread=0.5)),
        (DelaySamples, DelaySamples.Settings(samples=700)),
        (Multitap, Multitap.Settings(sync="beats", times=(0.25, 0.75), levels=(0.5, -0.5), longest=1)),
    ],
    expected_failures={
        Pan: {"check_gradients": "a kink at the centre, which finite differences of one sample step across"},
        Chorus: {"check_gradients": ACROSS_SAMPLES},
        Echo: {"check_gradients": ACROSS_SAMPLES},
    },
)
def test_contract(check):
    check()


@parametrize_with_checks([(Echo, Echo.Settings(sync="beats", mode="ping_pong", fade=5))])
def test_contract_of_an_echo_in_beats(check):
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
        (Tremolo, Tremolo.Settings(shape="triangle", spread=1)),
        (Trans, Trans.Settings(edge=50)),
        (Echo, Echo.Settings(change="tape")),
        (Vibrato, Vibrato.Settings(sync="beats", shape="triangle", spread=0.5)),
        (Chorus, Chorus.Settings(sync="beats", voices=1)),
        (Phaser, Phaser.Settings(sync="beats", stages=12, spread=0.5)),
        (Saturate, Saturate.Settings(kind="cubic")),
        (Saturate, Saturate.Settings(kind="hard")),
    ],
    expected_failures={
        Chorus: {"check_gradients": ACROSS_SAMPLES},
    },
)
def test_contract_with_other_settings(check):
    check()
