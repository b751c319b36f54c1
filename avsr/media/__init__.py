"""Files and streams in, captions out."""
