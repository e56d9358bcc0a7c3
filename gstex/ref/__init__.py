"""The reference in torch: the same mathematics as the kernels, written to be read. Only tests use it.

torch is imported only here and comes with the extras `cuda` and `test`.
"""
