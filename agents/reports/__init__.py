"""What people read of runs: curves, pictures, the HTML report."""
