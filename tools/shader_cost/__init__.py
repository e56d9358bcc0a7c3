"""The common part of glsl_cost.py and expanded_cost.py, and their counting shaders."""
