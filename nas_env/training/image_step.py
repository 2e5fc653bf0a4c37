"""One optimisation step of an image child: augment, forward, backward, update; no wait.

On a GPU the whole step, augmentation included, is one CUDA graph: a child of many small
convolutions is otherwise bound by kernel launches. Shapes are fixed because incomplete batches are
dropped, and learning rate and random choices live in device tensors that a replay reads anew.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from nas_env.data.augment import EpochPlan, training_batch
from nas_env.data.images import ImageData
from nas_env.errors import ExecutorError
from nas_env.training.image_numerics import Numerics
from nas_env.training.image_recipes import ImageRecipe

MIN_GRAPH_STEPS = 100
"""Capture costs about as much as a few dozen eager steps."""
WARMUP_STEPS = 3
"""Eager steps before a capture: libraries set themselves up, momentum buffers come to be."""


def learning_rate_factor(recipe: ImageRecipe, step: int, steps: int) -> float:
    """Learning rate of ``step`` (0-based) of ``steps``, as a fraction of the peak."""
    progress = (step + 1) / steps
    if progress <= recipe.warmup:
        return progress / recipe.warmup
    if recipe.schedule == "linear":
        # The last step still learns: the rate reaches zero one step after it.
        return (1 - step / steps) / (1 - recipe.warmup)
    decay = recipe.decay_epochs
    if decay is None:
        return 1.0 if step < 0.5 * steps else 0.1 if step < 0.75 * steps else 0.01
    return float(0.1 ** sum(step >= epoch * steps / recipe.epochs for epoch in decay))


class TrainingStep:
    """Eager steps; ``run`` is called once per batch, ``take_loss`` once per epoch."""

    def __init__(
        self,
        child: nn.Module,
        data: ImageData,
        recipe: ImageRecipe,
        peak_rate: float,
        steps: int,
    ) -> None:
        self.child = child
        self.data = data
        self.recipe = recipe
        self.peak_rate = peak_rate
        self.steps = steps
        self.done = 0
        self.device = data.train_images.device
        self.numerics = Numerics(recipe.numerics)
        self.loss_sum = torch.zeros((), device=self.device)
        # On a GPU the rate is a tensor: a CUDA graph would freeze a Python number.
        on_gpu = self.device.type == "cuda"
        self.optimiser = torch.optim.SGD(
            child.parameters(),
            lr=torch.tensor(peak_rate, device=self.device) if on_gpu else peak_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.momentum > 0,
            fused=True,
        )

    def run(self, plan: EpochPlan) -> None:
        """Learn from the batch that ``plan`` (on the device) names."""
        self.set_rate(self.peak_rate * learning_rate_factor(self.recipe, self.done, self.steps))
        self.done += 1
        self.compute(plan)

    def take_loss(self) -> float:
        """Sum of the losses since the last call; waits for the device."""
        value = self.loss_sum.item()
        self.loss_sum.zero_()
        return value

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next update, in place where it is a tensor."""
        group = self.optimiser.param_groups[0]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate

    def compute(self, plan: EpochPlan) -> None:
        """Augment, forward, backward, update."""
        images = training_batch(self.data.train_images, plan, self.recipe.augmentation)
        images = images.contiguous(memory_format=self.numerics.memory_format)  # (batch, C, H, W)
        labels = self.data.train_labels[plan.choices[:, 0]]  # (batch,)
        with self.numerics.autocast(self.device):
            logits: Tensor = self.child(images)  # (batch, classes)
        smoothing = self.recipe.label_smoothing
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.loss_sum += loss.detach()

    def state(self) -> dict[str, NDArray[Any]]:
        """Momentum of each parameter and the steps done, as arrays."""
        found: dict[str, NDArray[Any]] = {"steps": np.array(self.done)}
        for index, parameter in enumerate(self.child.parameters()):
            momentum = self.optimiser.state[parameter].get("momentum_buffer")
            if momentum is not None:
                found[f"momentum/{index}"] = momentum.cpu().numpy().copy()
        return found

    @torch.no_grad()
    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what ``state`` gave; in place where a graph refers to the tensors."""
        self.done = int(state["steps"])
        for index, parameter in enumerate(self.child.parameters()):
            if f"momentum/{index}" in state:
                of_parameter = self.optimiser.state[parameter]
                if of_parameter.get("momentum_buffer") is None:
                    of_parameter["momentum_buffer"] = torch.empty_like(parameter)
                momentum = torch.from_numpy(state[f"momentum/{index}"])
                of_parameter["momentum_buffer"].copy_(momentum)

    def snapshot(self) -> dict[str, Tensor]:
        """A copy of weights and statistics, for ``restore``."""
        return {name: value.clone() for name, value in self.child.state_dict().items()}

    def restore(self, weights: dict[str, Tensor]) -> None:
        """As if nothing had been learned since ``snapshot``, at the start of a training.

        In place, because a graph refers to these very tensors. A momentum of zero is what an
        optimiser starts from.
        """
        self.child.load_state_dict(weights)
        for state in self.optimiser.state.values():
            if state.get("momentum_buffer") is not None:
                state["momentum_buffer"].zero_()
        self.loss_sum.zero_()


class GraphedStep(TrainingStep):
    """The same computation, captured once as a CUDA graph and replayed."""

    def __init__(
        self,
        child: nn.Module,
        data: ImageData,
        recipe: ImageRecipe,
        peak_rate: float,
        steps: int,
    ) -> None:
        super().__init__(child, data, recipe, peak_rate, steps)
        self.plan = EpochPlan(
            torch.zeros(recipe.batch_size, 4, dtype=torch.int64, device=self.device)
        )
        self.graph = torch.cuda.CUDAGraph()
        self._capture()

    def take_loss(self) -> float:
        """As before; a graph that was empty has learned nothing, and says so.

        Raises:
            ExecutorError: the losses of an epoch are exactly 0.
        """
        loss = super().take_loss()
        if loss == 0.0:
            raise ExecutorError(
                f"The CUDA graph on {self.device} has computed nothing: the loss of a whole epoch "
                "is exactly 0. Update torch and the driver, or train on another device."
            )
        return loss

    def compute(self, plan: EpochPlan) -> None:
        """Replay the graph on ``plan``."""
        self.plan.choices.copy_(plan.choices)
        self.graph.replay()

    def _capture(self) -> None:
        """Warm up on a side stream, undo what that learned, then record one step."""
        self.child.train()
        before = self.snapshot()
        stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            for _ in range(WARMUP_STEPS):
                super().compute(self.plan)
        torch.cuda.current_stream(self.device).wait_stream(stream)
        # Both are the child's own: on another device the graph would be empty and learn nothing.
        with torch.cuda.device(self.device), torch.cuda.graph(self.graph, stream=stream):
            super().compute(self.plan)
        self.restore(before)


def make_step(
    child: nn.Module,
    data: ImageData,
    recipe: ImageRecipe,
    learning_rate: float | None,
    steps: int,
) -> TrainingStep:
    """The fastest step for this device and length.

    Args:
        child: on the data's device.
        data: resident images.
        recipe: how to train.
        learning_rate: the architecture's own peak, or None for the recipe's.
        steps: of the whole training.
    """
    peak = recipe.learning_rate if learning_rate is None else learning_rate
    graphed = data.train_images.device.type == "cuda" and steps >= MIN_GRAPH_STEPS
    kind = GraphedStep if graphed else TrainingStep
    return kind(child, data, recipe, peak, steps)
