"""The engine of PyTorch's operators."""
