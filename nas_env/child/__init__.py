"""Architecture -> torch.nn.Module, and its cost computed without building it."""
