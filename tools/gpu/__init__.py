"""What gpu_check.py and gpu_counts.py consist of: the parts of a check, the material they fit, times and phases."""
