"""What Korean text looks like: language models, and words that a person expects, for the search."""
