"""From a packed model and a video to text: search, word times, captions."""
