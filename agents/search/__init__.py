"""The search loop and what belongs to it: playing, budget, launch, progress, observers."""
