"""Candidates: what a mutant and a crossover are, and that nothing is written that is known."""

from typing import Any

import numpy as np

from agents.agent import Batch
from agents.screening.candidates import FREE, SOURCES, Wishes, Writer
from agents.screening.history import ABSENT, History
from agents.screening.rules import MaskRules
from agents.screening.settings import BreedingSettings


def writer_of(maker: Any, played: list[list[int]], rewards: list[float]) -> Writer:
    history, rules = History(maker.problem), MaskRules(maker.problem)
    tokens = [np.array(row, np.int64) for row in played]
    masks = [np.stack([maker.mask(p) for p in range(len(row))]) for row in tokens]
    history.add(Batch.padded(tokens, masks, rewards))
    for row, mask in zip(tokens, masks, strict=True):
        rules.learn(row, mask)
    return Writer(history, rules, len(maker.layout), np.random.default_rng(0))


def wishes_of(writer: Writer, count: int, **settings: Any) -> Wishes:
    wishes = Wishes.free(count, writer.length)
    writer.breed(BreedingSettings(**settings), wishes)
    return wishes


def test_a_mutant_differs_from_its_parent_where_it_must_and_only_there(
    game: Any, layout: Any
) -> None:
    maker = game(layout(3))
    writer = writer_of(maker, [[0] * len(maker.layout)], [1.0])
    mutants = writer.write(wishes_of(writer, 60, one_change=1.0))
    assert ((mutants != 0).sum(axis=1) == 1).all()
    assert len(np.unique(np.argmax(mutants != 0, axis=1))) > 8
    many = writer.write(wishes_of(writer, 60, one_change=0.3))
    assert (many != 0).sum(axis=1).mean() > 2


def test_a_crossover_has_each_token_from_one_of_its_parents(game: Any, layout: Any) -> None:
    maker = game(layout(3))
    count = len(maker.layout)
    writer = writer_of(maker, [[0] * count, [1] * count], [1.0, 0.5])
    wishes = wishes_of(writer, 60, one_change=1.0)
    crossed = [row for row in wishes.tokens[1::2] if FREE not in row]
    assert crossed and all(set(row.tolist()) == {0, 1} for row in crossed)


def test_parents_are_the_best(game: Any, layout: Any) -> None:
    maker = game(layout(3))
    count = len(maker.layout)
    writer = writer_of(maker, [[0] * count, [1] * count, [0] * (count - 1) + [1]], [1.0, 2.0, 0.0])
    wishes = wishes_of(writer, 40, breeding_elites=1)
    assert set(np.unique(wishes.tokens)) == {FREE, 1}


def test_candidates_are_new_and_different_and_as_long_as_wanted(game: Any, layout: Any) -> None:
    maker = game(layout(2))
    played = [[1] * len(maker.layout), [0] * len(maker.layout)]
    writer = writer_of(maker, played, [1.0, 2.0])
    writer.length = 5
    found = writer.candidates(BreedingSettings(), by_random=500)
    rows = [tuple(row) for row in found.tokens[:, :5].tolist()]
    assert len(set(rows)) == len(rows) == len(found.sources)
    assert (found.tokens[:, 5:] == ABSENT).all()
    assert set(found.sources) == {SOURCES.index("elites"), SOURCES.index("random")}
    writer.length = len(maker.layout)
    everything = writer.candidates(BreedingSettings(), by_random=5000).tokens.tolist()
    assert [1] * len(maker.layout) not in everything and len(everything) > 100


def test_shorter_elites_are_grown_at_their_end(game: Any, layout: Any) -> None:
    maker = game(layout(3))
    writer = writer_of(maker, [[1, 1, 1]], [1.0])
    rows = writer.write(wishes_of(writer, 40, one_change=1.0))
    assert ((rows[:, :3] != 1).sum(axis=1) == 1).all()
    assert len(np.unique(rows[:, 3:], axis=0)) > 20


def test_equal_rewards_have_one_score_and_failures_the_lowest(game: Any, layout: Any) -> None:
    maker = game(layout(1))
    writer = writer_of(maker, [[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]], [0.0, -np.inf, 5.0, 0])
    scores = writer.history.scores()
    assert scores[0] == scores[3] == 0.0
    assert scores[1] == -scores[2] == min(scores)
