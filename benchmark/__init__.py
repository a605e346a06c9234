"""The benchmark: methods, measured on one footing. Start at `run.py`."""
