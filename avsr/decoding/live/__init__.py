"""Recognition of sound and pictures as they come; no HTTP in here."""
