"""The forward process and its algebra, on tensors."""
