"""The text of Python's own documentation topics (``pydoc_data.topics``): nothing to download.

Topics quote each other, so a paragraph is kept only in the first topic that has it: none is in two
parts. Parts are whole topics, every tenth in alphabetical order for validation and for test. The
text differs between versions of Python, hence so does the data-set digest.
"""

import re
from functools import lru_cache, partial
from pathlib import Path

from nas_env.data.datasets import TextDataset, offline_hint
from nas_env.data.text_folder import Part
from nas_env.errors import DatasetNotFoundError

VALID_TOPICS = slice(2, None, 10)
TEST_TOPICS = slice(8, None, 10)
_PARAGRAPH = re.compile(r"\n\s*\n")
_RULE = re.compile(r"([^\w\s])\1{3,}")  # the ****** under a heading
_WORD = re.compile(r"\w+|[^\w\s]")


def read_pydocs(data_dir: Path, part: Part) -> str:
    """One part: a paragraph a line, lower case, words and punctuation apart by one space.

    Raises:
        DatasetNotFoundError: this Python was installed without ``pydoc_data``.
    """
    topics = _paragraphs()
    names = sorted(topics)
    chosen = {"valid": names[VALID_TOPICS], "test": names[TEST_TOPICS]}
    held_out = {*chosen["valid"], *chosen["test"]}
    chosen["train"] = [name for name in names if name not in held_out]
    return "".join(f"{line}\n" for name in chosen[part] for line in topics[name])


@lru_cache(maxsize=1)
def _paragraphs() -> dict[str, list[str]]:
    """Topic -> its paragraphs, each a line; without those of topics earlier in the alphabet."""
    seen: set[str] = set()
    result: dict[str, list[str]] = {}
    for name, text in sorted(_topics().items()):
        lines = [
            " ".join(_WORD.findall(_RULE.sub("", paragraph).lower()))
            for paragraph in _PARAGRAPH.split(text)
        ]
        fresh = dict.fromkeys(line for line in lines if line and line not in seen)
        seen.update(fresh)
        result[name] = list(fresh)
    return result


def _topics() -> dict[str, str]:
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DatasetNotFoundError(
            "This Python was installed without pydoc_data.topics, the text of dataset='pydocs' "
            f"({error}). Install the full standard library, or name another data set. "
            f"{offline_hint(TextDataset)}"
        ) from error
    return topics


DATASET = TextDataset(
    name="pydocs",
    env="NAS-PyDocs-v0",
    train=partial(read_pydocs, part="train"),
    valid=partial(read_pydocs, part="valid"),
    held_out=partial(read_pydocs, part="test"),
    recipes={  # 60,000 words, so smaller children and more epochs
        "paper": {"parameter_budget": 2_000_000},
        "fast": {"hidden_size": 128, "batch_size": 20, "epochs": 12, "constant_epochs": 12},
        "quick": {"epochs": 2, "constant_epochs": 2, "vocabulary_size": 1000},
    },
    offline=True,
)
