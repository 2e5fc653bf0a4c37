"""Children whose machine fails them at random: a reward is the undisturbed one, or it is missing.

Workers are killed from within and from outside, and end by themselves; disks are full, files run
out, devices are out of order and memory is short, as the worker sees it. One child in 50 meets that
whenever it is tried. Children are small trainings of their own, of which some diverge, raise or are
over a limit of their own: those failures are results, and must stay what they are.
"""

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nas_env.envs.worth import Worth
from nas_env.evaluation.callable_evaluator import CallableTask
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.local import LocalExecutor
from nas_env.evaluation.pool.process_pool import ProcessExecutor
from nas_env.evaluation.pool.worker_process import WorkerState
from nas_env.evaluation.store import EvaluationStore
from nas_env.evaluation.stored_evaluator import StoredEvaluator
from nas_env.space.choices import ChoiceArchitecture
from tests.faults.damage import cases

pytestmark = pytest.mark.slow
CHILDREN, BATCH = 80, 40
FAULTS = ("SIGKILL", "exit", "full disk", "no more files", "device", "memory", "CUDA memory")


def train(architecture: Any, seed: int) -> float:
    """Least squares by gradient descent: every step counts, to the last bit."""
    import numpy as np

    from nas_env.errors import ChildDiverged, ChildTooLarge

    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(64, 8))
    targets = inputs @ rng.normal(size=8) + 0.1 * rng.normal(size=64)
    weights = np.zeros(8)
    for _ in range(200):
        weights -= architecture["rate"] * inputs.T @ (inputs @ weights - targets) / 64
    if architecture["kind"] == 1:
        raise ChildDiverged("the loss is NaN")
    if architecture["kind"] == 2:
        raise ValueError("no such layer")
    if architecture["kind"] == 3:
        raise ChildTooLarge("over the limit")
    return -float(np.mean((inputs @ weights - targets) ** 2))


def disturbed(folder: Path) -> CallableTask:
    """The same with faults: which, is drawn from the child's seed and the number of its try."""

    def function(architecture: Any, seed: int) -> float:
        import errno
        import os
        import random
        import signal

        note = folder / str(seed)
        tries = note.stat().st_size if note.exists() else 0
        with note.open("a") as file:
            file.write("x")
        cursed = random.Random(seed).random() < 0.02
        rng = random.Random(1000 * seed + tries)
        if cursed or rng.random() < 0.12:
            # The try after one without memory is alone: what is short then is the child's doing.
            fault = rng.choice(FAULTS if tries == 0 and not cursed else FAULTS[:5])
            with (folder / "faults").open("a") as file:
                file.write(f"{fault}\n")
            if fault == "SIGKILL":
                os.kill(os.getpid(), signal.SIGKILL)
            if fault == "exit":
                os._exit(3)
            if fault == "full disk":
                raise OSError(errno.ENOSPC, "No space left on device")
            if fault == "no more files":
                raise RuntimeError("it was not written") from OSError(errno.EMFILE, "Too many")
            if fault == "device":
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            if fault == "memory":
                raise MemoryError
            raise type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory")
        return train(architecture, seed)

    return CallableTask(function, "disturbed")


def architectures(part: int) -> list[ChoiceArchitecture]:
    """Different ones; one in ten fails by its own fault."""
    rng = random.Random(part)
    kinds = [rng.choice((1, 2, 3)) if rng.random() < 0.1 else 0 for _ in range(CHILDREN)]
    return [
        ChoiceArchitecture({"number": number, "rate": 0.01 + 0.0001 * (number % 97), "kind": kind})
        for number, kind in enumerate(kinds, CHILDREN * part)
    ]


@contextmanager
def killer(pool: ProcessExecutor, seed: int) -> Iterator[list[int]]:
    """Kill a worker that trains or waits, now and then, as an administrator would."""
    rng, over, killed = random.Random(seed), threading.Event(), list[int]()

    def kill() -> None:
        while not over.wait(rng.uniform(0.5, 2.0)):
            ready = (WorkerState.BUSY, WorkerState.READY)
            workers = [worker for worker in list(pool._pool) if worker.state in ready]
            if workers:
                killed.append(rng.choice(workers).pid)
                os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def outcome(evaluation: Evaluation) -> tuple[Any, ...]:
    return (
        evaluation.metric,
        evaluation.state,
        evaluation.failure,
        evaluation.message.split(" [")[0],
    )


@pytest.mark.parametrize("part", range(cases(1, 25)))
def test_every_reward_is_the_undisturbed_ones_or_is_marked_as_missing(
    part: int, tmp_path: Path
) -> None:
    batch = architectures(part)
    task = disturbed(tmp_path)
    calm = CallableTask(train, task.name)  # the same key: the same seeds
    expected = StoredEvaluator(calm, LocalExecutor(calm)).evaluate(batch, 0)
    pool = ProcessExecutor(task, workers=2)
    worth = Worth(lambda metric: metric, -1e6, "metric")
    with EvaluationStore(tmp_path / "store.sqlite") as store:
        evaluator = StoredEvaluator(task, pool, store)
        seen: list[Evaluation] = []
        with killer(pool, seed=part) as killed:
            for first in range(0, CHILDREN, BATCH):
                seen += evaluator.evaluate(batch[first : first + BATCH], 0)
        evaluator.close()
        stored = {row.key.architecture: row.evaluation for row in store.rows()}
        missing = [item for item in seen if item.missing]
        for item, undisturbed in zip(seen, expected, strict=True):
            assert worth.missing(item) == item.missing
            if item.missing:
                assert item.architecture not in stored
                assert item.failure in ("worker_lost", "error")
            else:
                assert outcome(item) == outcome(undisturbed)
                assert worth.of(item) == worth.of(undisturbed)
                assert outcome(stored[item.architecture]) == outcome(undisturbed)
        # What is asked for again in a better hour gets its reward, and all are as they should be.
        again = StoredEvaluator(calm, LocalExecutor(calm), store).evaluate(batch, 0)
        assert list(map(outcome, again)) == list(map(outcome, expected))
        assert len(store) == CHILDREN
    faults = Counter((tmp_path / "faults").read_text().split("\n")[:-1])
    assert len(missing) < 0.1 * CHILDREN
    print(f"{dict(faults)}, {len(killed)} killed from outside, {len(missing)} without a reward")
