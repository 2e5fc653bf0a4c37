"""Our learners: REINFORCE, random search, regularised evolution, and the search loop."""
