"""The ESPnet2 task: data, augmentation, loop."""
