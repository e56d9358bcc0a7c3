"""The reference in torch: the same mathematics as the kernels, written to be read. """
