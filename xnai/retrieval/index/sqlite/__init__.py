"""The index on one SQLite file; SQL on the index stands nowhere else."""
