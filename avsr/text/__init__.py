"""Hangul, normalising, tokens and error rates: everything that is text and nothing that is media."""
