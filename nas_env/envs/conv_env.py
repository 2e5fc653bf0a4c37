"""The paper's convolutional environments: keyword arguments -> space, data, training, reward."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from nas_env.checks import at_least, require
from nas_env.envs.settings import ChildSettings
from nas_env.envs.task_env import TaskEnv, TaskVectorEnv
from nas_env.evaluation.named_reward import AccuracyCubed, Reward
from nas_env.space.conv import ConvSpace
from nas_env.space.layer_types import LayerTypesSpace
from nas_env.space.layered import BlockSize, FilterCounts, LayeredSpace, Places, Sides
from nas_env.tasks.conv_kind import ConvKind
from nas_env.tasks.kinds import CONV

DEEPEST = 20  # layers; the depth that the paper's schedule ends with (section 4.1)


@dataclass(frozen=True)
class ConvSettings(ChildSettings):
    """Keyword arguments of the convolutional ids; ``ChildSettings`` has the others.

    Attributes:
        num_layers: depth of an episode unless ``reset`` asks for another; blocks count as one.
        max_layers: deepest episode, fixes the shapes; None = 20 or ``num_layers``, the larger.
        filters: numbers of filters to choose from.
        filter_sizes: filter heights and widths to choose from.
        strides: strides to choose from in each direction; no choice if there is one only.
        skip_connections: False = a chain of layers, without skip decisions.
        block_size: densely connected convolutions that each decision stands for.
        pool_after: layers (blocks) after which a pooling halves the feature maps.
        layer_types: also choose a type for each layer, and the learning rate.
    """

    kind: ClassVar[ConvKind] = CONV

    dataset: Any = CONV.offline_dataset
    num_layers: Annotated[int, at_least(1)] = 6
    max_layers: Annotated[int | None, at_least(1)] = None
    filters: FilterCounts = (24, 36, 48, 64)
    filter_sizes: Sides = (1, 3, 5, 7)
    strides: Sides = (1,)
    skip_connections: bool = True
    block_size: BlockSize = 1
    pool_after: Places = ()
    layer_types: bool = False

    def search_space(self) -> LayeredSpace:
        """The space these settings describe.

        Raises:
            ConfigurationError: settings that give no space.
        """
        deepest = self.max_layers
        if deepest is None:
            deepest = max(DEEPEST, self.num_layers)
        if self.layer_types:
            self._check_layer_types()
            return LayerTypesSpace(
                num_layers=self.num_layers,
                max_layers=deepest,
                filter_sizes=self.filter_sizes,
                filters=self.filters,
                strides=self.strides,
                skip_connections=self.skip_connections,
            )
        return ConvSpace(
            num_layers=self.num_layers,
            max_layers=deepest,
            filter_sizes=self.filter_sizes,
            filters=self.filters,
            strides=self.strides,
            skip_connections=self.skip_connections,
            block_size=self.block_size,
            pool_after=self.pool_after,
        )

    def _check_layer_types(self) -> None:
        for name, value in (("block_size", 1), ("pool_after", ())):
            given = getattr(self, name)
            allowed = f"{value}, or left out, with layer types: poolings are layers there"
            require(given == value, name, given, allowed)

    def default_reward(self) -> Reward:
        """Accuracy cubed (section 4.1)."""
        return AccuracyCubed()


class ConvEnv(TaskEnv):
    """Write a convolutional network layer by layer; the reward is its accuracy cubed.

    ## Description
    Section 3 of Zoph & Le 2017. An episode chooses, for each layer, height and width of the
    filters, their number, in `-Strides` the strides, and which of the earlier layers it reads
    (concatenated in depth). A layer that reads none reads the image; layers that no layer reads
    feed the classifier. The last token builds the child, trains it by the recipe and measures its
    accuracy on the validation split; no test image is ever read.

    | Id | Space | Data |
    |---|---|---|
    | `NAS-CIFAR10-v0` | sides 1, 3, 5, 7; 24, 36, 48, 64 filters; stride 1; skips | CIFAR-10 |
    | `NAS-CIFAR10-Strides-v0` | the same, strides 1, 2, 3 in each direction | CIFAR-10 |
    | `NAS-CIFAR10-Pooling-v0` | 13 blocks of 3 dense convolutions, 2 poolings | CIFAR-10 |
    | `NAS-CIFAR10-LayerTypes-v0` | 5 layer types with their own choices; learning rate | CIFAR-10 |
    | `NAS-Digits-v0` | as `NAS-CIFAR10-v0` | 8x8 digits of scikit-learn, offline |

    ## Action Space
    `Discrete(4)` (`Discrete(5)` with layer types): the index of an option at this position, or 0/1
    for a skip decision. Positions of layer N, in order:

    | Position | Options | Where |
    |---|---|---|
    | `filter_height`, `filter_width` | `filter_sizes` | all ids |
    | `stride_height`, `stride_width` | `strides` | if there is more than one |
    | `filters` | `filters` | all ids |
    | `skip` from layers 1, ..., N-1 | 0 = no, 1 = yes | if `skip_connections` |

    With layer types the first position of all is `learning_rate`, and each layer chooses
    `layer_type`, `filter_height`, `filter_width`, `filters`, `pool_size`, `pool_stride`, `window`,
    `epsilon`, then its skips; where a choice does not apply to the type, only token 0 is valid.

    ## Observation Space
    | Key | Space | Meaning |
    |---|---|---|
    | `tokens` | `MultiDiscrete(options + 1)` | token + 1 at each position; 0 = not chosen yet |
    | `position` | `Discrete(positions + 1)` | number of tokens chosen so far |
    | `remaining` | `Discrete(positions + 1)` | number of tokens left in the episode |
    | `action_mask` | `MultiBinary(actions)` | 1 = valid as the next token |

    There are 250 positions for 20 layers; the default episode of 6 layers has 33 tokens.

    ## Rewards
    0 until the last token; then `accuracy ** 3` on the validation split, `failure_reward`
    (0) if the child failed.
    `reward=` takes another: the names are `accuracy_cubed`, `accuracy` and `cost_aware`, the last
    with settings, such as `{"name": "cost_aware", "cost": "macs", "target": 2e7}`; or a function of
    the accuracy. Metrics are stored, never rewards: another reward trains no child again.

    ## Starting State
    No token chosen; depth `num_layers`, or `reset(options={"num_layers": n})` with n up to
    `max_layers`. `reset(seed=s)` sets the run seed that children's seeds derive from.

    ## Episode End
    `terminated` after the last token; never `truncated`.

    ## Information
    That of `ArchitectureEnv`, the metric being `accuracy`.

    ## Arguments
    | Argument | Default | Meaning |
    |---|---|---|
    | `recipe` | `"quick"` | `"paper"`, `"fast"`, `"quick"`, a dict of changes, or a recipe |
    | `dataset` | by id | a name, an image folder `train/CLASS/*.png`, or images in memory |
    | `reward` | None | `"accuracy_cubed"`, another name, a dict with settings, or a function |
    | `data_dir` | None | where data sets known by name are, or are downloaded to |
    | `evaluator` | `"local"` | `"local"`, `"process"`, a function `(architecture, seed)` |
    | `workers` | None | worker processes of `"process"`; None = all cores |
    | `store` | None | SQLite file that keeps every metric, shared by any number of runs |
    | `device` | `"auto"` | `"auto"`, `"cpu"`, `"cuda"`, ... |
    | `failure_reward` | None | reward of a failed child; None = that of the worst metric |
    | `render_mode` | None | `"ansi"`, `"rgb_array"` or `"human"` |
    | `num_layers` | 6 | depth of an episode (13 blocks in `-Pooling`) |
    | `max_layers` | 20 | deepest episode; fixes the shapes of the observations |
    | `filters` | `(24, 36, 48, 64)` | numbers of filters (6, 12, 24, 36 in `-Pooling`) |
    | `filter_sizes` | `(1, 3, 5, 7)` | heights and widths of filters |
    | `strides` | `(1,)` | strides in each direction |
    | `skip_connections` | True | False = a chain of layers, no skip decisions |
    | `block_size` | 1 | densely connected convolutions for each decision (3 in `-Pooling`) |
    | `pool_after` | `()` | layers after which a 2x2 pooling follows (4, 8 in `-Pooling`) |
    | `layer_types` | False | choose layer types and the learning rate |

    Nothing is loaded before the first child is trained: constructing is cheap, pickling works.

    ## Recipes
    `paper` is section 4.1: 50 epochs, batch 64, learning rate .1, every image enlarged to 40x40 and
    cropped to 32x32 at random, flips; a tenth of the training images drawn at random is the
    validation part (5,000 of CIFAR-10). `fast` (a search of a day on one GPU) and `quick` (minutes
    on two CPU cores) take fewer epochs or images and split by class, because small parts are less
    noisy so. All numbers are in `nas_env/training/image_recipes.py`; a dict changes any of them:
    `recipe={"name": "quick", "epochs": 4}`.

    `numerics` is the fastest here of float32, float32 channels-last and bfloat16, timed once for a
    run and kept with it. With the same seed another one moves the accuracy of a `quick` training by
    .002 at the median and .009 at most, another seed by .01 to .05 (docs/results/recipes.md).

    ## Version History
    * v0: first version. Before its release: `paper` upsamples and draws its validation part at
      random; children's seeds do not derive from the arithmetic; `quick` trains CIFAR-10 and
      images of your own at 8x8 pixels with half the filters (before: 4x4, all filters).

    ## References
    Zoph, B. and Le, Q. V. (2017). Neural Architecture Search with Reinforcement Learning. ICLR.
    Sections 3.1 to 3.3, 4.1, Appendix A.
    """

    settings_type = ConvSettings


class ConvVectorEnv(TaskVectorEnv):
    """`ConvEnv` for `gym.make_vec`; see `TaskVectorEnv` for what differs."""

    settings_type = ConvSettings
