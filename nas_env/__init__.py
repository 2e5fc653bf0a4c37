"""Neural Architecture Search with Reinforcement Learning as Gymnasium environments."""
