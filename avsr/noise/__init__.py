"""The one place where sound or picture is corrupted, for training and for the benchmark alike."""
