"""Modules of gpu_check.py and gpu_counts.py: the parts of a check, the material to fit, timing and phases."""
