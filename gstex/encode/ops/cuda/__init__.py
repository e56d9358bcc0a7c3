"""What a fit runs on an NVIDIA GPU: kernels of cuda/encode, and arrays on the device."""
