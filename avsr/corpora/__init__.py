"""Corpus layouts in, one data directory out."""
