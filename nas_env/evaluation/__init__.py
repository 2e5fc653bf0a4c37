"""The expensive call made reliable: executors, cache, store, rewards."""
