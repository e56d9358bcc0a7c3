"""The operations of a fit on the CPU: kernels of gstex.native for arrays of NumPy."""
