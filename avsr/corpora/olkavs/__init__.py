"""AI-Hub 538 (OLKAVS) from its archives, read as streams, to mouth clips, sound and data directories."""
