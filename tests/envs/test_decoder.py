import pickle

import numpy as np

from nas_env import ChoiceSpace
from nas_env.envs import decoder
from nas_env.envs.decoder import Decoder


def test_it_decodes_as_the_space_does_before_and_after_it_is_full() -> None:
    space = ChoiceSpace({"a": list(range(10)), "b": list(range(10))})
    decode = Decoder(space)
    decode._limit = 7
    rng = np.random.default_rng(0)
    for _ in range(500):
        tokens = space.sample(rng)
        assert decode(tokens) == space.decode(tokens)
        assert len(decode._known) <= 7


def test_its_memory_is_bounded_by_tokens_and_is_not_pickled() -> None:
    decode = Decoder(ChoiceSpace({"a": [1, 2], "b": [1, 2]}))
    assert decode._limit == decoder.REMEMBERED_TOKENS // 2 + 1
    first = decode([0, 1])
    assert decode((0, 1)) is first
    copy = pickle.loads(pickle.dumps(decode))
    assert copy._known == {} and copy([0, 1]) == first
