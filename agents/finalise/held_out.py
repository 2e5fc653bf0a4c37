"""The one reading of the test part, and its records.

It is written down before it happens, in ``test_reading.json`` of the result's folder, and with its
figure afterwards, there and as a row of the store under a data-set name that no search has. Both
name date and command. Where either knows of a reading for the same search, another is refused, or,
if forced, says so for ever.
"""

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from agents.records.provenance import command_line
from nas_env.data.datasets import ImageDataset
from nas_env.data.held_out_images import load_held_out_images
from nas_env.errors import HeldOutReadError
from nas_env.evaluation.evaluation import Evaluation
from nas_env.evaluation.seeding import architecture_key
from nas_env.evaluation.store import EvaluationStore, ResultKey
from nas_env.network.network import Network
from nas_env.network.pictures import resized
from nas_env.system.files import write_durably
from nas_env.system.reading import read_regular, reason, strict_json

FILE = "test_reading.json"
MOST_BYTES = 2**24
QUANTILE = 1.959964  # of the normal distribution, for 95%

Matrix = list[list[int]]


@dataclass(frozen=True)
class HeldOut:
    """Which test part.

    Attributes:
        dataset: its row.
        data_dir: where downloaded data sets are.
        resolution: of the recipe that trained the networks.
    """

    dataset: ImageDataset
    data_dir: str | None
    resolution: int | None


@dataclass(frozen=True)
class Reading:
    """What is written down.

    Attributes:
        search: identity of the search.
        networks: digest of the weights of each network that was measured, the kept one first.
        date: when it began.
        command: of the process.
        forced: the test part had been read for this search before, and this reading was forced.
        earlier: readings that were known then, in words.
        accuracies: of each network; empty while it has not been read.
        confusion: of the kept network: rows are true classes, columns predictions.
    """

    search: str
    networks: list[str]
    date: str
    command: str
    forced: bool = False
    earlier: tuple[str, ...] = ()
    accuracies: tuple[float, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()

    @property
    def done(self) -> bool:
        """Whether there are figures."""
        return bool(self.accuracies)

    @property
    def count(self) -> int:
        """Number of test images."""
        return sum(map(sum, self.confusion))

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the kept network's accuracy (Wilson): the noise of a finite test part."""
        return wilson(self.accuracies[0], self.count)

    @property
    def words(self) -> str:
        """One line."""
        figure = f": {self.accuracies[0]:.4f}" if self.done else ""
        return f"{self.date} by {self.command}{figure}"


def wilson(share: float, count: int) -> tuple[float, float]:
    """95% interval of a share of ``count`` independent draws (Wilson 1927)."""
    square = QUANTILE**2 / count
    middle = (share + square / 2) / (1 + square)
    half = QUANTILE * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


class TestReading:
    """The reading of one result folder.

    Args:
        folder: of the result.
        store: of the search.
        search: identity of the search.
        dataset: digest of the data set.
    """

    __test__ = False  # not a class of tests

    def __init__(self, folder: Path, store: EvaluationStore, search: str, dataset: str) -> None:
        self.path = folder / FILE
        self.store = store
        self.search = search
        self.dataset = f"test:{dataset}"

    def check(self, again: bool) -> None:
        """Before anything is trained: whether the reading will be allowed.

        Raises:
            HeldOutReadError: it was read for this search, in another folder, and not ``again``.
        """
        if not again and self.own() is None and (earlier := self._elsewhere()):
            raise _refused(earlier)

    def own(self) -> Reading | None:
        """What this folder's record says; None = nothing was read here.

        Raises:
            HeldOutReadError: the record was changed.
        """
        if not self.path.exists():
            return None
        try:
            told = strict_json(read_regular(self.path, MOST_BYTES))
            seal = told.pop("sha256")
            if seal != _seal(told):
                raise ValueError("its digest is another")
            lists = ("accuracies", "earlier")
            told |= {name: tuple(told[name]) for name in lists}
            return Reading(**{**told, "confusion": tuple(map(tuple, told["confusion"]))})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise HeldOutReadError(
                f"The record of the test reading {self.path} was changed or is damaged "
                f"({reason(error)}): what was read is not known any more. Restore it; if it is "
                "lost, remove it, read again with --test-again, and the result will say so."
            ) from error

    def read(
        self,
        networks: Sequence[Network],
        held_out: HeldOut,
        again: bool,
    ) -> Reading:
        """Read the test part, once; what was read before for the same networks is returned.

        Args:
            networks: measured in the one reading, the kept one first.
            held_out: which test part.
            again: read although it was read before.

        Raises:
            HeldOutReadError: it was read before for this search, for other networks.
        """
        digests = [network.file.digest() for network in networks]
        own = self.own()
        same = own is not None and own.networks == digests
        if own is not None and same and own.done:
            return own
        earlier = self._elsewhere()
        if own is not None and not same:
            earlier.append(own.words)
        if earlier and not again and not same:
            raise _refused(earlier)
        if own is None or not same:
            date = time.strftime("%Y-%m-%d %H:%M:%S %z")
            forced = bool(earlier)
            own = Reading(
                self.search, digests, date, command_line(), forced, tuple(dict.fromkeys(earlier))
            )
            self._write(own)
        measured = _measure(networks, held_out)
        done = replace(own, accuracies=measured[0], confusion=measured[1])
        self._record(networks[0], done)
        self._write(done)
        return done

    def _elsewhere(self) -> list[str]:
        """Readings for this search that the store knows of, in words."""
        words = []
        for row in self.store.rows(dataset=self.dataset):
            told = json.loads(row.evaluation.message or "{}")
            if told.get("search") == self.search:
                when = f"{told.get('date')} by {told.get('command')}"
                words.append(f"{when}: {row.evaluation.metric:.4f}")
        return words

    def _record(self, network: Network, reading: Reading) -> None:
        """A row of the store: who looks for a child's result never asks for this data set."""
        told = {name: value for name, value in asdict(reading).items() if name != "confusion"}
        key = ResultKey(
            architecture_key(network.file.architecture), self.dataset, ",".join(reading.networks), 0
        )
        self.store.put(
            key,
            Evaluation(
                architecture=key.architecture,
                seed=0,
                metric_name="accuracy",
                metric=reading.accuracies[0],
                state="complete",
                message=json.dumps({**told, "folder": str(self.path.parent)}),
            ),
        )

    def _write(self, reading: Reading) -> None:
        told = json.loads(json.dumps(asdict(reading)))
        sealed = {**told, "sha256": _seal(told)}
        write_durably(self.path, (json.dumps(sealed, indent=1) + "\n").encode())


def _seal(told: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _refused(earlier: Sequence[str]) -> HeldOutReadError:
    return HeldOutReadError(
        f"The test part has been read for this search before ({'; '.join(earlier)}). A second "
        "figure would be chosen by the first. Finalise without a test (--no-test), or read it all "
        "the same (--test-again): the result then says that it was read before."
    )


def _measure(
    networks: Sequence[Network], part: HeldOut
) -> tuple[tuple[float, ...], tuple[tuple[int, ...], ...]]:
    """Accuracy of each network, and the confusion matrix of the first."""
    classes = networks[0].classes
    held_out = load_held_out_images(part.dataset, part.data_dir, part.resolution, classes)
    images = resized(held_out.images, *networks[0].image_shape[1:])
    accuracies, confusion = [], torch.zeros(len(classes), len(classes), dtype=torch.int64)
    for number, network in enumerate(networks):
        predicted = network.logits(images).argmax(1)  # (n,)
        accuracies.append(float((predicted == held_out.labels).double().mean()))
        if number == 0:
            cells = held_out.labels * len(classes) + predicted
            confusion = cells.bincount(minlength=len(classes) ** 2).view(len(classes), -1)
    return tuple(accuracies), tuple(map(tuple, confusion.tolist()))
