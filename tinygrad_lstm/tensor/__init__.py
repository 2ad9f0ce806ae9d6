"""The Tensor, and functions of functions of Tensors."""
