"""Measures models under declared conditions of noise and faults; corrupts and recognises through the other rooms."""
