"""The paper's recurrent-cell environments: keyword arguments -> space, text, training, reward."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from nas_env.checks import above, below, require, shown
from nas_env.envs.settings import ChildSettings
from nas_env.envs.task_env import TaskEnv, TaskVectorEnv
from nas_env.evaluation.named_reward import InverseSquarePerplexity, Reward
from nas_env.space.cell import CellSpace
from nas_env.tasks.cell_kind import CellKind
from nas_env.tasks.kinds import CELL


@dataclass(frozen=True)
class CellSettings(ChildSettings):
    """Keyword arguments of the cell ids; ``ChildSettings`` has the others.

    Attributes:
        base_number: leaves of the tree, a power of two.
        combinations: how a node may join its two inputs.
        activations: what may follow.
        reward_constant: c in c / perplexity^2, the reward where no other is given.
    """

    kind: ClassVar[CellKind] = CELL

    dataset: Any = CELL.offline_dataset
    base_number: int = 8
    combinations: tuple[str, ...] = ("add", "elem_mult")
    activations: tuple[str, ...] = ("identity", "tanh", "sigmoid", "relu")
    reward_constant: Annotated[float, above(0), below(1e9)] = 80.0

    def __post_init__(self) -> None:
        """Check what the base cannot."""
        super().__post_init__()
        constant, default = self.reward_constant, type(self).reward_constant
        allowed = f"left out beside reward={shown(self.reward)}, whose settings hold its constant"
        require(self.reward is None or constant == default, "reward_constant", constant, allowed)

    def search_space(self) -> CellSpace:
        """The space these settings describe.

        Raises:
            ConfigurationError: settings that give no space.
        """
        return CellSpace(self.base_number, self.combinations, self.activations)

    def default_reward(self) -> Reward:
        """C / perplexity^2 (section 4.2)."""
        return InverseSquarePerplexity(self.reward_constant)


class CellEnv(TaskEnv):
    """Write a recurrent cell node by node; the reward is 80 / perplexity^2.

    ## Description
    Section 3.4 of Zoph & Le 2017. A cell is a binary tree: each leaf combines a linear map of the
    input x_t with one of the previous output h_{t-1}, each inner node combines its two children,
    and the root is h_t. An episode chooses for each node how it combines and which activation
    follows, then how the previous memory c_{t-1} is combined into the tree, which node's
    pre-activation becomes the new memory c_t, and which node c_{t-1} is injected into. The last
    token builds a language model of two layers of this cell, trains it by the recipe and measures
    its perplexity on the validation text; the test text is never read.

    | Id | Space | Data |
    |---|---|---|
    | `NAS-PTB-v0` | base 8, {add, elem_mult} x {identity, tanh, sigmoid, relu} | Penn Treebank |
    | `NAS-PTB-MaxSin-v0` | the same + max, sin | Penn Treebank |
    | `NAS-PyDocs-v0` | as `NAS-PTB-v0` | Python's own documentation, offline |

    ## Action Space
    `Discrete(15)` for base number 8: the index of an option at this position. Positions in order
    (Fig. 5, centre):

    | Position | Options | How many |
    |---|---|---|
    | `combination`, `activation` of node 0, 1, ... | `combinations`, `activations` | 15 pairs |
    | `inject_combination`, `inject_activation` | the same | 1 pair |
    | `cell_index` | the node whose pre-activation becomes c_t | 15 |
    | `inject_index` | the node that c_{t-1} is injected into | 15 |

    ## Observation Space
    | Key | Space | Meaning |
    |---|---|---|
    | `tokens` | `MultiDiscrete(options + 1)` | token + 1 at each position; 0 = not chosen yet |
    | `position` | `Discrete(positions + 1)` | number of tokens chosen so far |
    | `remaining` | `Discrete(positions + 1)` | number of tokens left in the episode |
    | `action_mask` | `MultiBinary(actions)` | 1 = valid as the next token |

    There are 34 positions for base number 8, all of them used in every episode.

    ## Rewards
    0 until the last token; then `reward_constant / perplexity ** 2` on the validation text,
    `failure_reward` (0) if the child failed. `reward=` takes another: the names are
    `inverse_square_perplexity` (setting `c`) and `cost_aware`, such as
    `{"name": "cost_aware", "cost": "macs", "target": 2e6}`; or a function of the perplexity.

    ## Starting State
    No token chosen. `reset(seed=s)` sets the run seed that children's seeds derive from.

    ## Episode End
    `terminated` after the last token; never `truncated`.

    ## Information
    That of `ArchitectureEnv`, the metric being `perplexity`.

    ## Arguments
    | Argument | Default | Meaning |
    |---|---|---|
    | `recipe` | `"quick"` | `"paper"`, `"fast"`, `"quick"`, a dict of changes, or a recipe |
    | `dataset` | by id | `"ptb"`, `"pydocs"`, or a folder of `*.train.txt`, `*.valid.txt` |
    | `reward` | None | `"inverse_square_perplexity"`, another name, a dict, or a function |
    | `data_dir` | None | where data sets known by name are, or are downloaded to |
    | `evaluator` | `"local"` | `"local"`, `"process"`, a function `(architecture, seed)` |
    | `workers` | None | worker processes of `"process"`; None = all cores |
    | `store` | None | SQLite file that keeps every metric, shared by any number of runs |
    | `device` | `"auto"` | `"auto"`, `"cpu"`, `"cuda"`, ... |
    | `failure_reward` | None | reward of a failed child; None = that of the worst metric |
    | `render_mode` | None | `"ansi"`, `"rgb_array"` or `"human"` |
    | `base_number` | 8 | leaves of the tree: 2, 4, 8, 16, ... |
    | `combinations` | `("add", "elem_mult")` | any of add, elem_mult, max |
    | `activations` | four | any of identity, tanh, sigmoid, relu, sin |
    | `reward_constant` | 80 | c in c / perplexity^2, where no other reward is given |

    Nothing is loaded before the first child is trained: constructing is cheap, pickling works.

    ## Version History
    * v0: first version. Before its release: children's seeds do not derive from the arithmetic.

    ## References
    Zoph, B. and Le, Q. V. (2017). Neural Architecture Search with Reinforcement Learning. ICLR.
    Sections 3.4, 4.2.
    """

    settings_type = CellSettings


class CellVectorEnv(TaskVectorEnv):
    """`CellEnv` for `gym.make_vec`; see `TaskVectorEnv` for what differs."""

    settings_type = CellSettings
