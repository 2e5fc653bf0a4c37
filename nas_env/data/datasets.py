"""The table of data sets: a row says all there is to know of one, and nothing else lists names.

The rows that come with the package stand in the files of ``SHIPPED``, each as ``DATASET``, and are
loaded when somebody asks for them. A folder is a row made on the fly. A user adds a row with
``nas_env.register_dataset``. Neither torch nor a reader's library is imported here.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar

from nas_env.checks import above, at_least, below, check_settings, matching, require, shown
from nas_env.data.raw_images import RawImages
from nas_env.errors import ConfigurationError, DatasetNotFoundError
from nas_env.system.reading import reason, strict_json

DatasetGiven: TypeAlias = Any
"""What ``dataset=`` takes: a name, a path, a row, data in memory, or a dict of these and settings;
see ``nas_env.data.in_memory.row_of``."""

SHIPPED = ("cifar10", "digits", "ptb", "pydocs")
"""Each is ``DATASET`` in the file of that name in this folder."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What rows of images and of text share. A reader gets the folder of downloaded data.

    Attributes:
        name: what ``dataset=`` and ``--dataset`` call it.
        env: the environment for a search on it where none is named.
        digest: identity of training and validation data, as text that changes when they do; cheap,
            without decoding, but it may download. None = a hash of what the readers give.
        recipes: what differs from the recipes of its kind, by recipe name:
            ``{"quick": {"epochs": 1}}``.
        offline: nothing has to be downloaded, so errors of other data sets recommend it.
        recorded: what a run's configuration says of data that have no name or path; None = the
            name.
    """

    what: ClassVar[str]  # in words
    folder_module: ClassVar[str]  # makes a row of a folder
    folder_words: ClassVar[str]

    name: Annotated[str, matching(bool, "that is not empty")]
    env: str
    digest: Callable[[Path], str] | None = None
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    offline: bool = False
    recorded: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        owner = f"data set {self.name!r}:"
        check_settings(self, owner)
        for name in ("train", "valid", "held_out", "held_out_classes", "digest"):
            reader = getattr(self, name, None)
            needed = name == "train" or (name == "valid" and isinstance(self, TextDataset))
            absent = reader is None and (not needed or not hasattr(self, name))
            require(absent or callable(reader), name, reader, "a function of a folder", owner)


@dataclass(frozen=True, kw_only=True)
class ImageDataset(Dataset):
    """Images with a class each.

    Attributes:
        train: reads the images that training and, where ``valid`` is None, validation are cut
            from.
        valid: reads the images of validation.
        held_out: reads the images of the final test; None = there are none. Only
            ``nas_env.data.held_out_images`` touches it: no search can see them.
        held_out_classes: class names of the test part, without reading its images, None where there
            is no such part; what is not given is found out when the part is read.
        shape: (channels, height, width) where known beforehand.
        classes: number of classes where known beforehand.
        validation_share: of ``train``, kept for validation where ``valid`` is None.
    """

    what: ClassVar[str] = "images"
    folder_module: ClassVar[str] = "nas_env.data.image_folder"
    folder_words: ClassVar[str] = "the path of an image folder"

    env: str = "NAS-CIFAR10-v0"
    train: Callable[[Path], RawImages]
    valid: Callable[[Path], RawImages] | None = None
    held_out: Callable[[Path], RawImages] | None = None
    held_out_classes: Callable[[Path], tuple[str, ...] | None] | None = None
    shape: tuple[int, int, int] | None = None
    classes: Annotated[int | None, at_least(2)] = None
    validation_share: Annotated[float, above(0), below(1)] = 0.1


@dataclass(frozen=True, kw_only=True)
class TextDataset(Dataset):
    """A text in lines.

    Attributes:
        train: reads the training text.
        valid: reads the validation text.
        held_out: reads the text of the final test; None = there is none. Only
            ``nas_env.data.held_out_text`` touches it: no search can see it.
        closed_vocabulary: validation and test have no word that training lacks, so none has to be
            kept for unknown ones.
    """

    what: ClassVar[str] = "text"
    folder_module: ClassVar[str] = "nas_env.data.text_folder"
    folder_words: ClassVar[str] = "a folder with *.train.txt, *.valid.txt and *.test.txt"

    env: str = "NAS-PTB-v0"
    train: Callable[[Path], str]
    valid: Callable[[Path], str]
    held_out: Callable[[Path], str] | None = None
    closed_vocabulary: bool = False


RowT = TypeVar("RowT", bound=Dataset)
_registered: dict[str, Dataset] = {}


def register_dataset(row: Dataset) -> None:
    """Make a data set known by its name: to ``gym.make``, ``nas_env.evaluate`` and every search.

    ``valid=`` reads a validation part, where the data have one of their own; without it
    ``validation_share`` of ``train`` is set aside. ``held_out=`` reads the images of a final test.

    The row goes to worker processes by itself. A process that makes environments of its own (a
    script started again, ``AsyncVectorEnv`` with spawned processes) registers it as well::

        import numpy as np
        import nas_env

        def shapes(data_dir):
            images = np.load(data_dir / "shapes.npz")
            return nas_env.RawImages(images["pixels"], images["labels"], ("circle", "square"))

        nas_env.register_dataset(
            nas_env.ImageDataset(
                name="shapes",
                train=shapes,                      # (n, channels, height, width) uint8
                digest=lambda data_dir: "shapes-1",  # another text when the images change
                env="NAS-CIFAR10-v0",
                validation_share=0.2,
                recipes={"quick": {"resolution": None, "flip": False}},
            )
        )
        nas_env.evaluate(nas_env.published.FIGURE_7, dataset="shapes")

    Args:
        row: an ``ImageDataset`` or a ``TextDataset``.

    Raises:
        ConfigurationError: it is no row, or another data set has that name.
    """
    if not isinstance(row, ImageDataset | TextDataset):
        raise ConfigurationError(
            f"register_dataset takes an ImageDataset or a TextDataset, got {row!r}."
        )
    if row.name in SHIPPED or _registered.get(row.name, row) != row:
        raise ConfigurationError(
            f"There is a data set named {row.name!r} already. Names that are taken: "
            f"{', '.join(map(repr, dataset_names()))}. Register yours under another name."
        )
    _registered[row.name] = row


def dataset_names(kind: type[Dataset] = Dataset) -> list[str]:
    """Names of all rows of a kind: those of the package, then those registered."""
    return [row.name for row in _rows(kind)]


def find_dataset(given: DatasetGiven) -> Dataset:
    """The row of a name, of a folder of images or text, or of data in memory.

    Raises:
        DatasetNotFoundError: none of these.
        InvalidDatasetError: data in memory that cannot be used.
    """
    kinds = (ImageDataset, TextDataset)
    given = data_given(given)
    if not isinstance(given, str):
        return _row_of(given)
    found = _named(given) or _folder_row(given, kinds)
    if found is None:
        ways = " or ".join(kind.folder_words for kind in kinds)
        raise DatasetNotFoundError(
            f"{shown(given)} is no data set: give one of {', '.join(dataset_names())}, or {ways}."
        )
    return found


def dataset_of(kind: type[RowT], given: DatasetGiven) -> RowT:
    """The row of this kind that a name, a folder, data in memory or the row itself means.

    Whether a folder is there is found out when it is read.

    Raises:
        DatasetNotFoundError: data of another kind.
        InvalidDatasetError: data in memory that cannot be used.
    """
    given = data_given(given)
    row = _named(given) if isinstance(given, str) else _row_of(given)
    if row is None:
        others = (other for other in (ImageDataset, TextDataset) if other is not kind)
        row = _folder_row(given, (kind, *others)) or _folder_maker(kind).folder_row(given)
    if not isinstance(row, kind):
        ids = ", ".join(dict.fromkeys(other.env for other in _rows(type(row))))
        raise DatasetNotFoundError(
            f"{row.name} is {row.what}, not {kind.what}: environments such as {ids} read it. "
            f"{offline_hint(kind)}"
        )
    return row


def data_given(given: DatasetGiven) -> DatasetGiven:
    """A name or path as text, a JSON object of settings as a dict, data in memory as their row.

    What it returns is cheap to keep, and read again without a copy of the images.

    Raises:
        InvalidDatasetError: data in memory that cannot be used.
        DatasetNotFoundError: text that begins like a JSON object and is none.
    """
    if isinstance(given, str | os.PathLike):
        text = os.fspath(given)
        return _settings(text) if text.startswith("{") else text
    settings = isinstance(given, Mapping) and "train" not in given  # of a folder, or recorded
    if given is None or isinstance(given, Dataset) or settings:
        return given
    return _row_of(given)


def _settings(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = strict_json(text)
    except ValueError as error:
        raise DatasetNotFoundError(
            f"{shown(text)} is neither a data set nor JSON ({reason(error)}). As in "
            '\'{"folder": "my_images", "image_size": 32}\'.'
        ) from error
    return found


def _row_of(given: Any) -> Dataset:
    if isinstance(given, Dataset):
        return given
    row: Dataset = import_module("nas_env.data.in_memory").row_of(given)
    return row


def offline_hint(kind: type[Dataset]) -> str:
    """What to do without a network or without data: the last words of many errors."""
    ways = [f"`--env {row.env}` (dataset={row.name!r})" for row in _rows(kind) if row.offline]
    return (
        f"Without a network use {kind.what} that need none: {', '.join(ways)}, or give "
        f"{kind.folder_words} as the dataset."
    )


def _rows(kind: type[RowT]) -> list[RowT]:
    every = [*map(_named, SHIPPED), *_registered.values()]
    return [row for row in every if isinstance(row, kind)]


def _named(name: str) -> Dataset | None:
    if name in SHIPPED:
        row: Dataset = import_module(f"nas_env.data.{name}").DATASET
        return row
    return _registered.get(name)


def _folder_row(path: Any, kinds: tuple[type[Dataset], ...]) -> Dataset | None:
    """A row of the first kind that the folder looks like."""
    for kind in kinds:
        maker = _folder_maker(kind)
        if maker.looks_like(path):
            row: Dataset = maker.folder_row(path)
            return row
    return None


def _folder_maker(kind: type[Dataset]) -> Any:
    return import_module(kind.folder_module)
