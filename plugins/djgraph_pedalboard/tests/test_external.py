"""Plugins of a folder, by a fake with Pedalboard's interface: catalogue, hostile paths, sound, steps, latency, kit."""

from __future__ import annotations

import json
import os
import pickle
import sys
import types

import numpy as np
import pytest
import torch
from djgraph_pedalboard import external, folder, scan
from djgraph_pedalboard.declaration import parameters_of
from fakes import FakePlugin
from runs import RATE, make, noise, resting, run

import djgraph
from djgraph.effects.checks import CheckInconclusive, CheckSkipped, effect_checks
from djgraph.errors import DJGraphError, EffectError, PluginError
from djgraph.plugins import Registry

LAG = 37


def told(path):
    parameters, left_out = parameters_of(FakePlugin())
    dumped = [one.model_dump(mode="json") for one in parameters]
    return [{"name": path.stem.title(), "parameters": dumped, "left_out": left_out}]


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """A folder with a file and a bundle, scanned; loading gives fakes."""
    inside = tmp_path / "plugins"
    (inside / "more" / "Bundle.vst3" / "Contents").mkdir(parents=True)
    (inside / "more" / "Bundle.vst3" / "Contents" / "inner.vst3").write_bytes(b"not looked into")
    (inside / "sweet.vst3").write_bytes(b"fake")
    (inside / "readme.txt").write_text("no plugin")
    monkeypatch.setenv(folder.VARIABLE, str(inside))
    monkeypatch.delenv(folder.CATALOGUE_VARIABLE, raising=False)
    monkeypatch.setattr(external, "load", lambda path, name: FakePlugin(LAG))
    monkeypatch.setattr(external, "_CLASSES", {})
    scan.scan(inside, lambda line: None, told)
    return inside


@pytest.fixture
def effect(plugins):
    return external.classes()["plugin_sweet"]


def graph(**settings):
    return {
        "djgraph": 1,
        "name": "external",
        "inputs": [{"name": "track"}],
        "mixer": [
            {
                "strip": "track",
                "input": "track",
                "chain": [{"effect": "plugin_sweet", "id": "sweet", "settings": settings}],
                "to": "master",
            },
            {"bus": "master"},
        ],
        "outputs": ["master"],
    }


def registered():
    registry = Registry()
    registry.register(external, name="pedalboard_external")
    return registry


def test_a_scan_finds_files_and_bundles(plugins):
    said = []
    path = scan.scan(plugins, said.append, told)
    assert path == plugins / folder.CATALOGUE
    assert said == ["  sweet.vst3: plugin_sweet, 5 controls", "  more/Bundle.vst3: plugin_bundle, 5 controls"]
    assert set(external.classes()) == {"plugin_sweet", "plugin_bundle"}


def test_without_a_folder_there_are_no_plugins(monkeypatch):
    monkeypatch.delenv(folder.VARIABLE, raising=False)
    monkeypatch.setattr(external, "_CLASSES", {})
    assert external.djgraph_effects() == []


def test_sounds_as_the_plugin_called_directly(effect):
    values = {"gain_db": 6.0, "cutoff_hz": 2000.0, "mode": 1.0}
    subject, sound = make(effect, {"block": 64}), noise(3000)
    plugin = FakePlugin(LAG)
    for parameter in effect.entry.parameters:
        plugin.parameters[parameter.name].raw_value = parameter.raw(
            values.get(parameter.id, parameter.default)
        )
    padded = np.pad(sound[0].numpy(), ((0, 0), (0, LAG)))
    expected = torch.from_numpy(plugin.process(padded, RATE, padded.shape[1])).clone()
    assert subject.latency() == 63 + LAG
    for cuts in ((), (1, 2, 100, 1001)):
        assert torch.equal(run(subject, sound, resting(subject, values, 1, 3000), cuts)[0], expected)


def test_the_formula_itself(effect):
    """Not the fake again: a gain of 6 dB, halved, at 0.1 dB."""
    subject, sound = make(effect, {"block": 64}), torch.ones(1, 1, 4000)
    got = run(subject, sound, resting(subject, {"gain_db": 6.0, "mode": 1.0}, 1, 4000))
    assert float(got[0, 0, -1]) == pytest.approx(0.5 * 10 ** (6 / 20), rel=0.01)


def test_every_call_has_one_length(effect, monkeypatch):
    made = []
    monkeypatch.setattr(external, "load", lambda path, name: made.append(FakePlugin(LAG)) or made[-1])
    subject = make(effect, {"block": 64})
    subject.latency()
    made.clear()
    run(subject, noise(1000), resting(subject, {}, 1, 1000), (1, 2, 3, 500, 777))
    (plugin,) = made
    assert set(plugin.sizes) == {0, 64}


def test_controls_step_block_by_block(effect):
    subject, sound = make(effect, {"block": 64}), torch.ones(1, 1, 640)
    controls = resting(subject, {}, 1, 640)
    controls["mode"] = (torch.arange(640) // 100 % 2).float()[None, None]
    got = run(subject, sound, controls)[0, 0]
    held = controls["mode"][0, 0, ::64].repeat_interleave(64)
    settled = slice(100, None)  # the lowpass at 20 kHz
    assert torch.allclose(got[settled], torch.where(held == 1, 0.5, 1.0)[settled], atol=1e-3)


def test_plugins_are_used_again(effect, monkeypatch):
    from djgraph_pedalboard import seats

    made = []
    monkeypatch.setattr(external, "load", lambda path, name: made.append(1) or FakePlugin(LAG))
    monkeypatch.setattr(seats, "MOST", 3)
    subject, sound = make(effect, {"block": 64}), noise(500)
    first = run(subject, sound, resting(subject, {"gain_db": 3.0}, 1, 500))
    for _ in range(6):
        run(subject, noise(500, seed=9), resting(subject, {"gain_db": -20.0}, 1, 500))
    assert torch.equal(run(subject, sound, resting(subject, {"gain_db": 3.0}, 1, 500)), first)
    assert len(made) == 4  # three seats, and the one that measured the latency


def test_a_latency_that_moves_is_an_error(effect, monkeypatch):
    """While it plays, and by what a clip begins with; the mode that does not move it is no fault."""

    class Slower(FakePlugin):
        slower = "Dirty"

    monkeypatch.setattr(external, "load", lambda path, name: Slower(LAG))
    subject, sound = make(effect, {"block": 64}), noise(1000)
    run(subject, sound, resting(subject, {"mode": 1.0}, 1, 1000))
    controls = resting(subject, {}, 1, 1000)
    controls["mode"][..., 500:] = 2.0
    with pytest.raises(EffectError, match="lags by 57 samples once mode was set, and by 37 as it was loaded"):
        run(subject, sound, controls)
    with pytest.raises(EffectError, match="take the parameter out of the catalogue"):
        run(subject, sound, resting(subject, {"mode": 2.0}, 1, 1000))


def test_a_plugin_that_gives_fewer_samples_than_it_says_is_an_error(effect, monkeypatch):
    """It says nothing of its latency, and holds 30 samples more back from the fifth block on."""

    class Silent(FakePlugin):
        reported_latency_samples = None

        def process(self, audio, sample_rate, buffer_size, reset=True):
            out = super().process(audio, sample_rate, buffer_size, reset)
            return out[:, 30:] if self._had == 5 * 64 and not measuring else out

    measuring = [True]
    monkeypatch.setattr(external, "load", lambda path, name: Silent(LAG))
    subject = make(effect, {"block": 64})
    subject.latency()
    measuring.clear()
    run(subject, noise(128), resting(subject, {}, 1, 128))
    with pytest.raises(EffectError, match=r"lags by 67 or more samples.*, and by 37"):
        run(subject, noise(1000), resting(subject, {}, 1, 1000))


def test_a_preset_sets_what_no_control_sets(effect, plugins):
    """What has been taken out of the catalogue; a control's own value goes over the preset's."""
    (plugins / "presets").mkdir()
    (plugins / "presets" / "half.vstpreset").write_text("Mode=0.5 Gain=0.75")
    damaged(
        plugins, lambda entry: entry.update(parameters=[p for p in entry["parameters"] if p["id"] != "mode"])
    )
    effect = external.classes()["plugin_sweet"]
    plain, preset = (
        make(effect, {"block": 64}),
        make(effect, {"block": 64, "preset": "presets/half.vstpreset"}),
    )
    sound = torch.ones(1, 1, 4000)
    before, after = (run(one, sound, resting(one, {}, 1, 4000))[0, 0, -1] for one in (plain, preset))
    assert float(before) == pytest.approx(1.0, rel=0.01)
    assert float(after) == pytest.approx(0.5, rel=0.01)  # the mode of the preset, the gain of the control


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ("../half.vstpreset", "no path from the folder of plugins on"),
        ("linked.vstpreset", "leads out of the folder of plugins"),
        ("readme.txt", "is no .vstpreset file"),
        ("presets/halv.vstpreset", "did you mean 'presets/half.vstpreset'"),
        ("presets/broken.vstpreset", "does not take 'broken.vstpreset'"),
    ],
)
def test_presets_that_are_wrong(effect, plugins, preset, message):
    (plugins / "presets").mkdir()
    (plugins / "presets" / "half.vstpreset").write_text("Mode=0.5")
    (plugins / "presets" / "broken.vstpreset").write_text("no preset")
    (plugins.parent / "outside.vstpreset").write_text("Mode=0.5")
    (plugins / "linked.vstpreset").symlink_to(plugins.parent / "outside.vstpreset")
    with pytest.raises(EffectError, match=message):
        make(effect, {"preset": preset}).make()


def test_a_preset_that_is_missing_is_told_before_anything_is_heard(plugins):
    registry = registered()
    with pytest.raises(DJGraphError, match=r"preset: there is no 'none\.vstpreset'") as told:
        djgraph.compile(djgraph.load(graph(preset="none.vstpreset"), registry=registry))
    assert "track.sweet" in str(told.value)


def test_an_audio_unit_takes_no_preset(effect, plugins, monkeypatch):
    class Unit:
        parameters = FakePlugin().parameters

    monkeypatch.setattr(external, "load", lambda path, name: Unit())
    (plugins / "half.vstpreset").write_text("Mode=0.5")
    with pytest.raises(EffectError, match="VST3 plugins are"):
        make(effect, {"preset": "half.vstpreset"}).make()


def test_a_scan_says_that_a_sidechain_hears_nothing(plugins):
    def keyed(path):
        (one,) = told(path)
        switch = dict(one["parameters"][2], id="sidechain_listen", name="sidechain_listen")
        parameters = [*one["parameters"], switch]
        parsed = [scan.Parameter.model_validate(each) for each in parameters]
        return [{**one, "parameters": parameters, "notes": scan.notes(parsed)}]

    said = []
    scan.scan(plugins, said.append, keyed)
    assert "    a sidechain is not connected, and hears nothing: leave sidechain_listen as it is" in said
    assert scan.notes(parameters_of(FakePlugin())[0]) == []


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *((name, True) for name in ("side_chain", "external_key", "key_input", "sc_filter", "detector_sc")),
        *((name, False) for name in ("scale", "external_gain", "keyboard", "disc", "next_input")),
    ],
)
def test_names_of_sidechains(name, is_one):
    assert bool(scan._SIDECHAIN.search(name)) is is_one


class MonoPlugin(FakePlugin):
    """As Pedalboard is with plugins of one channel."""

    def process(self, audio, sample_rate, buffer_size, reset=True):
        if len(audio) != 1:
            raise ValueError("Plugin 'Fake' does not support 2-channel output.")
        return super().process(audio, sample_rate, buffer_size, reset)


def test_a_plugin_of_one_channel_has_mono_ports(plugins, monkeypatch):
    """It is asked by the scan; a stereo strip in front of it is an error of the graph."""
    monkeypatch.setattr(external, "load", lambda path, name: MonoPlugin(LAG))
    mono = lambda path: [{**told(path)[0], "channels": scan.channels_of(MonoPlugin())}]  # noqa: E731
    said = []
    scan.scan(plugins, said.append, mono)
    assert said[0] == "  sweet.vst3: plugin_sweet, 5 controls, mono"
    effect = external.classes()["plugin_sweet"]
    assert (effect.inputs[0].channels, effect.outputs[0].channels) == (1, 1)
    subject, sound = make(effect, {"block": 64}), noise(1000)[:, :1]
    assert subject.latency() == 63 + LAG
    assert run(subject, sound, resting(subject, {}, 1, 1000)).shape == sound.shape
    with pytest.raises(DJGraphError, match=r"port 'in' of plugin_sweet takes mono, and .* is stereo"):
        djgraph.load(graph(), registry=registered())


def test_the_number_of_channels_that_a_plugin_takes():
    class StereoPlugin(FakePlugin):
        def process(self, audio, sample_rate, buffer_size, reset=True):
            if len(audio) != 2:
                raise ValueError("not with one")
            return super().process(audio, sample_rate, buffer_size, reset)

    class NeitherPlugin(MonoPlugin):
        def process(self, audio, sample_rate, buffer_size, reset=True):
            raise ValueError(f"not with {len(audio)}")

    assert [scan.channels_of(one()) for one in (FakePlugin, MonoPlugin, StereoPlugin)] == [None, 1, 2]
    with pytest.raises(ValueError, match="not with 2"):
        scan.channels_of(NeitherPlugin())
    assert scan._described(FakePlugin(), "")["channels"] is None


def test_estimates_of_gradients(effect):
    subject = make(effect, {"block": 256, "gradients": "spsa", "directions": 8})
    controls = resting(subject, {}, 1, 512)
    controls["gain_db"].requires_grad_()
    sound = noise(512)
    out = run(subject, sound, controls)
    (part,) = torch.autograd.grad((out * out).sum() / 2, controls["gain_db"])
    # d(½·g²·E)/d(dB) = E·ln(10)/20 with the gain at 0 dB; the other knobs stand at their ends, and move inwards only.
    energy = float((out * out).sum().detach())
    assert float(part.sum()) == pytest.approx(energy * 0.115129, rel=0.5)


def test_keeps_the_contract(effect):
    """The kit; one check is known to fail, and has to."""
    failed, passed = {}, []
    for name, check in effect_checks(effect, {"block": 512}):
        try:
            check()
            passed.append(name)
        except (CheckSkipped, CheckInconclusive):
            pass
        except Exception as fault:
            failed[name] = fault
    assert set(failed) == {"check_host_synchronisation"}, failed
    assert len(passed) > 15


def test_in_a_graph(plugins):
    mixer = djgraph.compile(djgraph.load(graph(block=128), registry=registered()))
    names = [name for name in mixer.layout.names if name.startswith("track.sweet")]
    assert names == [
        f"track.sweet.{one}" for one in ("mix", "gain_db", "cutoff_hz", "mode", "bypass", "own_mix")
    ]
    params = mixer.layout.default.float()[None, None].clone()
    sound = noise(2000)
    assert torch.allclose(mixer({"track": sound}, params), sound)
    params[..., mixer.layout.index("track.sweet.mix")] = 1.0
    params[..., mixer.layout.index("track.sweet.mode")] = 1.0
    params[..., mixer.layout.index("track.sweet.bypass")] = 0.0
    assert float((mixer({"track": sound}, params) - sound).abs().max()) > 0.1


def test_classes_are_found_by_pickle(effect):
    subject = make(effect)
    again = pickle.loads(pickle.dumps(subject))
    assert type(again) is effect


def damaged(plugins, change):
    path = plugins / folder.CATALOGUE
    data = json.loads(path.read_text())
    change(data["plugins"][0])
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    "path",
    [
        "../outside.vst3",
        "/etc/passwd",
        "more/../../outside.vst3",
        "link.vst3",
        "linked/outside.vst3",
        "loop.vst3/x",
        "..\\outside.vst3",
        ".",
        "a\0b",
    ],
)
def test_nothing_outside_of_the_folder_is_loaded(plugins, path, monkeypatch):
    (plugins.parent / "outside.vst3").write_bytes(b"fake")
    (plugins / "link.vst3").symlink_to(plugins.parent / "outside.vst3")
    (plugins / "linked").symlink_to(plugins.parent)
    (plugins / "loop.vst3").symlink_to(plugins / "loop.vst3")
    monkeypatch.setattr(external, "load", lambda path, name: pytest.fail("loaded"))
    damaged(plugins, lambda entry: entry.update(path=path))
    with pytest.raises(PluginError, match=r"folder of plugins|cannot be followed"):
        external.djgraph_effects()


def test_a_link_that_appears_later_is_not_followed(effect, plugins):
    (plugins / "sweet.vst3").rename(plugins.parent / "sweet.vst3")
    (plugins / "sweet.vst3").symlink_to(plugins.parent / "sweet.vst3")
    with pytest.raises(PluginError, match="leads out of the folder of plugins"):
        make(effect).make()


def test_a_scan_does_not_follow_links_out(plugins):
    (plugins.parent / "outside.vst3").write_bytes(b"fake")
    (plugins / "link.vst3").symlink_to(plugins.parent / "outside.vst3")
    said = []
    scan.scan(plugins, said.append, told)
    assert any("link.vst3: left out: 'link.vst3' leads out" in line for line in said)
    assert "plugin_link" not in external.classes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entry: entry.update(type="gain"), "type"),
        (lambda entry: entry.update(type="plugin_bundle"), "two plugins have one type"),
        (lambda entry: entry.update(mark="short"), "mark"),
        (lambda entry: entry.pop("path"), "path"),
        (lambda entry: entry["parameters"][0].update(id="Gain!"), "id"),
        (lambda entry: entry["parameters"][0].update(id="cutoff_hz"), "two parameters have one id"),
        (lambda entry: entry["parameters"][0].update(default=1e9), "default"),
        (lambda entry: entry["parameters"][0].update(knots=[[0, 1]]), "knots"),
    ],
)
def test_damaged_catalogues_are_told(plugins, change, message):
    damaged(plugins, change)
    with pytest.raises(PluginError, match=message):
        external.djgraph_effects()


def test_no_catalogue_says_what_writes_one(plugins):
    (plugins / folder.CATALOGUE).unlink()
    with pytest.raises(PluginError, match="python -m djgraph_pedalboard scan"):
        external.djgraph_effects()


def test_a_folder_that_is_none(monkeypatch):
    monkeypatch.setenv(folder.VARIABLE, "/no/such/folder")
    with pytest.raises(PluginError, match="names '/no/such/folder', which is no folder"):
        external.djgraph_effects()


def test_a_plugin_that_has_changed_is_not_loaded(effect, plugins):
    os.utime(plugins / "sweet.vst3", ns=(1, 1))
    with pytest.raises(EffectError, match="has changed since the scan"):
        make(effect).make()
    (plugins / "sweet.vst3").unlink()
    with pytest.raises(EffectError, match=r"is not in .* any more"):
        make(effect).make()


def test_what_a_plugin_raises_is_told_with_its_place_in_the_graph(plugins, monkeypatch):
    def breaks(path, name):
        raise ImportError("no such symbol")

    monkeypatch.setattr(external, "load", breaks)
    mixer = djgraph.compile(djgraph.load(graph(), registry=registered()))  # which loads nothing yet
    sound, params = {"track": noise(100)}, mixer.layout.default.float()[None, None]
    with pytest.raises(DJGraphError, match=r"'sweet\.vst3' cannot be loaded: no such symbol") as told:
        mixer(sound, params)
    assert "track.sweet" in str(told.value)


def test_a_plugin_without_its_parameters(effect, monkeypatch):
    plugin = FakePlugin()
    del plugin.parameters["mode"]
    monkeypatch.setattr(external, "load", lambda path, name: plugin)
    with pytest.raises(EffectError, match="has no parameter 'mode' any more"):
        make(effect).make()


def child(monkeypatch, program):
    """The scan's child process runs this program instead."""
    real = scan.subprocess.run

    def run_program(command, **more):
        return real([sys.executable, "-c", program, *command[4:]], **more)

    fake = types.SimpleNamespace(run=run_program, TimeoutExpired=scan.subprocess.TimeoutExpired)
    monkeypatch.setattr(scan, "subprocess", fake)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os; os.kill(os.getpid(), 11)", "its process ended with signal 11"),
        ("raise RuntimeError('broken \\x1b[31m plugin')", "ended with status 1: RuntimeError: broken"),
        ("pass", "does not exist"),
        ("import sys; open(sys.argv[2], 'w').write('{}')", "gave no answer"),
        ("import sys; open(sys.argv[2], 'w').write('[')", "no JSON"),
        ("import time; time.sleep(60)", "it took longer than"),
    ],
)
def test_plugins_that_break_in_a_scan_are_left_out(plugins, program, message, monkeypatch):
    monkeypatch.setattr(scan, "SECONDS", 5 if "sleep" not in program else 0.5)
    child(monkeypatch, program)
    said = []
    scan.scan(plugins, said.append)
    assert all("left out" in line for line in said)
    assert message in said[0]
    assert "\x1b" not in said[0]
    assert external.read_catalogue(plugins).plugins == []


def test_files_that_are_no_plugins_are_left_out_by_pedalboard_itself(plugins, capsys):
    """The real child process, and Pedalboard's own loading of a file that is none."""
    assert scan.main(["scan", str(plugins)]) == 0
    printed = capsys.readouterr().out
    assert "sweet.vst3: left out: its process ended with status 1" in printed
    assert "plugin_sweet" not in external.djgraph_effects()


def test_the_command_line(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv(folder.VARIABLE, raising=False)
    assert scan.main([]) == 2
    assert scan.main(["scan"]) == 1
    assert "is no folder" in capsys.readouterr().err
    assert scan.main(["scan", str(tmp_path)]) == 0
    assert (tmp_path / folder.CATALOGUE).exists()


def test_instruments_are_left_out():
    plugin = FakePlugin()
    plugin.is_effect = False
    assert scan._described(plugin, "")["instrument"]
