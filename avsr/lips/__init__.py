"""Frames to mouth clips: face landmarks, tracks, the stabilised 96x96 grey crop and its storage."""
