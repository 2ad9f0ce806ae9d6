"""What numbers alone say about a derivative: differences, rounding, gradcheck."""
