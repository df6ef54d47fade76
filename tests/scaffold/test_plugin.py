"""``djgraph new plugin``: what it writes is whole, does what it says, and lives through build, install and use."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

import djgraph
from djgraph.cli.new import KindName
from djgraph.errors import InputError
from djgraph.scaffold import KINDS, new_plugin, write
from djgraph.scaffold.fill import FOLDER, SUFFIX

ROOT = Path(__file__).parents[2]
BASES = {
    "source": djgraph.effects.SourceEffect,
    "amplitude": djgraph.effects.AmplitudeEffect,
    "spectral": djgraph.effects.SpectralEffect,
    "ratio": djgraph.effects.RatioEffect,
}


@pytest.fixture
def made(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, ModuleType, ModuleType]]:
    """The folder of a new plugin of one kind, its package, and its tests, imported."""
    name = f"new_{request.param}"
    folder = tmp_path / name
    new_plugin(name, request.param, tmp_path)
    places = [str(folder / "src"), str(folder / "tests")]
    before = set(sys.modules)
    sys.path[:0] = places
    try:
        importlib.invalidate_caches()
        package = importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(f"tests_of_{name}", folder / "tests" / "test_effect.py")
        assert spec is not None
        assert spec.loader is not None
        tests = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tests)
        yield folder, package, tests
    finally:
        for place in places:
            sys.path.remove(place)
        for module in set(sys.modules) - before:
            if module.startswith((name, f"tests_of_{name}")):
                del sys.modules[module]


every_kind = pytest.mark.parametrize("made", list(KINDS), indirect=True)


@every_kind
def test_its_own_tests_pass_but_for_the_kit(made: tuple[Path, ModuleType, ModuleType]) -> None:
    """Against the oracle, by finite differences, and in the graph that comes with it."""
    _, package, tests = made
    names = [name for name in vars(tests) if name.startswith("test_") and name != "test_contract"]
    assert {"test_against_the_oracle", "test_gradients", "test_in_a_graph"} <= set(names)
    for name in names:
        test = getattr(tests, name)
        marks = getattr(test, "pytestmark", [])
        for values in marks[0].args[1] if marks else [None]:
            test() if values is None else test(values)
    (effect,) = package.djgraph_effects()
    kind = package.__name__.removeprefix("new_")
    assert issubclass(effect, BASES.get(kind, djgraph.effects.TimeEffect))
    assert effect.type == package.__name__


@pytest.mark.parametrize("made", ["amplitude"], indirect=True)
def test_the_kit_passes(made: tuple[Path, ModuleType, ModuleType]) -> None:
    """One cheap kind here; the others where they are built and installed."""
    from djgraph.effects.checks import check_effect

    _, package, _ = made
    (effect,) = package.djgraph_effects()
    assert "check_gradients" in check_effect(effect).passed


@every_kind
def test_an_oracle_that_is_wrong_is_found(
    made: tuple[Path, ModuleType, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, tests = made
    right = tests.oracle

    def wrong(*args: object, **kwargs: object) -> object:
        found = right(*args, **kwargs)
        return tuple(1.001 * one for one in found) if isinstance(found, tuple) else 1.001 * found

    monkeypatch.setattr(tests, "oracle", wrong)
    with pytest.raises(AssertionError):
        tests.test_against_the_oracle()


@pytest.mark.parametrize("kind", KINDS)
def test_its_files_fit_together(kind: str, tmp_path: Path) -> None:
    paths = new_plugin("acme-thing", kind, tmp_path)
    folder = tmp_path / "acme-thing"
    assert sorted(paths) == sorted(path for path in folder.rglob("*") if path.is_file())
    texts = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    for name, text in texts.items():
        assert "{{" not in text, name
        assert not text or (text.endswith("\n") and not text.endswith("\n\n")), name
        if name.endswith(".py"):
            compile(text, name, "exec")
    project = tomllib.loads(texts["pyproject.toml"])
    assert project["project"]["name"] == "acme-thing"
    assert project["project"]["entry-points"]["djgraph"] == {"acme_thing": "acme_thing"}
    packages = {
        ".".join(path.parent.relative_to(folder / "src").parts) for path in folder.glob("src/**/__init__.py")
    }
    assert set(project["tool"]["setuptools"]["packages"]) == packages
    for named in re.findall(r"^\| `([\w/.]+)` \| ", texts["README.md"], re.MULTILINE):
        if "/" in named:
            assert named in texts, named


@pytest.mark.parametrize("kind", KINDS)
def test_the_readme_has_the_controls_as_they_are(kind: str, tmp_path: Path) -> None:
    """Ranges and neutral values of the table are those of the class."""
    new_plugin(f"told_{kind}", kind, tmp_path)
    folder = tmp_path / f"told_{kind}"
    spec = importlib.util.spec_from_file_location(
        f"told_{kind}_effect", folder / "src" / f"told_{kind}" / "effect.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    cls = getattr(module, "".join(word.capitalize() for word in f"told_{kind}".split("_")))
    told = re.findall(
        r"^\| `(\w+)` \| (-?[\d.]+) … (-?[\d.]+)[^|]*\| (-?[\d.]+) \|",
        (folder / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    wanted = [(c.id, c.min, c.max, c.neutral) for c in cls.controls if not c.choices]
    assert [(name, float(low), float(high), float(rest)) for name, low, high, rest in told] == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_formatted(kind: str, tmp_path: Path) -> None:
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed")
    new_plugin(f"acme_{kind}", kind, tmp_path)
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [ruff, *command, "--no-cache", "."],
            cwd=tmp_path / f"acme_{kind}",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_has_the_kinds() -> None:
    """It has a list of its own, so that help loads nothing."""
    assert [kind.value for kind in KindName] == list(KINDS)


def test_every_template_goes_into_the_wheel() -> None:
    """As package data, which setuptools takes by patterns; and each is used."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    package = ROOT / "djgraph"
    taken = {path for pattern in settings["package-data"]["djgraph"] for path in package.glob(pattern)}
    there = {path for path in FOLDER.rglob("*") if path.is_file()}
    assert there <= taken
    assert all(path.name.endswith(SUFFIX) for path in there)


# ---------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../acme", "did you mean: acme"),
        ("/tmp/acme", "did you mean: tmp_acme"),
        ("acme/glue", "did you mean: acme_glue"),
        ("AcmeGlue", "did you mean: acme_glue"),
        ("acme glue", "did you mean: acme_glue"),
        ("acme.glue", "did you mean: acme_glue"),
        ("2nd_echo", "did you mean: nd_echo"),
        ("_acme", "did you mean: acme"),
        ("acme-", "did you mean: acme"),
        ("acme__glue", "did you mean: acme_glue"),
        ("acme\nglue", "did you mean: acme_glue"),
        ("acme\0", "did you mean: acme"),
        ("ácme", "did you mean: cme"),
        ("..", "allowed: lower-case letters"),
        ("", "allowed: lower-case letters"),
        ("a" * 61, "at most 60"),
        ("a" * 100_000, "at most 60"),
        ("class", "a word of Python's"),
        ("json", "did you mean: my_json"),
        ("torch", "there is a Python package 'torch' already"),
        ("djgraph-fx", "there is a Python package 'djgraph_fx' already"),
        ("echo", "there is an effect 'echo' already, of plugin 'fx' of distribution djgraph"),
    ],
)
def test_names_that_are_refused(name: str, message: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(InputError) as caught:
        new_plugin(name, "amplitude", inside)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert list(tmp_path.rglob("*")) == [inside]


def test_an_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no kind 'spectrl' of effect; did you mean 'spectral'"):
        new_plugin("acme", "spectrl", tmp_path)


@pytest.mark.parametrize("name", ["control", "block", "tensor", "state", "mapping"])
def test_a_class_does_not_take_a_name_of_its_imports(name: str, tmp_path: Path) -> None:
    new_plugin(f"{name}", "recursive", tmp_path)
    text = (tmp_path / name / "src" / name / "effect.py").read_text(encoding="utf-8")
    assert f"class {name.capitalize()}Effect(TimeEffect):" in text


# ---------------------------------------------------------------------------------------------- whole or not at all


def test_what_is_there_stays(tmp_path: Path) -> None:
    for there in ("file", "folder", "link"):
        place = tmp_path / f"acme_{there}"
        if there == "file":
            place.write_text("mine")
        elif there == "folder":
            place.mkdir()
        else:
            place.symlink_to(tmp_path / "nowhere")
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(InputError, match="exists already, and is left as it is"):
            new_plugin(f"acme_{there}", "clock", tmp_path)
        assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "acme_file").read_text() == "mine"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the folder .*nowhere does not exist"):
        new_plugin("acme", "clock", tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"the folder .*file is not a folder"):
        new_plugin("acme", "clock", tmp_path / "file")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_of_one_that_fails(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, count = Path.write_bytes, 0

    def full(path: Path, content: bytes) -> int:
        nonlocal count
        count += 1
        if count == 5:
            raise error
        return right(path, content)

    monkeypatch.setattr(write.Path, "write_bytes", full)
    with pytest.raises((InputError, KeyboardInterrupt)):
        new_plugin("acme", "clock", tmp_path)
    assert count == 5
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------------------------- the whole way


def _run(*command: object, cwd: Path, path: Path) -> str:
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env = {**kept, "PYTHONPATH": str(path), "DJGRAPH_STRICT_PLUGINS": "1"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_build_install_check_render(kind: str, tmp_path: Path) -> None:
    """As its README says, from a folder of its own: a wheel, installed; its tests with the kit; its graph heard."""
    pytest.importorskip("setuptools")
    name = f"made_{kind}"
    new_plugin(name, kind, tmp_path)
    source, target = tmp_path / name, tmp_path / "installed"

    def python(*arguments: object) -> str:
        return _run(sys.executable, *arguments, cwd=tmp_path, path=target)

    pip = ("-m", "pip", "--no-input", "--disable-pip-version-check")
    if "djgraph" not in python(*pip, "list"):
        pytest.skip("djgraph is not installed in this environment (pip install -e .)")
    offline = ("--no-index", "--no-deps", "--quiet")
    python(*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", tmp_path, source)
    (wheel,) = tmp_path.glob(f"{name}-0.1.0-*.whl")
    python(*pip, "install", *offline, "--target", target, wheel)
    shutil.rmtree(source / "src")  # what is tested from now on is what was installed

    report = python("-m", "pytest", "-q", "-p", "no:cacheprovider", source / "tests", "--rootdir", source)
    assert re.search(r"\d\d passed", report)
    assert "failed" not in report

    random = np.random.default_rng(0)
    for file in ("track", "voice"):
        soundfile.write(tmp_path / f"{file}.wav", 0.1 * random.standard_normal((8000, 2)), 44100)
    graph, heard = f"{name}_demo", tmp_path / "heard.wav"
    inputs = ["-i", "track=track.wav"] + (["-i", "voice=voice.wav"] if kind == "ports" else [])
    tempo = ["--tempo", "128"] if kind == "clock" else []
    python("-m", "djgraph", "validate", "--strict", graph)
    python("-m", "djgraph", "render", graph, *inputs, *tempo, "-o", heard, "--json")
    audio, _ = soundfile.read(heard)
    assert audio.shape == (8000, 2)
    assert np.abs(audio).max() > 0.1
    shown = json.loads(python("-m", "djgraph", "effects", name, "--json"))
    assert shown["distribution"] == name.replace("_", "-")
