"""Audio-visual speech recognition: a video goes in, Korean text comes out, and when the sound fails the lips carry on."""

__version__ = "0.1.0"
