"""The paper's agent: REINFORCE with an LSTM controller."""
