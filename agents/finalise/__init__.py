"""From a search to a network that people can use: chosen again, tuned, trained, tested once."""
