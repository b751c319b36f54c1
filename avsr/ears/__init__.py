"""Pretrained recognisers of sound, which can be the audio stream: any that implements avsr.ears.ear."""
