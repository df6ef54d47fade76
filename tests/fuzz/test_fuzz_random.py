"""Damaged inputs: what comes out is a result or a readable refusal, whatever the damage.

DJGRAPH_FUZZ_EXAMPLES: how many of each kind (with what is set here, about a minute on one core).
DJGRAPH_FUZZ_SEED: another series of them.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from .mutate import damage
from .samples import COMMANDS, OPTIONS, TARGETS, WORDS, samples
from .worker import Case, Worker

EXAMPLES = {
    "graph": 40,
    "automation": 150,
    "recipe": 60,
    "params": 120,
    "corpus": 80,
    "track": 80,
    "fit_state": 300,
    "checkpoint": 300,
    "audio": 200,
    "command": 25,
}
QUICK = 20
"""One in so many, while somebody works."""
SEED = os.environ.get("DJGRAPH_FUZZ_SEED", "1")


def example(target: str, number: int) -> Case:
    """Always the same for a target, a number and the seed."""
    random = Random(f"{SEED} {target} {number}")
    case = random.choice(samples(target))
    if target == "command":
        return replace(case, arguments=tuple(damaged_arguments(list(case.arguments), random)))
    content = case.files[case.main]
    assert content is not None
    return replace(case, files={**case.files, case.main: damage(content, case.main, random)})


def damaged_arguments(words: list[str], random: Random) -> list[str]:
    for _ in range(random.choice([1, 1, 2, 3])):
        place = random.randrange(len(words) + 1)
        kind = random.randrange(4)
        if kind == 0 and words:
            words[place - 1] = random.choice(WORDS)
        elif kind == 1:
            words[place:place] = [random.choice(OPTIONS), random.choice(WORDS)]
        elif kind == 2 and words:
            del words[place - 1]
        else:
            words.insert(place, random.choice([*WORDS, *OPTIONS]))
    if words[:1] in (["demo"], ["profile"]):
        words[:1] = random.choice(COMMANDS)
    return [word.replace("\x00", "") for word in words]  # no argument can hold one


def hunt(worker: Worker, target: str, count: int, folder: Path) -> None:
    faults, seen = [], Counter[str]()
    for number in range(count):
        case = example(target, number)
        place = folder / str(number)
        place.mkdir()
        kind, why = worker.run(case, place)
        seen[kind] += 1
        if kind == "fault":
            what = repr(case.arguments) if target == "command" else place / case.main
            faults.append(f"{target} {number} of seed {SEED}: {what}\n{why}")
        else:
            shutil.rmtree(place)
    if faults:
        shown = "\n\n".join(faults[:10])
        hint = f"`python tests/fuzz/child.py {target} FILE` tries one"
        pytest.fail(f"{len(faults)} of {count} went wrong; {hint}:\n\n{shown}", pytrace=False)
    assert count < 20 or seen["refused"], f"no damage was noticed: {seen}"


@pytest.mark.slow
@pytest.mark.parametrize("target", [target for target in TARGETS if target != "command"])
def test_what_is_whole_is_taken(worker: Worker, target: str, tmp_path: Path) -> None:
    """Else it would be no test to damage it."""
    refused = {}
    for number, case in enumerate(samples(target)):
        (tmp_path / str(number)).mkdir()
        kind, why = worker.run(case, tmp_path / str(number))
        if kind != "whole":
            refused[f"{number} {case.main}"] = why
    allowed = {
        "graph": 3,
        "params": 1,
    }  # examples in the docs of effects that are not installed; npz is not read
    assert len(refused) <= allowed.get(target, 0), refused


@pytest.mark.parametrize("target", TARGETS)
def test_a_few(worker: Worker, target: str, tmp_path: Path) -> None:
    hunt(worker, target, max(2, EXAMPLES[target] // QUICK), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_many(worker: Worker, target: str, tmp_path: Path) -> None:
    hunt(worker, target, int(os.environ.get("DJGRAPH_FUZZ_EXAMPLES", EXAMPLES[target])), tmp_path)
