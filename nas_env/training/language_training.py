"""Train one language-model child: cell + text + recipe + seed -> validation perplexity.

The loss of a step is summed over time and averaged over the batch, as in Zaremba et al. (2014): a
learning rate of 1 belongs to that scale. State is carried from window to window. The loop does not
wait for the device but for a look at the loss every ``CHECK_STEPS`` steps.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nas_env.child.cost import Cost
from nas_env.child.language.model import LanguageModel, State, detach
from nas_env.child.language.size import BaselineCell, Cell, language_cost
from nas_env.data.text import TextData
from nas_env.errors import (
    ChildDiverged,
    ChildTooLarge,
    InvalidArchitectureError,
    InvalidDatasetError,
)
from nas_env.space.cell_architecture import CellArchitecture
from nas_env.space.layout import Architecture
from nas_env.system.threads import one_torch_thread
from nas_env.training.clean_state import clean_torch_state, seeded
from nas_env.training.image_numerics import resolve_device
from nas_env.training.language_evaluation import perplexity_from, perplexity_of
from nas_env.training.language_numerics import language_autocast
from nas_env.training.language_recipes import LanguageRecipe
from nas_env.training.language_windows import Window, evaluation_streams, training_streams
from nas_env.training.memory import memory_errors
from nas_env.training.outcome import TrainingOutcome
from nas_env.training.time_limit import TimeLimit

CHECK_STEPS = 20
"""Steps between two looks at the loss, which wait for the device."""
WORSE_THAN_UNIFORM = 2.0
"""A child whose perplexity is so many times the vocabulary size has diverged."""
DROPOUT_STREAM = 0x5DEECE66D
"""Sets the numbers that drop apart from those that the weights start from."""
BYTES_PER_PARAMETER = 12.0
"""Weight, gradient, and the softmax's product in flight."""


@dataclass(frozen=True)
class LanguageEpoch:
    """What is known after an epoch.

    Attributes:
        number: 1-based.
        learning_rate: at the start of this epoch.
        train_perplexity: mean over the epoch, with dropout, while learning.
        valid_perplexity: None if the epoch was not validated.
        seconds: wall clock, validation included.
    """

    number: int
    learning_rate: float
    train_perplexity: float
    valid_perplexity: float | None
    seconds: float


Report = Callable[[LanguageEpoch], None]


def train_language_child(
    architecture: Architecture | BaselineCell,
    data: TextData,
    recipe: LanguageRecipe,
    seed: int,
    device: str | torch.device = "auto",
) -> TrainingOutcome:
    """Train one child and measure its perplexity on the validation text.

    Args:
        architecture: a recurrent cell, or ``"lstm"`` or ``"gru"`` for a baseline.
        data: as ``load_text(..., recipe.selection)`` gives it.
        recipe: how to train.
        seed: of initial weights and dropout; in [0, 2^63).
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or a torch device.

    Raises:
        ChildTooLarge: over the recipe's limits; nothing was built.
        ChildDiverged: the loss became NaN or infinite, or far worse than guessing.
        ChildOutOfMemory: training did not fit.
        ChildTimeout: more of its own time than ``recipe.time_limit_s``.
        ChildStalled: many times that by the clock; no result.
        ConfigurationError: no hidden size fits the recipe's budget.
        InvalidArchitectureError: not a recurrent cell.
        InvalidDatasetError: less text than one batch.
    """
    start = time.monotonic()
    if isinstance(architecture, Architecture) and not isinstance(architecture, CellArchitecture):
        raise InvalidArchitectureError(
            f"{type(architecture).__name__} cannot be trained on text: a CellArchitecture is "
            "needed."
        )
    target = resolve_device(device)
    recipe = recipe.with_numerics(target)
    with clean_torch_state(), one_torch_thread(), memory_errors():
        training = LanguageTraining(architecture, data.to(target), recipe, seed)
        curve = training.run()
    return TrainingOutcome(
        metric=min(curve),
        curve=tuple(curve),
        parameters=training.cost.parameters,
        macs=training.cost.macs,
        seconds=time.monotonic() - start,
        numerics=recipe.numerics,
    )


class LanguageTraining:
    """One training, for callers that want its epochs or the trained child.

    Args:
        cell: a recurrent cell, or the name of a baseline.
        data: on the device to train on.
        recipe: with its numerics chosen (``recipe.with_numerics``).
        seed: of initial weights and dropout.

    Attributes:
        child: the model, trained by ``run``.
        cost: its size.
    """

    def __init__(self, cell: Cell, data: TextData, recipe: LanguageRecipe, seed: int) -> None:
        self.data, self.recipe, self.seed = data, recipe, seed
        self.sizes = recipe.sizes(cell, len(data.vocabulary))
        self.cost = language_cost(cell, self.sizes)
        self.device = data.train.device
        self.limit = TimeLimit(recipe.time_limit_s, self.device)
        self._check_limits()
        end_of_line = data.vocabulary.end_of_line
        self.streams = training_streams(data.train, recipe.batch_size, end_of_line)
        with seeded(seed):
            child = LanguageModel(cell, self.sizes, recipe.dropout, recipe.init_scale)
        self.child = child.to(self.device)
        if recipe.unigram_bias:
            self._set_unigram_bias()
        self.update = make_update(self.child, recipe)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)

    def run(self, report: Report | None = None) -> list[float]:
        """Train all epochs; return the validation perplexities of the last ``reward_epochs``.

        A dead child that starts at the frequency of words is validated at once: it stays there.
        """
        recipe, curve = self.recipe, list[float]()
        # On a GPU two windows come first in any case: they compile the kernel of this base number,
        # which takes minutes for a base of 64, before an epoch's time counts.
        looked = recipe.unigram_bias or self.device.type == "cuda"
        if looked and self.is_dead() and recipe.unigram_bias:
            return [self._checked(self.perplexity(self.data.valid))]
        with seeded(self.seed ^ DROPOUT_STREAM, self.device):
            for epoch in range(recipe.epochs):
                start = time.monotonic()
                self.limit.epoch_begins()
                train = self._train_epoch(epoch)
                valid = None
                if epoch >= recipe.epochs - recipe.reward_epochs:
                    valid = self.perplexity(self.data.valid)
                    curve.append(self._checked(valid))
                self.limit.epoch_ended()
                if report is not None:
                    seconds = time.monotonic() - start
                    report(LanguageEpoch(epoch + 1, recipe.rate(epoch), train, valid, seconds))
        return curve

    def perplexity(self, text: Tensor, batch: int | None = None) -> float:
        """Perplexity of the child as it is on a text of its vocabulary, every token counted once.

        Args:
            text: (n,) int64 tokens on the child's device.
            batch: streams side by side; None = the recipe's ``evaluation_batch``.
        """
        batch = batch or self.recipe.evaluation_batch
        streams = evaluation_streams(text, batch, self.data.vocabulary.end_of_line)
        return perplexity_of(self.child, streams)

    def is_dead(self) -> bool:
        """Whether no gradient but that of the softmax bias is other than zero over two windows.

        One random cell in six is so: its h is a product with h_0 = 0 or c_0 = 0, and neither h nor
        the weights ever leave zero.
        """
        self.child.eval()
        windows = self.streams.windows(self.recipe.bptt_steps)
        state: State | None = None
        for window in (next(windows), next(windows, None)):
            if window is not None:
                loss, state = self.child.loss(window.inputs, window.targets, state)
                loss.backward()  # type: ignore[no-untyped-call]
                state = detach(state)
        weights = [p for name, p in self.child.named_parameters() if name != "softmax.bias"]
        dead = not any(bool(p.grad.any()) for p in weights if p.grad is not None)
        self.child.zero_grad(set_to_none=True)
        return dead

    @torch.no_grad()
    def _set_unigram_bias(self) -> None:
        """Start at log((n_v + 1) / (n + V)) for each token v: guessing by frequency."""
        counts = torch.bincount(self.data.train, minlength=self.sizes.vocabulary_size) + 1
        self.child.softmax.bias.copy_((counts / counts.sum()).log())

    def _train_epoch(self, epoch: int) -> float:
        """One pass over the training text; return the training perplexity."""
        steps = math.ceil(len(self.streams.targets) / self.recipe.bptt_steps)
        self.child.train()
        self.loss_sum.zero_()
        state: State | None = None
        for number, window in enumerate(self.streams.windows(self.recipe.bptt_steps), 1):
            rate = self.recipe.rate(epoch, (number - 1) / steps)
            state = self._step(window, state, rate)
            if number % CHECK_STEPS == 0:
                self._check_loss()
            self.limit.check()
        tokens = self.streams.targets.numel()
        return self._checked(perplexity_from(self._check_loss(), tokens))

    def _step(self, window: Window, state: State | None, rate: float) -> State:
        """Forward, backward, update; no wait."""
        with language_autocast(self.recipe.numerics, self.device):
            loss, state = self.child.loss(window.inputs, window.targets, state)
        (loss / self.recipe.batch_size).backward()  # type: ignore[no-untyped-call]
        self.update(rate)
        self.loss_sum += loss.detach()
        return detach(state)

    def _check_loss(self) -> float:
        loss = self.loss_sum.item()
        if not math.isfinite(loss):
            raise ChildDiverged(f"The training loss is {loss}.")
        return loss

    def _checked(self, perplexity: float) -> float:
        limit = WORSE_THAN_UNIFORM * self.sizes.vocabulary_size
        if not perplexity <= limit:  # also if it is NaN
            raise ChildDiverged(
                f"The perplexity is {perplexity:.4g}; guessing gives {self.sizes.vocabulary_size}."
            )
        return perplexity

    def _check_limits(self) -> None:
        recipe, cost = self.recipe, self.cost
        needed = recipe.batch_size * recipe.bptt_steps
        if len(self.data.train) < needed:
            raise InvalidDatasetError(
                f"The training text has {len(self.data.train)} tokens, less than one batch of "
                f"{recipe.batch_size} x {recipe.bptt_steps} = {needed}. Lower batch_size or "
                "bptt_steps, or give more text."
            )
        memory_mb = estimate_memory_mb(cost, recipe)
        for what, value, limit in (
            ("parameters", cost.parameters, recipe.max_parameters),
            ("MB of estimated memory", memory_mb, recipe.max_memory_mb),
        ):
            if limit is not None and value > limit:
                raise ChildTooLarge(
                    f"{value:,.0f} {what}, over the recipe's limit of {limit:,.0f}."
                )


def estimate_memory_mb(cost: Cost, recipe: LanguageRecipe) -> float:
    """Megabytes that one window needs, about."""
    activations = cost.activation_elements * recipe.batch_size * recipe.bptt_steps * 4
    return (activations + cost.parameters * BYTES_PER_PARAMETER) / 1e6


def make_update(child: nn.Module, recipe: LanguageRecipe) -> Callable[[float], None]:
    """A function of the learning rate: clip the gradients, apply them, clear them."""
    parameters = [value for value in child.parameters() if value.requires_grad]
    settings: dict[str, Any] = {"lr": 1.0, "weight_decay": recipe.weight_decay, "fused": True}
    kind = torch.optim.SGD if recipe.optimiser == "sgd" else torch.optim.Adam
    optimiser = kind(parameters, **settings)

    def update(rate: float) -> None:
        nn.utils.clip_grad_norm_(parameters, recipe.clip_norm, foreach=True)
        optimiser.param_groups[0]["lr"] = rate
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return update
