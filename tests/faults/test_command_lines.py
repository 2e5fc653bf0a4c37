"""Random command lines: one message and status 2, or what was asked; no traceback, no hang.

Nothing is trained: searches look their children up, and what would train has no data.
"""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.commands import compare, draw, evaluate, language_model, report, summarise, train
from agents.search.flags import agent_flags, environment_flags, settings_flags
from agents.search.options import GROUPS
from nas_env.space.published import FIGURE_7, NAS_CELL
from tests.faults.damage import cases
from tests.faults.outcome import DONE, NOTHING, Count, Outcome, call

Main = Callable[[Sequence[str]], int]
COMMANDS: dict[str, tuple[Main, tuple[str, ...]]] = {  # what stands last on the line wins
    "train": (
        train.main,
        (
            *("--env", "NAS-Digits-Table-v0", "--children", "2", "--children-per-update", "1"),
            *("--no-progress", "--track", "no", "--evaluator", "local"),
        ),
    ),
    "compare": (
        compare.main,
        (
            *("--env", "NAS-Digits-Table-v0", "--children", "4", "--seeds", "1"),
            *("--agents", "random", "--run-dir", "compared"),
        ),
    ),
    "evaluate": (evaluate.main, ("--dataset", "there-is-no-data")),
    "language": (language_model.main, ("--dataset", "there-is-no-data")),
    "draw": (draw.main, ()),
    "report": (report.main, ()),
    "summarise": (summarise.main, ()),
}
POSITIONAL = ("evaluate", "draw", "report", "summarise")
OWN = {
    "compare": ("agents", "seeds", "first-seed", "every", "run-dir", "recipe", "arguments"),
    "evaluate": ("child", "dataset", "recipe", "seed", "data-dir", "device", "store", "evaluator"),
    "language": ("cell", "recipe", "data-dir", "seed", "device", "threads", "epochs", "test"),
    "draw": (),
    "report": ("output",),
    "summarise": ("block",),
}
VALUES = (
    *("", " ", "0", "1", "-1", "2", "1e20", "100000000000000000000", "9" * 5000, "nan", "inf"),
    *("0.5", "True", "false", "None", "[]", "[1, 2]", "[[", "{}", '{"name": "quick"}', "[NaN]"),
    *('{"a": 1}', '{"split_seed": -1}', '{"epochs": 1e99}', '{"name": ["quick"]}', "[" * 50_000),
    *(
        "x" * 99_999,
        "x" * 10**6,
        "\udcff",
        "a\0b",
        "\n",
        "\x1b[2J",
        "ä 木 \U0001f600",
        "$(touch y)",
    ),
    *(
        "~nouser-here/x",
        "~",
        "/dev/null",
        "/dev/full",
        "/proc/self/mem",
        "..",
        ".",
        "--",
        "-x",
        "=",
    ),
    *("digits", "quick", "paper", "random", "evolution", "NAS-Digits-v0", "os:x", ":", "a..b:c"),
    *("cpu", "cuda", "cuda:99", "run", "figure.json", "cell.json", "odd.json", "absent.json"),
    *("run/episodes.csv", "pipe", "new.svg", "new.png", "new.gif", "new.exe", "f" * 300 + ".svg"),
)


def flags_of(name: str) -> list[str]:
    if name != "train":
        return [*OWN[name], "environment", "unknown-flag"]
    found = [*environment_flags(), *agent_flags()]
    for group in GROUPS.values():
        found += settings_flags(group)
    return [flag.name.replace("_", "-") for flag in found] + ["no-store", "x" * 200]


def random_line(name: str, rng: random.Random) -> list[str]:
    words: list[str] = []
    if name in POSITIONAL and rng.random() < 0.9:
        words += rng.choices(VALUES, k=rng.randint(1, 2))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 8))):
        flag = f"--{rng.choice(flags_of(name))}"
        value = rng.choice(VALUES[:11] if rng.random() < 0.4 else VALUES)
        spelled = [[flag, value], [f"{flag}={value}"], [flag], [flag, value, value], [value]]
        words += rng.choices(spelled, (5, 5, 1, 1, 1))[0]
    return words


def prepare(folder: Path) -> None:
    """A finished run and architecture files beside it."""
    flags = ["--env", "NAS-Digits-Table-v0", "--agent", "random", "--children", "4"]
    assert train.main([*flags, "--run-dir", "run", "--no-progress"]) == DONE
    for name, architecture in (("figure", FIGURE_7), ("cell", NAS_CELL)):
        (folder / f"{name}.json").write_text(json.dumps(architecture.to_json()))
    (folder / "odd.json").write_text('{"kind": "conv", "layers": [1], "block_size": 1000000}')


def judged(outcome: Outcome) -> Outcome:
    """The parser explains a wrong flag in its own words, with status 2."""
    parsed = outcome.status == 2 and "error: " not in outcome.error
    if outcome.status == NOTHING and "Traceback" not in outcome.error:
        return Outcome(DONE, outcome.output, outcome.error)
    if parsed and "Traceback" not in outcome.error and outcome.error:
        return Outcome(2, outcome.output, "error: of the parser")
    return outcome


@pytest.mark.slow
def test_random_command_lines_end_in_one_message_or_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    rng, count, working = random.Random(14), Count(), tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NAS_ENV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NAS_ENV_DATA", str(tmp_path / "data"))
    prepare(working)
    for case in range(cases(60, 500)):
        name = rng.choice([*COMMANDS])
        main, last = COMMANDS[name]
        words = [*random_line(name, rng), *last]
        shown = " ".join(
            word if len(word) < 60 else f"{word[:30]}...({len(word)})" for word in words
        )
        count.add(f"case {case}: {name} {shown!r}", judged(call(main, *words, longest_s=120)))
    capsys.readouterr()
    print(count.ended)
    count.check()
    assert count.ended["refused"] and count.ended["identical"]
    outside = {path.name for path in tmp_path.iterdir()} - {"working", "home", "cache", "data"}
    assert outside <= {"store.sqlite"}, outside
