"""What pages and package say of how recipes rank: from docs/results/ranking/NAS-*.json.

Each of these files is the ``figures.json`` of one ``scripts/rank_recipes.py``, under the name of
the id that it measured. A recipe there is known by its settings: what it was called may have
changed its meaning since.
"""

import json
from collections.abc import Mapping
from typing import Any

import gymnasium as gym

from agents.ranking.measure import SIZE_ALONE
from agents.ranking.table import markdown, read
from nas_env.envs.evidence import UNKNOWN, Evidence, evidence_of
from nas_env.envs.settings import ChildSettings, settings_of
from nas_env.registration import REGISTRATIONS
from scripts.documents.results import FILE

FOLDER = FILE.parent / "ranking"
NEXT = "For a network worth having, train the best few by a longer recipe."
LEAST = 8
"""Networks; fewer are no evidence."""


def measurement(env_id: str) -> dict[str, Any] | None:
    """The figures of an id."""
    path = FOLDER / f"{env_id}.json"
    if not path.exists():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def package_table() -> str:
    """``nas_env/envs/evidence.json`` as it should be."""
    table = {one.id: rows for one in REGISTRATIONS if (rows := _rows(one.id))}
    return json.dumps(table, indent=1) + "\n"


def _rows(env_id: str) -> list[dict[str, Any]]:
    content = measurement(env_id)
    if content is None:
        return []
    settings = default_settings(env_id)
    found = []
    for row in content["rows"]:
        if row["name"] == SIZE_ALONE or row["networks"] < LEAST:
            continue
        full = content["recipes"][row["name"]]
        found.append(
            {
                "recipe": digest_of(settings, full),
                "name": called(settings, full),
                "networks": row["networks"],
                "spearman": _interval(row["spearman"]),
                "given_size": _interval(row["partial_spearman"]),
            }
        )
    return found


def _interval(figure: Mapping[str, Any]) -> list[float] | None:
    values = [figure["value"], figure["low"], figure["high"]]
    return None if None in values else [round(value, 3) for value in values]


def default_settings(env_id: str) -> ChildSettings:
    """The settings of an id as ``gym.make`` has them."""
    kind = settings_of(env_id)
    assert kind is not None
    return kind.of(gym.spec(env_id).kwargs)


def digest_of(settings: ChildSettings, recipe: Any) -> str:
    """What a recipe's evidence is found by."""
    if isinstance(recipe, Mapping):
        recipe = {**recipe, "name": "quick"}
    digest: str = settings.kind.recipe(recipe, settings.dataset).seed_digest()
    return digest


def called(settings: ChildSettings, full: Mapping[str, Any]) -> str:
    """A recipe's name today, or its settings in words."""
    same = [
        name for name in ("quick", "fast") if digest_of(settings, full) == _named(settings, name)
    ]
    return same[0] if same else words(full)


def _named(settings: ChildSettings, name: str) -> str:
    digest: str = settings.kind.recipe(name, settings.dataset).seed_digest()
    return digest


def words(full: Mapping[str, Any]) -> str:
    """Settings in words: size of the examples, how many, how often, and how fast."""
    if "resolution" in full:
        side, images = full["resolution"], full["train_images"]
        parts = [f"{side}x{side} pixels" if side else "all pixels"]
        parts.append(f"{images:,} images" if images else "all images")
    else:
        tokens = full["train_tokens"]
        parts = [f"{tokens:,} words" if tokens else "all words", f"{full['hidden_size']} units"]
    parts.append(f"{full['epochs']} epoch{'s' * (full['epochs'] > 1)}")
    parts += [f"batch {full['batch_size']}", f"learning rate {full['learning_rate']:g}"]
    width = full.get("width", 1.0)
    return ", ".join(parts + [f"{width:g} of the filters"] * (width != 1.0))


def quick_evidence(env_id: str) -> Evidence | None:
    """What is known of an id's ``quick``."""
    return evidence_of(env_id, _named(default_settings(env_id), "quick"))


def ranking_table(env_id: str) -> str:
    """The table of an id, its recipes in words, and where it comes from."""
    content = measurement(env_id)
    assert content is not None, f"{FOLDER / env_id}.json is missing"
    settings = default_settings(env_id)
    said = {given: called(settings, full) for given, full in content["recipes"].items()}
    said[content["long_name"]] = words(content["recipes"][content["long_name"]])
    data = content["data"]
    note = f" Data: {data['note'] or data['dataset']}."
    return f"{markdown(read(content), said).rstrip()}{note}"


def evidence_text(env_id: str) -> tuple[list[str], str]:
    """First lines and last section of an id's page; nothing where no child is trained."""
    if default_settings(env_id).looks_up:
        return [], ""
    found = quick_evidence(env_id)
    if found is None:
        return [f"**`quick` has no evidence here:** {UNKNOWN}. {NEXT}", ""], ""
    section = f"\n## How Recipes Rank\n{ranking_table(env_id)}"
    clear = found.ranks and found.beats_size
    return [f"{found.words()} (below).{'' if clear else f' {NEXT}'}", ""], section
