"""Live captions for rooms of people: the rooms and their protocol (docs/live.md), and the processes that decode and recognise."""
