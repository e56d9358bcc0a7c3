"""From pictures to the Gaussians of a file."""
