"""Recurrent cells as modules, trained by one compiled kernel that reads the cell as data."""
