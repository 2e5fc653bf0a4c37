"""Text data as every child sees it: training and validation tokens, resident in memory.

Word level: the words of a line, then ``<eos>``. Character level: the characters of the stripped
line, then a newline. The vocabulary comes from the training text alone. The test part is out of
reach here: only ``nas_env.data.held_out_text`` reads it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import torch
from torch import Tensor

from nas_env.checks import at_least, check_settings, shown
from nas_env.data.datasets import TextDataset, dataset_of, offline_hint
from nas_env.data.text_folder import digest_of_texts
from nas_env.errors import InvalidDatasetError
from nas_env.system.folders import data_folder

Level = Literal["word", "character"]
END_OF_LINE: dict[Level, str] = {"word": "<eos>", "character": "\n"}
UNKNOWN = "<unk>"
OPEN_LEAST_COUNT = 2
"""A symbol of an open text without a vocabulary limit is kept if it occurs so often."""


@dataclass(frozen=True)
class TextSelection:
    """How a text is read. All of it changes the metric.

    Attributes:
        level: ``"word"`` or ``"character"``.
        vocabulary_size: keep so many of the most frequent symbols of the training text, one of them
            ``<unk>`` for all others; None keeps all of Penn Treebank, and of any other text those
            that occur at least twice, so that ``<unk>`` is met in training.
        train_tokens: at most so many training tokens, from the start; None = all.
        valid_tokens: at most so many validation tokens, from the start; None = all.
    """

    level: Level = "word"
    vocabulary_size: Annotated[int | None, at_least(2)] = None
    train_tokens: Annotated[int | None, at_least(1)] = None
    valid_tokens: Annotated[int | None, at_least(1)] = None

    def __post_init__(self) -> None:
        """Check every field."""
        check_settings(self, "text selection")


@dataclass(frozen=True)
class Vocabulary:
    """Symbols (words or characters) and their ids, the most frequent first.

    Attributes:
        symbols: the symbol of each id.
        level: what a symbol is.
    """

    symbols: tuple[str, ...]
    level: Level

    def __len__(self) -> int:
        return len(self.symbols)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Symbol -> id."""
        return {symbol: index for index, symbol in enumerate(self.symbols)}

    @property
    def end_of_line(self) -> int:
        """Id of the symbol that ends every line; it also stands before the first token."""
        return self.ids[END_OF_LINE[self.level]]

    def encode(self, symbols: Sequence[str]) -> Tensor:
        """(n,) int64 ids.

        Raises:
            InvalidDatasetError: a symbol is unknown and the vocabulary has no ``<unk>``.
        """
        ids = self.ids
        unknown = ids.get(UNKNOWN)
        try:
            if unknown is None:
                found = [ids[symbol] for symbol in symbols]
            else:
                found = [ids.get(symbol, unknown) for symbol in symbols]
        except KeyError as error:
            raise InvalidDatasetError(
                f"The {self.level} {shown(error.args[0])} is not in the vocabulary of {len(self)}, "
                f"which has no {UNKNOWN} to stand for it. Set vocabulary_size to reserve one."
            ) from None
        return torch.tensor(found, dtype=torch.int64)


@dataclass(frozen=True)
class TextData:
    """Training and validation tokens.

    Attributes:
        train: (n,) int64 token ids.
        valid: (m,) int64 token ids.
        vocabulary: their meaning.
    """

    train: Tensor
    valid: Tensor
    vocabulary: Vocabulary

    def to(self, device: torch.device) -> "TextData":
        """The same data, resident on ``device``."""
        return replace(self, train=self.train.to(device), valid=self.valid.to(device))


def load_text(
    dataset: str | TextDataset,
    data_dir: str | Path | None = None,
    selection: TextSelection | None = None,
) -> TextData:
    """Read a text, build its vocabulary, and reduce it to what ``selection`` asks for.

    Args:
        dataset: a name, a folder with ``*.train.txt`` and ``*.valid.txt``, or a row.
        data_dir: where downloaded data sets live (default: ``data_folder()``).
        selection: level and sizes; all words by default.

    Raises:
        DatasetNotFoundError: neither on disk nor downloadable.
        InvalidDatasetError: there, but damaged or not usable.
    """
    selection = selection or TextSelection()
    row = dataset_of(TextDataset, dataset)
    train, valid = (split_symbols(text, selection.level) for text in _read(row, data_dir))
    vocabulary = build_vocabulary(train, selection, row.closed_vocabulary)
    return TextData(
        train=vocabulary.encode(train[: selection.train_tokens]),
        valid=vocabulary.encode(valid[: selection.valid_tokens]),
        vocabulary=vocabulary,
    )


def text_digest(dataset: str | TextDataset, data_dir: str | Path | None = None) -> str:
    """Identity of the training and validation text, without encoding it.

    Raises:
        DatasetNotFoundError: neither on disk nor downloadable.
        InvalidDatasetError: there, but not usable.
    """
    row = dataset_of(TextDataset, dataset)
    if row.digest is not None:
        return row.digest(data_folder(data_dir))
    return digest_of_texts(*(text.encode() for text in _read(row, data_dir)))


def split_symbols(text: str, level: Level) -> Sequence[str]:
    """Text to words or characters, each line closed by ``END_OF_LINE[level]``."""
    lines = text.splitlines()
    if level == "character":
        return "".join(f"{line.strip()}\n" for line in lines)
    return [word for line in lines for word in (*line.split(), END_OF_LINE["word"])]


def build_vocabulary(
    train: Iterable[str], selection: TextSelection, closed: bool = False
) -> Vocabulary:
    """Symbols of the training text by falling frequency, equal ones in alphabetical order.

    Args:
        train: every symbol of the training text.
        selection: level and limit.
        closed: no other symbol will ever be met (Penn Treebank), so ``<unk>`` need not be reserved
            and rare symbols are kept.

    Raises:
        InvalidDatasetError: fewer than two different symbols beside ``<unk>`` and the line end.
    """
    counts = Counter(train)
    special = {UNKNOWN, END_OF_LINE[selection.level]}
    if len(counts.keys() - special) < 2:
        raise InvalidDatasetError(
            f"The training text has {len(counts.keys() - special)} different "
            f"{selection.level}(s): {shown(sorted(counts))}. A language model needs at least two. "
            f"{offline_hint(TextDataset)}"
        )
    least = 1 if closed or selection.vocabulary_size is not None else OPEN_LEAST_COUNT
    kept = [symbol for symbol, count in counts.items() if count >= least or symbol in special]
    if UNKNOWN not in counts and not (closed and selection.vocabulary_size is None):
        kept.append(UNKNOWN)
    # Special symbols sort as if most frequent only for the cut, then all by their frequency.
    kept.sort(key=lambda symbol: (symbol not in special, -counts[symbol], symbol))
    kept = kept[: selection.vocabulary_size]
    kept.sort(key=lambda symbol: (-counts[symbol], symbol))
    return Vocabulary(tuple(kept), selection.level)


def _read(row: TextDataset, data_dir: str | Path | None) -> tuple[str, str]:
    """Training and validation text."""
    folder = data_folder(data_dir)
    texts = row.train(folder), row.valid(folder)
    for text in texts:
        if not isinstance(text, str):
            raise InvalidDatasetError(
                f"The reader of {row.name} gave {type(text).__name__}; it must return text (str)."
            )
    return texts
