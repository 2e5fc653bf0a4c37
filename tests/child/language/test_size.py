from dataclasses import replace
from typing import Any

import pytest

from nas_env.child.language.size import (
    MEDIUM_BUDGET,
    Cell,
    LanguageSizes,
    check_cell,
    hidden_size_for_budget,
    language_cost,
)
from nas_env.errors import ConfigurationError
from nas_env.space.published import NAS_CELL

CHARACTER = LanguageSizes(vocabulary_size=50, hidden_size=1, embedding_size=128)


def medium(hidden: int, tied: bool = False) -> LanguageSizes:
    return LanguageSizes(vocabulary_size=10_000, hidden_size=hidden, tied=tied)


@pytest.mark.parametrize("hidden", [1, 533, 740])
def test_parameters_follow_the_published_formulas(hidden: int) -> None:
    untied = language_cost(NAS_CELL, medium(hidden)).parameters
    assert untied == 32 * hidden**2 + 20_000 * hidden + 10_000
    tied = language_cost(NAS_CELL, medium(hidden, tied=True)).parameters
    assert tied == 32 * hidden**2 + 10_000 * hidden + 10_000


def test_the_medium_budget_is_zarembas_lstm() -> None:
    assert language_cost("lstm", medium(650)).parameters == MEDIUM_BUDGET == 19_775_200
    assert hidden_size_for_budget("lstm", MEDIUM_BUDGET, medium(1)) == 650


@pytest.mark.parametrize(("tied", "hidden"), [(False, 533), (True, 645)])
def test_the_medium_budget_gives_the_papers_width(tied: bool, hidden: int) -> None:
    assert hidden_size_for_budget(NAS_CELL, MEDIUM_BUDGET, medium(1, tied)) == hidden


def test_table_2_sizes_fit_one_width() -> None:
    assert round(language_cost(NAS_CELL, medium(740)).parameters, -6) == 32_000_000
    assert round(language_cost(NAS_CELL, medium(740, tied=True)).parameters, -6) == 25_000_000
    assert round(language_cost(NAS_CELL, medium(1150, tied=True)).parameters, -6) == 54_000_000


@pytest.mark.parametrize(("cell", "hidden"), [(NAS_CELL, 501), ("lstm", 716)])
def test_character_models_of_6_57_million_parameters(cell: Cell, hidden: int) -> None:
    assert hidden_size_for_budget(cell, 6_570_000, CHARACTER) == hidden


def test_macs_count_every_weight_of_the_matrix_products_once() -> None:
    assert language_cost(NAS_CELL, medium(533)).macs == 32 * 533**2 + 10_000 * 533


def test_a_budget_that_no_hidden_size_allows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"30,032 with a vocabulary of 10,000"):
        hidden_size_for_budget(NAS_CELL, 30_031, medium(1))
    assert hidden_size_for_budget(NAS_CELL, 30_032, medium(1)) == 1


def test_tied_embeddings_need_one_size() -> None:
    with pytest.raises(ConfigurationError, match="embedding_size == hidden_size"):
        LanguageSizes(vocabulary_size=10, hidden_size=4, embedding_size=3, tied=True)


@pytest.mark.parametrize("wrong", [{"hidden_size": 0}, {"vocabulary_size": 1}, {"layers": 0}])
def test_sizes_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        replace(medium(4), **wrong)


def test_only_cells_and_known_baselines_make_a_language_model() -> None:
    assert check_cell("gru") == "gru"
    with pytest.raises(ConfigurationError, match="'rnn'"):
        check_cell("rnn")
