"""Images in memory as a data set: known by their content, handed to worker processes as a file.

A row of data in memory holds the images. Where it is pickled, for a worker process, the images go
into the cache once, and the pickle says where.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from nas_env.checks import at_least, at_most, checked, listed, near_miss, shown
from nas_env.data import image_cache
from nas_env.data.datasets import Dataset, ImageDataset
from nas_env.data.given_images import WAYS, raw_images
from nas_env.data.image_folder import folder_row
from nas_env.data.raw_images import RawImages, content_digest
from nas_env.errors import DatasetNotFoundError, InvalidDatasetError

ImageSize = Annotated[int | None, at_least(1), at_most(4096)]
OF_MEMORY = ("train", "valid", "test", "classes", "image_size")
OF_FOLDER = ("folder", "image_size")


def row_of(given: Any) -> Dataset:
    """The row of what is neither a name nor a path.

    Args:
        given: ``(images, labels)``, a torch ``Dataset``, ``RawImages``; a dict of ``train`` and
            optionally ``valid``, ``test``, ``classes`` and ``image_size``; or a dict of ``folder``
            and ``image_size``.

    Raises:
        InvalidDatasetError: it cannot be used.
        DatasetNotFoundError: it is what a run recorded of data that were in memory.
    """
    if not isinstance(given, Mapping):
        return memory_row(given)
    if "digest" in given:
        raise DatasetNotFoundError(
            f"This run was trained on images in memory ({shown(dict(given))}), which it does not "
            "keep: give them again, as dataset=."
        )
    allowed = OF_FOLDER if "folder" in given else OF_MEMORY
    for name in given:
        if name not in allowed:
            hint = near_miss(name, allowed)
            raise InvalidDatasetError(
                f"A data set has no {shown(name)}.{hint} Allowed: {', '.join(OF_MEMORY)} for data "
                f"in memory, {', '.join(OF_FOLDER)} for a folder."
            )
    size = checked("image_size", given.get("image_size"), ImageSize)
    if "folder" in given:
        return folder_row(given["folder"], size)
    if given.get("train") is None:
        raise InvalidDatasetError(f"A data set needs 'train' or 'folder'. {WAYS}")
    return memory_row(
        given["train"], given.get("valid"), given.get("test"), given.get("classes"), size
    )


def memory_row(
    train: Any, valid: Any = None, test: Any = None, classes: Any = None, size: int | None = None
) -> ImageDataset:
    """A row of images in memory; what each part may be: ``given_images.raw_images``.

    Args:
        train: for training, and for validation where ``valid`` is None.
        valid: for validation.
        test: for the final test; it never leaves this process.
        classes: class names in label order.
        size: bring all images to this height and width.
    """
    texts = isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes)
    if classes is not None and (not texts or len(set(classes)) < len(classes)):
        raise InvalidDatasetError(
            f"classes must be a list of different texts, got {shown(classes)}."
        )
    parts = {"train": raw_images(train, classes, size)}
    for name, given in (("valid", valid), ("test", test)):
        if given is not None:
            parts[name] = _like(
                parts["train"], raw_images(given, classes, size, parts["train"]), name
            )
    raw = parts["train"]
    digest = content_digest(raw, parts.get("valid"))
    return ImageDataset(
        name=f"arrays-{digest[-8:]}",
        train=KeptImages(raw),
        valid=KeptImages(parts["valid"]) if "valid" in parts else None,
        held_out=HeldOutKept(parts["test"]) if "test" in parts else None,
        digest=_Digest(digest),
        recorded={
            "digest": digest,
            "images": list(raw.images.shape),
            "classes": list(raw.classes),
        },
    )


def _like(train: RawImages, other: RawImages, name: str) -> RawImages:
    """Another part, if its images are like those of training."""
    if other.classes != train.classes:
        raise InvalidDatasetError(
            f"The classes of {name} are {listed(other.classes)}, those of train "
            f"{listed(train.classes)}. Give both the same, in one order."
        )
    if other.images.shape[1:] != train.images.shape[1:]:
        raise InvalidDatasetError(
            f"Images of {name} have (channels, height, width) {other.images.shape[1:]}, those of "
            f"train {train.images.shape[1:]}. Bring all to one size: 'image_size': 32."
        )
    return other


class KeptImages:
    """Reads one part: from this process's memory, or from the cache where another process kept it.

    Args:
        raw: the images.
    """

    def __init__(self, raw: RawImages) -> None:
        # A copy: what the user does with the arrays later must not change what children see.
        self._raw = RawImages(raw.images.copy(), raw.labels.copy(), raw.classes)
        self._digest = content_digest(self._raw)

    def __call__(self, data_dir: Path) -> RawImages:
        """The images; the folder of data is not looked at."""
        return self._raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeptImages) and other._digest == self._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __deepcopy__(self, memo: Any) -> "KeptImages":
        return self  # nothing changes it

    def __reduce__(self) -> Any:
        raw = self._raw
        if image_cache.read_digest(self._digest) != self._digest:
            image_cache.write_images(self._digest, raw.images, self._digest)
        if image_cache.read_digest(self._digest) != self._digest:
            return KeptImages, (raw,)  # a cache that cannot be written: it costs time
        return _kept, (self._digest, raw.labels, raw.classes)


def _kept(digest: str, labels: Any, classes: tuple[str, ...]) -> KeptImages:
    """What another process kept.

    Raises:
        InvalidDatasetError: it is gone, or no longer the same.
    """
    images = image_cache.read_images(digest, len(labels))
    made = None if images is None else KeptImages(RawImages(images, labels, classes))
    if made is None or made._digest != digest:
        raise InvalidDatasetError(
            f"The images in memory that another process kept in the cache as {digest} are gone or "
            "damaged. Start again from the process that holds them."
        )
    return made


class HeldOutKept:
    """Reads the test part, in the process that was given it; it never travels to another."""

    def __init__(self, raw: RawImages | None = None) -> None:
        self._raw = raw

    def __call__(self, data_dir: Path) -> RawImages:
        """The images; the folder of data is not looked at."""
        if self._raw is None:
            raise DatasetNotFoundError(
                "Test images in memory stay in the process that was given them: measure there."
            )
        return self._raw

    def __deepcopy__(self, memo: Any) -> "HeldOutKept":
        return self

    def __reduce__(self) -> Any:
        return HeldOutKept, ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HeldOutKept)  # of no weight for what children are trained on

    def __hash__(self) -> int:
        return hash(HeldOutKept)


class _Digest:
    """Says the digest that was taken when the images were given."""

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def __call__(self, data_dir: Path) -> str:
        return self.digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Digest) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)
