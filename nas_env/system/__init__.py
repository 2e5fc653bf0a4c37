"""The ground floor: files, folders, machine, threads. Knows nothing of what stands on it."""
