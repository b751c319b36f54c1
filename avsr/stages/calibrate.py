"""Part of the pack stage: what a word's confidence is worth, from how often words of dev were right that looked as sure."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from avsr.errors import AvsrError
from avsr.processes import progress
from avsr.tables import read_table

UTTERANCES = 60  # of dev: some 300 words in each of two readings


def calibrate_model(model: Path, data: Path, seed: int) -> str:
    """Recognise utterances of `data` (text, wav.scp, video.scp) with the packed `model` and write into it how its words'
    confidence is made of what the search says; a sentence on what came of it.

    Each is read by the lips alone, and from both streams with a sound that was corrupted as training corrupts it: a clean
    sound makes too few errors to learn from. The model stays as it is, and the sentence says so, where dev tells too little.
    """
    from avsr.decoding.confidence import calibrate, calibration_error, confidences, words_right
    from avsr.decoding.packed import write_with_meta
    from avsr.decoding.recognizer import Recognizer
    from avsr.runtime import limit_threads
    from avsr.lips.mouth_clip import load_mouth_clip
    from avsr.media.audio import read_audio
    from avsr.noise.corruption import SoundCorruption, corrupt_sound

    texts = read_table(data / "text")
    sounds, mouths = (read_table(data / name) if (data / name).exists() else {} for name in ("wav.scp", "video.scp"))
    utterances = sorted(utt for utt in texts if utt in sounds or utt in mouths)
    if not utterances:
        return "confidence not calibrated, as dev has no utterance"
    chosen = [utterances[at] for at in np.unique(np.linspace(0, len(utterances) - 1, UTTERANCES).astype(int))]
    limit_threads()
    recognizer = Recognizer.load(model)
    recognizer.calibration = None
    rng = np.random.default_rng([seed, 9])
    found: list[np.ndarray] = []
    right: list[bool] = []
    with progress("utterances for the confidence", len(chosen), 0) as advance:
        for utt in chosen:
            mouth = load_mouth_clip(mouths[utt]) if utt in mouths else None
            samples = read_audio(sounds[utt])[0] if utt in sounds else None
            if samples is not None:
                samples = corrupt_sound(samples, rng, config=SoundCorruption(clean=0.2, noise=0.55))
            for mode in ("lip", "av"):
                if mode == "lip" and (mouth is None or recognizer.packed.streams == {"sound"}):
                    continue
                if mode == "av" and (samples is None or recognizer.packed.streams == {"lips"}):
                    continue
                hypotheses = recognizer.recognise(samples, mouth, mode)
                said = words_right(texts[utt], [word.text for word in hypotheses.words])
                kept = [place for place, is_right in enumerate(said) if is_right is not None]
                right += [bool(said[place]) for place in kept]
                found.append(hypotheses.features[kept])
            advance()
    features = np.concatenate(found) if found else np.zeros((0, 1))
    try:
        weights = calibrate(features, np.array(right, bool))
    except AvsrError as error:
        print(f"pack: {error} The posterior stands for it.", file=sys.stderr)
        return "confidence not calibrated"
    write_with_meta(model, model, recognizer.packed.meta | {"confidence": weights})
    error = 100 * calibration_error(confidences(features, weights), right)
    return f"confidence calibrated on {len(right)} words of dev, {sum(right)} right (ECE on the same {error:.1f} %)"
