"""Tensors in, tensors out: the encoders, the fusion and the model that trains them together."""
