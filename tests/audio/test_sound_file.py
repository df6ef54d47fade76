"""Sound files as settings: found beside the graph file only, compared by what they hold, refused in words."""

import copy
import os
import pickle

import pytest
import torch
from pydantic import ValidationError

import djgraph
from djgraph.audio import SoundFile, write
from djgraph.compiler.parse import parse_plan
from djgraph.effects import SettingModel
from djgraph.errors import AudioFileError, DocumentError
from djgraph.sound import Sound

RATE = 44100


def sound(seed=0, channels=2, samples=400):
    return 0.1 * torch.randn(channels, samples, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "graphs"
    (inside / "rooms").mkdir(parents=True)
    write(inside / "rooms" / "hall.wav", sound(), RATE, subtype="FLOAT")
    write(tmp_path / "secret.wav", sound(1), RATE)
    return inside


class Settings(SettingModel):
    file: SoundFile | None = None


def validated(name, folder):
    return Settings.model_validate_json(f'{{"file": "{name}"}}', strict=True, context={"folder": folder}).file


def test_it_holds_what_the_file_holds(folder):
    file = validated("rooms/hall.wav", folder)
    assert torch.equal(file.audio, sound())
    assert (file.name, file.sample_rate) == ("hall.wav", RATE)
    assert file == SoundFile.read(folder / "rooms" / "hall.wav")


def test_two_are_equal_where_they_sound_alike(folder):
    write(folder / "same.wav", sound(), RATE, subtype="FLOAT")
    write(folder / "faster.wav", sound(), 48000, subtype="FLOAT")
    write(folder / "other.wav", sound(2), RATE, subtype="FLOAT")
    hall, same, faster, other = (
        validated(name, folder) for name in ("rooms/hall.wav", "same.wav", "faster.wav", "other.wav")
    )
    assert hall == same
    assert hash(hall) == hash(same)
    assert len({hall, same, faster, other}) == 3
    assert hall != "rooms/hall.wav"


def test_json_is_a_digest_that_comes_back(folder):
    settings = Settings(file=SoundFile.read(folder / "rooms" / "hall.wav"))
    text = settings.model_dump_json()
    assert "hall" not in text
    assert settings.model_dump() == {"file": settings.file.digest}
    assert Settings.model_validate_json(text) == settings
    with pytest.raises(ValidationError, match="beside the graph file"):
        Settings(file="sha256:" + 64 * "0")
    assert Settings.model_json_schema()["properties"]["file"]["anyOf"][0] == {
        "type": "string",
        "format": "path",
    }


def test_copies_carry_the_audio(folder):
    file = SoundFile.read(folder / "rooms" / "hall.wav")
    (folder / "rooms" / "hall.wav").unlink()
    for twin in (copy.deepcopy(file), pickle.loads(pickle.dumps(file))):
        assert twin == file
        assert torch.equal(twin.audio, file.audio)
        assert repr(twin) == repr(file)


@pytest.mark.parametrize("name", ["../secret.wav", "rooms/../../secret.wav", "/etc/passwd", "", "a\\u0000b"])
def test_no_path_leads_out_of_the_folder(folder, name):
    with pytest.raises(ValidationError, match=r"lead out of|no name of a file"):
        validated(name, folder)


def test_no_link_leads_out_of_the_folder(folder):
    (folder / "link.wav").symlink_to(folder.parent / "secret.wav")
    (folder / "away").symlink_to(folder.parent, target_is_directory=True)
    (folder / "near.wav").symlink_to(folder / "rooms" / "hall.wav")
    (folder / "circle.wav").symlink_to(folder / "circle.wav")
    for name in ("link.wav", "away/secret.wav"):
        with pytest.raises(ValidationError, match="leads out of"):
            validated(name, folder)
    with pytest.raises(ValidationError, match=r"circle\.wav"):
        validated("circle.wav", folder)
    assert torch.equal(validated("near.wav", folder).audio, sound())


def test_what_is_no_such_sound_is_refused(folder, monkeypatch):
    (folder / "text.wav").write_text("no audio")
    os.mkfifo(folder / "pipe.wav")
    write(folder / "many.wav", sound(channels=3), RATE)
    write(folder / "long.wav", torch.zeros(1, 31 * 8000), 8000)
    for name, words in (
        ("missing.wav", "does not exist"),
        ("rooms", "is a folder"),
        ("pipe.wav", "no ordinary file"),
        ("text.wav", "cannot be read as audio"),
        ("many.wav", "3 channels"),
        ("long.wav", "longer than 30 s"),
    ):
        with pytest.raises(ValidationError, match=words):
            validated(name, folder)
    monkeypatch.setattr("djgraph.audio.sound_file.LARGEST", 100)
    with pytest.raises(AudioFileError, match="larger than"):
        SoundFile.read(folder / "rooms" / "hall.wav")
    for wrong in (3, True, ["hall.wav"]):
        with pytest.raises(ValidationError, match="name of a sound file"):
            Settings(file=wrong)


GRAPH = """\
djgraph: 1
name: room
inputs:
  - {name: track}
mixer:
  - strip: track
    input: track
    chain:
      - {effect: convolve, settings: {file: FILE}}
outputs: [track]
"""


def graph_file(folder, name):
    path = folder / "room.yaml"
    path.write_text(GRAPH.replace("FILE", name))
    return path


def test_a_graph_finds_it_beside_itself_and_sounds_as_the_file_does(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = graph_file(folder, "rooms/hall.wav")
    graph = djgraph.load(path)
    before = Sound.of(graph)
    (folder / "rooms" / "hall.wav").rename(folder / "renamed.wav")
    graph_file(folder, "renamed.wav")
    assert Sound.of(djgraph.load(path)).graph == before.graph
    write(folder / "renamed.wav", sound(3), RATE, subtype="FLOAT")
    after = Sound.of(djgraph.load(path))
    assert after.graph != before.graph
    (line,) = before.differences(after)
    assert line.startswith("nodes.track.convolve.settings.file: ")
    mixer = djgraph.compile(graph)  # what was loaded stays what it is
    audio = torch.zeros(1, 2, 400)
    audio[..., 0] = 1
    params = torch.ones(1, 1)
    energy = mixer({"track": audio}, params).square().sum()
    assert float(energy) == pytest.approx(2, rel=1e-4)


def test_plans_show_the_digest_and_can_be_read_back(folder):
    graph = djgraph.load(graph_file(folder, "rooms/hall.wav"))
    (stage,) = djgraph.compile(graph).stages()[-1:]
    text = str(stage.plan)
    assert len(text) < 1000
    assert "convolve{file='sha256:" in text
    assert str(parse_plan(text, graph)) == text


def test_errors_say_where_in_the_graph_file(folder):
    for name, words in (("../secret.wav", "lead out of"), ("missing.wav", "does not exist")):
        path = graph_file(folder, name)
        with pytest.raises(DocumentError, match=words) as caught:
            djgraph.load(path)
        (problem,) = caught.value.problems
        assert problem.position.line == 9
        assert problem.path[-2:] == ("settings", "file")
    with pytest.raises(DocumentError, match="load it from a file"):
        djgraph.load(GRAPH.replace("FILE", "rooms/hall.wav"))
