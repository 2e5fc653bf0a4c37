"""Seeded damage to files: what disks, editors, copies and strangers do to them.

    rng = random.Random(seed)
    what = damage(path, rng)                   # any kind; says in words what was done
    what = damage(path, rng, other=another)    # also: the file of another run in its place

``cases(150, 1000)`` is the number of cases of a test: the first in CI, the second with
``NAS_ENV_FAULTS=all``; a number there is a number of cases.
"""

import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

BLOCK = 512
"""Bytes of a lost block of a disk."""

Content = Callable[[bytes, random.Random], bytes]
Place = Callable[[Path, random.Random], None]


def cases(usual: int, whole: int) -> int:
    """How many cases a test of the fault suite runs: see ``NAS_ENV_FAULTS``."""
    asked = os.environ.get("NAS_ENV_FAULTS", "")
    if asked == "all":
        return whole
    return int(asked) if asked else usual


def damage(
    path: Path, rng: random.Random, kinds: Sequence[str] = (), other: Path | None = None
) -> str:
    """Damage a file in one way of ``kinds`` (all that can be done here, unless given).

    The file differs afterwards: in its bytes, or in what it is.

    Args:
        path: the file.
        rng: says which way and where.
        kinds: names of ``KINDS``; () = all.
        other: a file of the same sort whose content may take this one's place.

    Returns:
        What was done, for a message.
    """
    allowed = [kind for kind in kinds or KINDS if _possible(kind, other)]
    content = path.read_bytes()
    for _ in range(1000):
        kind = rng.choice(allowed)
        if kind in PLACES:
            PLACES[kind](path, rng)
            return f"{path.name}: {kind}"
        changed = _changed(kind, content, rng, other)
        if changed != content:
            path.write_bytes(changed)
            return f"{path.name}: {kind}, {_where(content, changed)}"
    raise ValueError(f"None of {allowed} changes the {len(content)} bytes of {path}.")


def _possible(kind: str, other: Path | None) -> bool:
    if kind == "other":
        return other is not None
    return kind != "permission" or os.geteuid() != 0  # root may read everything


def _changed(kind: str, content: bytes, rng: random.Random, other: Path | None) -> bytes:
    if kind == "other":
        return b"" if other is None else other.read_bytes()
    return CONTENTS[kind](content, rng)


def _where(before: bytes, after: bytes) -> str:
    equal = zip(before, after, strict=False)
    first = next((i for i, (a, b) in enumerate(equal) if a != b), min(len(before), len(after)))
    return f"{len(before)} -> {len(after)} bytes, the first different one at {first}"


def _place(content: bytes, rng: random.Random) -> int:
    return rng.randrange(len(content)) if content else 0


def flip(content: bytes, rng: random.Random) -> bytes:
    """One bit."""
    at = _place(content, rng)
    return (
        content[:at]
        + bytes([b ^ (1 << rng.randrange(8)) for b in content[at : at + 1]])
        + (content[at + 1 :])
    )


def digit(content: bytes, rng: random.Random) -> bytes:
    """One digit becomes another: what no parser notices."""
    places = [i for i, byte in enumerate(content) if byte in b"0123456789"]
    if not places:
        return content
    at = rng.choice(places)
    return content[:at] + rng.choice(b"0123456789").to_bytes(1, "big") + content[at + 1 :]


def delete(content: bytes, rng: random.Random) -> bytes:
    """A few bytes are gone."""
    at = _place(content, rng)
    return content[:at] + content[at + rng.randint(1, 20) :]


def insert(content: bytes, rng: random.Random) -> bytes:
    """A few bytes more, of any value."""
    at = _place(content, rng)
    return content[:at] + rng.randbytes(rng.randint(1, 20)) + content[at:]


def insert_text(content: bytes, rng: random.Random) -> bytes:
    """A word of trouble for parsers."""
    words = (b"nan", b"-1", b"1e999", b'"', b",", b"\n", b"\r\n", b"\x00", b"[" * 2000, b"{}")
    at = _place(content, rng)
    return content[:at] + rng.choice(words) + content[at:]


def truncate(content: bytes, rng: random.Random) -> bytes:
    """The end is gone."""
    return content[: _place(content, rng)]


def zero(content: bytes, rng: random.Random) -> bytes:
    """A block of zeros, as after a power cut."""
    at = _place(content, rng) // BLOCK * BLOCK
    size = min(BLOCK, len(content) - at)
    return content[:at] + bytes(size) + content[at + size :]


def swap_lines(content: bytes, rng: random.Random) -> bytes:
    """Two lines change places."""
    lines = content.splitlines(keepends=True)
    if len(lines) < 2:
        return content
    first, second = rng.sample(range(len(lines)), 2)
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def double_line(content: bytes, rng: random.Random) -> bytes:
    """A line twice."""
    lines = content.splitlines(keepends=True)
    if lines:
        at = rng.randrange(len(lines))
        lines.insert(at, lines[at])
    return b"".join(lines)


def drop_line(content: bytes, rng: random.Random) -> bytes:
    """A line is gone."""
    lines = content.splitlines(keepends=True)
    if lines:
        del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def line_ends(content: bytes, rng: random.Random) -> bytes:
    """As an editor of another system saves it."""
    return content.replace(b"\n", b"\r\n")


def utf16(content: bytes, rng: random.Random) -> bytes:
    """As some programs save text."""
    return content.decode("latin-1").encode("utf-16")


def empty(content: bytes, rng: random.Random) -> bytes:
    """Nothing left."""
    return b""


def noise(content: bytes, rng: random.Random) -> bytes:
    """As many bytes, none of them right."""
    return rng.randbytes(len(content))


def _remove(path: Path, rng: random.Random) -> None:
    path.unlink()


def _folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _link_to_nothing(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.with_name("not-there"))


def _link_to_itself(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to(path)


def _permission(path: Path, rng: random.Random) -> None:
    path.chmod(0)


CONTENTS: dict[str, Content] = {
    "flip": flip,
    "digit": digit,
    "delete": delete,
    "insert": insert,
    "insert text": insert_text,
    "truncate": truncate,
    "zero": zero,
    "swap lines": swap_lines,
    "double line": double_line,
    "drop line": drop_line,
    "line ends": line_ends,
    "utf-16": utf16,
    "empty": empty,
    "noise": noise,
}
"""Kinds that change the bytes."""
PLACES: dict[str, Place] = {
    "removed": _remove,
    "folder": _folder,
    "link to nothing": _link_to_nothing,
    "link to itself": _link_to_itself,
    "permission": _permission,
}
"""Kinds that put something else in the file's place."""
KINDS = (*CONTENTS, *PLACES, "other")


def copy_of(folder: Path, to: Path) -> Path:
    """A fresh copy of a folder to damage: what a case before it left there is gone."""
    if to.exists():
        shutil.rmtree(to)
    shutil.copytree(folder, to, symlinks=True)
    return to
