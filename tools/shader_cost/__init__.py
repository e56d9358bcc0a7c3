"""What glsl_cost.py and expanded_cost.py have in common, and the shaders that count for them."""
