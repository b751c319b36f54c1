"""What the parts of a drawn head are made of: the numbers that the drawing tells them apart by."""

SKIN, MOUTH, EYE, TEETH, TONGUE, HAIR, CLOTH, FRAME = range(8)
