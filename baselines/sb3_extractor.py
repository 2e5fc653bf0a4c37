"""SB3's feature extractor for ``Dict`` observations, of a size that every torch takes."""

from gymnasium import spaces
from stable_baselines3.common.torch_layers import CombinedExtractor


class IntegerCombinedExtractor(CombinedExtractor):
    """``CombinedExtractor`` whose ``features_dim`` is an ``int``.

    SB3 adds up ``MultiDiscrete.nvec`` (``get_flattened_obs_dim``), so the sum is an ``np.int64``.
    ``nn.Linear`` takes that; ``nn.LSTM`` of torch 2.14 raises ``TypeError`` for an input size that
    is no ``int``. So RecurrentPPO on our environments needs

        policy_kwargs={"features_extractor_class": IntegerCombinedExtractor}

    and nothing else: what the extractor computes is unchanged.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        cnn_output_dim: int = 256,
        normalized_image: bool = False,
    ) -> None:
        super().__init__(observation_space, cnn_output_dim, normalized_image)
        self._features_dim = int(self._features_dim)
