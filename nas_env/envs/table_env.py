"""Environments on a complete table: every child was trained beforehand, an episode looks it up."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from nas_env.checks import matching, require
from nas_env.envs.settings import ChildSettings
from nas_env.envs.task_env import TaskEnv, TaskVectorEnv
from nas_env.errors import ConfigurationError
from nas_env.evaluation.evaluation import MetricName
from nas_env.evaluation.evaluator import Evaluator, Task
from nas_env.evaluation.named_reward import (
    AccuracyCubed,
    CostAware,
    InverseSquarePerplexity,
    Metric,
    Reward,
)
from nas_env.space.layout import SearchSpace
from nas_env.tables.file import read_table
from nas_env.tables.table import TableEvaluator
from nas_env.tasks.conv_kind import ConvKind
from nas_env.tasks.kinds import CONV, kind_of_space

TRAINED_BEFOREHAND = "table"
REWARDS: dict[MetricName, Reward] = {
    "accuracy": AccuracyCubed(),
    "perplexity": InverseSquarePerplexity(),
    "metric": Metric(),
}
"""What the other ids make of the same metric."""


@dataclass(frozen=True)
class TableSettings(ChildSettings):
    """Keyword arguments of the table ids; ``ChildSettings`` has the others.

    Attributes:
        recipe: ``"table"``: children are looked up, and executor, store and device have nothing to
            do. Any other recipe trains them, in the same search space on ``dataset``.
        dataset: what children are trained on.
        table: name of a table that comes with the package, or the path of a file.
    """

    kind: ClassVar[ConvKind] = CONV

    recipe: Any = TRAINED_BEFOREHAND
    dataset: Any = CONV.offline_dataset
    table: Annotated[str, matching(bool, "that names a table or a file")] = "digits"

    def __post_init__(self) -> None:
        """Check what the base cannot."""
        super().__post_init__()
        if self.looks_up and self.dataset != type(self).dataset:
            raise ConfigurationError(
                f"dataset is {self.dataset!r}, but recipe 'table' looks children up in the table "
                f"{self.table!r}. Name another table, or train: recipe='quick'."
            )
        reward = self.reward_function() if self.looks_up and self.reward is not None else None
        if isinstance(reward, CostAware):
            table = read_table(self.table)
            known = [
                name for name in ("parameters", "train_seconds") if getattr(table, name) is not None
            ]
            allowed = f"a cost that the table holds ({', '.join(known) or 'it holds none'})"
            require(reward.cost in known, "cost", reward.cost, allowed, "reward cost_aware:")

    @property
    def recipes(self) -> tuple[str, ...]:
        """Those of the kind, and ``"table"``."""
        return (TRAINED_BEFOREHAND, *super().recipes)

    @property
    def looks_up(self) -> bool:
        """Whether children come from the table."""
        return bool(self.recipe == TRAINED_BEFOREHAND)

    @property
    def metric_name(self) -> MetricName:
        """The metric of the children."""
        return read_table(self.table).metric_name if self.looks_up else super().metric_name

    def search_space(self) -> SearchSpace[Any]:
        """The table's space."""
        return read_table(self.table).search_space

    def make_task(self) -> Task:
        """Training by the recipe."""
        if kind_of_space(self.search_space()) is not self.kind:
            raise ConfigurationError(
                f"The table {self.table!r} is not of networks that can be trained on images: leave "
                "recipe out to look its members up."
            )
        return super().make_task()

    def make_evaluator(self) -> Evaluator:
        """The table, or what trains by the recipe."""
        if self.looks_up:
            return TableEvaluator(read_table(self.table))
        return super().make_evaluator()

    def for_batches(self, num_envs: int) -> "TableSettings":
        """Worker processes for children that are trained."""
        return self if self.looks_up else super().for_batches(num_envs)

    def default_reward(self) -> Reward:
        """That of the other ids with the same metric."""
        return REWARDS[self.metric_name]


class TableEnv(TaskEnv):
    """Write a network that was trained beforehand: the reward is looked up, at once.

    ## Description
    A complete table of a search space: every member was trained several times, by us, on real data.
    What it is for: comparing agents over many seeds and thousands of children in seconds, with the
    noise of real trainings. The run seed decides which training of each member is looked up.

    `NAS-Digits-Table-v0` holds three-layer networks of `NAS-Digits-v0`: sides 1, 3, 5, 36 filters,
    skip connections, 5,832 members, each trained three times for one epoch on 800 digits
    (`scripts/build_table.py`). Training n is that of
    `nas_env.evaluate(architecture, dataset="digits", recipe=..., seed=n)` with the recipe that
    `read_table("digits").about` holds.

    The best single training (.900) is luck; the best mean of three is .875. What a search found is
    told by its regret, the distance of its mean from that: `nas_env.tables.noise.regrets`, and
    `nas-env compare`, which also says what the noise of the table lets one tell.

    Each training's accuracy on the test images is in the file as well, for final reports alone: it
    is out of the environment's reach (`nas-env compare --test` reports it).

    ## Action Space
    `Discrete(3)`: the index of an option at this position, or 0/1 for a skip decision, position by
    position as in `NAS-Digits-v0`. The choice of `filters` has one option.

    ## Observation Space
    | Key | Space | Meaning |
    |---|---|---|
    | `tokens` | `MultiDiscrete(options + 1)` | token + 1 at each position; 0 = not chosen yet |
    | `position` | `Discrete(positions + 1)` | number of tokens chosen so far |
    | `remaining` | `Discrete(positions + 1)` | number of tokens left in the episode |
    | `action_mask` | `MultiBinary(actions)` | 1 = valid as the next token |

    An episode has 12 tokens.

    ## Rewards
    0 until the last token; then `accuracy ** 3` on the validation split (`80 / perplexity ** 2`, or
    the metric itself, for a table of another metric), 0 if that training failed. `reward=` takes
    another, as in the other ids; of costs, a table knows parameters and training seconds.

    ## Starting State
    No token chosen. `reset(seed=s)` sets the run seed.

    ## Episode End
    `terminated` after the last token; never `truncated`.

    ## Information
    That of `ArchitectureEnv`; `cached` is always true, and `train_seconds` are the CPU seconds that
    the training looked up took when the table was built.

    ## Arguments
    | Argument | Default | Meaning |
    |---|---|---|
    | `table` | `"digits"` | name of a table of this package, or path of a `.npz` file (below) |
    | `recipe` | `"table"` | `"table"` looks up; `"quick"`, `"fast"`, `"paper"` or a dict trains |
    | `dataset` | `"digits"` | what is trained on, if the recipe trains |
    | `evaluator` | None | a function replaces the table; executors matter to training only |
    | `reward` | None | `"accuracy_cubed"`, another name, a dict with settings, or a function |
    | `workers`, `store`, `device`, `data_dir` | | as in the other ids; for training only |
    | `failure_reward` | None | reward of a failed child; None = that of the worst metric |
    | `render_mode` | None | `"ansi"`, `"rgb_array"` or `"human"` |

    A table of your own: `nas_env.tables.file.write_table`, then `table="my.npz"`; or
    without a file `ArchitectureEnv(space, TableEvaluator(Table(space, metrics)))`.

    ## Version History
    * v0: first version.

    ## References
    Zoph, B. and Le, Q. V. (2017). Neural Architecture Search with Reinforcement Learning. ICLR.
    Ying, C. et al. (2019). NAS-Bench-101: Towards Reproducible Neural Architecture Search. ICML.
    """

    settings_type = TableSettings


class TableVectorEnv(TaskVectorEnv):
    """`TableEnv` for `gym.make_vec`; see `TaskVectorEnv` for what differs."""

    settings_type = TableSettings
