"""Whatever happens to a store: refused in one message, or every result is as it was written."""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas_env.errors import NasEnvError, StoreError
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.store import EvaluationStore, ResultKey
from nas_env.evaluation.store_rows import COLUMNS, digest_of
from nas_env.evaluation.store_schema import _IMMUTABLE
from tests.faults.damage import cases, damage

pytestmark = pytest.mark.slow
GOLDEN = Path(__file__).parents[1] / "golden" / "store.db"
HANGS_S = 300

Results = dict[ResultKey, Evaluation]


def results(count: int) -> Results:
    """Made up, and varied as trained ones are."""
    rng = random.Random(count)
    made = {}
    for number in range(count):
        architecture = json.dumps({"kind": "toy", "units": [rng.randrange(99)] * rng.randrange(9)})
        key = ResultKey(architecture, "data", f"recipe {number % 2}", rng.getrandbits(63))
        curve = tuple(rng.random() for _ in range(rng.randrange(5)))
        if number % 5:
            made[key] = Evaluation(
                *(architecture, key.seed, "accuracy", max(curve, default=0.5), "complete"),
                curve=curve,
                parameters=rng.randrange(10**7),
                macs=rng.randrange(10**10),
                train_seconds=rng.random(),
                numerics="float32",
            )
        else:
            made[key] = Evaluation(
                *(architecture, key.seed, "accuracy", None, "failed", "timeout"),
                message="too slow " * rng.randrange(60),
            )
    return made


@contextmanager
def no_hang() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise AssertionError(f"no answer within {HANGS_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(HANGS_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def search_again(path: Path, known: Results) -> str:
    """Ask for every result, train what is missing, and read all of it: what a search would see."""
    with EvaluationStore(path, timeout_s=1.0) as store:
        there = 0
        for key, evaluation in known.items():
            found = store.get(key)
            there += found is not None
            assert found is None or found == replace(evaluation, cached=True), "another result"
            stored = store.put(key, evaluation)
            assert replace(stored, cached=False) == evaluation, "another result"
        rows = {row.key: replace(row.evaluation, cached=False) for row in store.rows()}
        assert rows == known, "other rows"
    with EvaluationStore(path) as store:
        assert len(store) == len(known), "a result twice"
    return "identical" if there == len(known) else "trained again"


def outcome(path: Path, known: Results) -> str:
    """Refused in one message, or identical; anything else fails the test."""
    with no_hang():
        try:
            return search_again(path, known)
        except NasEnvError as error:
            assert len(str(error).splitlines()) == 1
            str(error).encode()
            assert len(str(error)) < 1000
            return "refused"


@pytest.fixture(scope="module")
def known() -> Results:
    return results(60)


@pytest.fixture(scope="module")
def kept(known: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store as a search leaves it, and one as a killed search does."""
    folder = tmp_path_factory.mktemp("stores")
    with EvaluationStore(folder / "closed.sqlite") as store:
        for key, evaluation in known.items():
            store.put(key, evaluation)
    with EvaluationStore(folder / "open.sqlite") as store:
        for number, (key, evaluation) in enumerate(known.items()):
            store.put(key, evaluation)
            if number == 30:
                store.close()
        for part in folder.glob("open.sqlite*"):
            shutil.copy(part, folder / part.name.replace("open", "killed"))
    return folder


def test_a_damaged_store_is_refused_or_serves_what_was_written(
    kept: Path, known: Results, tmp_path: Path
) -> None:
    counts: Counter[str] = Counter()
    for seed in range(cases(80, 1000)):
        rng = random.Random(seed)
        name = rng.choice(["closed.sqlite", "killed.sqlite"])
        here = tmp_path / f"{seed}"
        here.mkdir()
        for part in kept.glob(f"{name}*"):
            shutil.copy(part, here / part.name)
        parts = sorted(here.glob("*[!m]"))  # the shared memory (-shm) is rebuilt when all have gone
        kinds = ("flip",) if seed % 2 else ()
        what = damage(rng.choice(parts), rng, kinds)
        try:
            counts[outcome(here / name, known)] += 1
        except Exception as error:
            pytest.fail(f"case {seed}, {what}: {type(error).__name__}: {error}")
        shutil.rmtree(here)
    print(dict(counts))
    assert counts["refused"] > 0


HOSTILE: tuple[Any, ...] = (
    *("abc", "", None, -1, 0, 1, 2**63 - 1, -(2**63), 0.5, -0.5, 1e308, float("inf")),
    *(b"", b"\xff" * 9, "\x00", "x" * 10**6, "[" * 10**5, "[1e999]", "[NaN]", "[[1]]", "{}"),
    *("NaN", "0.75", "complete", "failed", "timeout", "\u202e", "../../x", "<script>", "'--"),
)


def test_a_row_of_any_content_is_refused_or_serves_what_was_written(
    kept: Path, known: Results, tmp_path: Path
) -> None:
    counts: Counter[str] = Counter()
    for seed in range(cases(80, 500)):
        rng = random.Random(seed)
        path = tmp_path / f"{seed}.sqlite"
        shutil.copy(kept / "closed.sqlite", path)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA ignore_check_constraints=ON")
        connection.execute("DROP TRIGGER finished_rows_are_immutable")
        number = rng.randrange(1, len(known) + 1)
        for column in rng.sample((*COLUMNS, "digest"), rng.randint(1, 3)):
            change = f"UPDATE OR IGNORE evaluations SET {column} = ? WHERE id = ?"
            try:
                connection.execute(change, (rng.choice(HOSTILE), number))
            except sqlite3.IntegrityError:  # NULL where there must be something
                continue
        if rng.random() < 0.5:  # by someone who knows how the digest is made
            select = f"SELECT {', '.join(COLUMNS)} FROM evaluations WHERE id = ?"
            try:
                forged = digest_of(connection.execute(select, (number,)).fetchone())
                connection.execute(
                    "UPDATE evaluations SET digest = ? WHERE id = ?", (forged, number)
                )
                honest = False
            except TypeError:  # bytes have no digest
                honest = True
        else:
            honest = True
        connection.execute(_IMMUTABLE)
        connection.close()
        try:
            counts[outcome(path, known)] += 1
        except AssertionError as error:
            # With its digest made anew it is a result of someone's: whole, and of the right types.
            if honest or "other" not in str(error):
                pytest.fail(f"case {seed}: {error}")
            assert all(_plausible(row.evaluation) for row in EvaluationStore(path).rows())
            counts[f"a forger's: {str(error).splitlines()[0]}"] += 1
        except Exception as error:
            pytest.fail(f"case {seed}: {type(error).__name__}: {error}")
        path.unlink()
    print(dict(counts))
    assert counts["refused"] > 0


def _plausible(evaluation: Evaluation) -> bool:
    metric = evaluation.metric
    return (metric is None) == (evaluation.state == "failed") and (
        metric is None or (type(metric) is float and abs(metric) < float("inf"))
    )


WRITER = """
import sys
from nas_env.evaluation.store import EvaluationStore
sys.path.insert(0, sys.argv[3])
from tests.faults.test_store import results
store = EvaluationStore(sys.argv[1])
for key, evaluation in list(results(40).items())[int(sys.argv[2])::2] * 2:
    assert store.put(key, evaluation).metric == evaluation.metric
    assert store.get(key).metric == evaluation.metric
"""


@pytest.mark.parametrize("count", range(2, 9))
@pytest.mark.parametrize("begin", ["new", "version 1"])
def test_processes_on_one_store_put_each_result_in_once(
    count: int, begin: str, tmp_path: Path
) -> None:
    """Some of them killed at any instant."""
    path = tmp_path / "store.sqlite"
    if begin == "version 1":
        shutil.copy(GOLDEN, path)
    root = str(Path(__file__).parents[2])
    rng = random.Random(count)
    for attempt in range(2):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(path), str(number % 2), root],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in range(count)
        ]
        if attempt == 0:
            for writer in writers[::2]:
                try:
                    writer.wait(timeout=rng.uniform(0.5, 2.0))
                except subprocess.TimeoutExpired:
                    writer.kill()
        errors = [writer.communicate(timeout=300)[1] for writer in writers]
        assert errors == [""] * count
    with EvaluationStore(path) as store:
        rows = list(store.rows())
        ours = {
            row.key: replace(row.evaluation, cached=False) for row in rows[16 * (begin != "new") :]
        }
        assert ours == results(40)
        assert len(rows) == 40 + 16 * (begin != "new")
    assert not list(tmp_path.glob("*.pending"))


def test_a_store_refused_once_is_refused_each_time(kept: Path, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    content = bytearray((kept / "closed.sqlite").read_bytes())
    content[100] ^= 0xFF
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreError):
            EvaluationStore(path).check()
