"""What a fit computes, on the CPU and on a GPU: the same names in both."""
