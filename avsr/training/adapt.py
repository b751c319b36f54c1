"""`avsr adapt`: a packed model, taught for a few minutes on clips of one person, whom it reads better then."""

from __future__ import annotations

import copy
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avsr.corpora import lipnet, plain
from avsr.corpora.datadir import Utterance, write_data_dir
from avsr.corpora.labels import Failure, nothing_usable, read_label_text, report, utterance_id
from avsr.errors import AvsrError, LabelError
from avsr.files import VIDEO_SUFFIXES, files_under
from avsr.processor import multiplies_bfloat16
from avsr.tables import read_table, write_lines
from avsr.text.normalize import normalize_training
from avsr.training.augment import Augmentation

if TYPE_CHECKING:
    import torch

    from avsr.decoding.packed import PackedModel

FEWEST = 6  # clips: four to learn from, two to see whether it helped
HELD_OUT = 5  # one of so many clips is only measured with
_BATCH = 8
_RATE = 4e-4
_WARM = 10  # steps
_LOOK = 20  # steps between two looks at the clips held out
_AUGMENT = Augmentation(piece=0.0, tempo=(0.85, 1.15), erase=0.1, time_masks=0)


@dataclass(frozen=True)
class Clip:
    """An utterance with its token ids; samples None where it has no sound."""

    utt: str
    text: str
    tokens: np.ndarray
    frames: np.ndarray
    confidence: np.ndarray
    samples: np.ndarray | None


@dataclass
class Adapted:
    """What came of it: clips learnt from and held out, character errors in percent on those held out, before and after,
    by mode, and the step that was kept (0: none was better)."""

    trained: int
    held_out: int
    before: dict[str, float]
    after: dict[str, float]
    step: int
    failures: list[Failure] = field(default_factory=list)

    @property
    def better(self) -> bool:
        """Whether the clips held out are read with fewer errors, on average of the modes."""
        return sum(self.after.values()) < sum(self.before.values())


def adapt(model: Path, clips: Path, out: Path, *, steps: int = 120, seed: int = 1) -> Adapted:
    """Teach `model` on the clips and write the result to `out`, where it reads the clips held out better than before.

    Args:
        clips: a folder of videos, each beside NAME.txt with what is said, or with NAME.align in LipNet's layout; or a table
            (.tsv, .csv) with the columns path, speaker, text. Mouth clips are kept in `out`.clips for another time.
        steps: batches of 8; a fifth of the clips is never learnt from, and looked at every 20 steps: the step of the least loss
            is kept, and written where it reads them better than before, on average of the modes.

    AvsrError: the options cannot be, too few clips are usable, or the model can be measured in no mode.
    """
    from avsr.decoding.packed import load_packed, write_adapted
    from avsr.runtime import limit_threads

    model, out = Path(model), Path(out)
    for name, value, least in (("steps", steps, _LOOK), ("seed", seed, 0)):
        if value < least:
            raise AvsrError(f"{name} {value}: give {least} or more.")
    if out.resolve() == model.resolve():
        raise AvsrError(f"{out}: is the model itself; give --out another name, so that the old one is kept.")
    failures: list[Failure] = []
    packed, work = load_packed(model), Path(f"{out}.clips")
    ready = load_clips(packed, read_clips(Path(clips), failures, work), work, failures)
    rows = (f"{failure.name}\t{failure.path}\t{' '.join(failure.reason.split())}" for failure in failures)
    write_lines(work / "failed.tsv", ["utt\tpath\treason", *rows])
    if len(ready) < FEWEST:
        first = f" ({failures[0].reason} Others: {work / 'failed.tsv'})" if failures else ""
        raise AvsrError(f"{clips}: {len(ready)} clips can be used, at least {FEWEST} are needed{first}.")
    held, learnt = ready[::HELD_OUT], [clip for place, clip in enumerate(ready) if place % HELD_OUT]
    limit_threads()
    used = _used(packed, ready)
    if not used:
        raise AvsrError(f"{clips}: {model} has learnt from sound alone, and not every clip has sound; give clips with sound.")
    before = errors(packed, held, used)
    step = _teach(packed, learnt, held, used, steps, seed)
    result = Adapted(len(learnt), len(held), before, errors(packed, held, used) if step else before, step, failures)
    if result.better:
        # Confidence and card were the old weights'.
        told = {name: value for name, value in packed.meta.items() if name not in ("confidence", "card")}
        told["name"] = out.stem
        told["adapted"] = {"clips": len(learnt), "steps": step, "seed": seed, "from": str(packed.meta.get("recipe", model.name))}
        out.parent.mkdir(parents=True, exist_ok=True)
        write_adapted(model, out, packed.model.state_dict(), told)
    return result


def adapt_model(model: Path, clips: Path, out: Path, *, steps: int = 120, seed: int = 1) -> str:
    """`adapt`, and what came of it in a few lines; clips that could not be used are listed in `out`.clips/failed.tsv.

    AvsrError, beside `adapt`'s, where the clips held out are read no better.
    """
    result = adapt(model, clips, out, steps=steps, seed=seed)
    lost = f"; {len(result.failures)} could not be used, see {out}.clips/failed.tsv" if result.failures else ""
    rates = ", ".join(f"{mode} {result.before[mode]:.1f} -> {result.after[mode]:.1f}" for mode in result.before)
    told = f"{result.trained} clips learnt from, {result.held_out} held out{lost}; CER % on those: {rates}"
    if not result.better:
        raise AvsrError(f"the clips held out are read no better, so nothing was written ({told}); give more clips.")
    return f"{told}; kept: step {result.step} of {steps} -> {out}"


def read_clips(source: Path, failures: list[Failure], made: Path | None = None) -> list[Utterance]:
    """The utterances of a table, of LipNet's layout, or of videos beside text files, but for what lies in `made`, which is our own;
    LabelError where there is none."""
    if source.suffix.lower() in (".tsv", ".csv"):
        return plain.read_corpus(source, failures=failures)
    if not source.is_dir():
        raise LabelError(f"{source}: is neither a folder nor a table; give a folder of videos with a .txt beside each.")
    if next(source.rglob("*.align"), None) is not None:
        return lipnet.read_corpus(source, failures=failures)
    utterances = []
    for path in files_under(source, VIDEO_SUFFIXES):
        if made is not None and made.resolve() in path.resolve().parents:
            continue
        try:
            text = " ".join(unicodedata.normalize("NFC", read_label_text(path.with_suffix(".txt"))).split())
            name = "_".join(path.relative_to(source).with_suffix("").parts)
            utterances.append(Utterance(utterance_id("person", name), "person", path, text))
        except LabelError as error:
            report(failures, Failure(path.name, path, str(error)), error)
    if not utterances:
        raise nothing_usable(source, "holds no video with a .txt of the same name beside it.", failures)
    return utterances


def load_clips(
    packed: PackedModel, utterances: Sequence[Utterance], work: Path, failures: list[Failure]
) -> list[Clip]:
    """Crop the utterances into `work`, which keeps what was cropped before, and load them; what fails is noted."""
    from avsr.lips.folder import crop_data_dir
    from avsr.lips.mouth_clip import load_mouth_clip
    from avsr.media.audio import read_audio

    write_data_dir(work / "data", utterances)
    cropped = crop_data_dir(work / "data", work)
    failures += [Failure(utt, path, reason) for utt, path, reason in cropped.failed]
    mouths, sounds = (read_table(work / name) for name in ("video.scp", "wav.scp"))
    clips = []
    for utterance in sorted(utterances, key=lambda utterance: utterance.utt_id):
        if utterance.utt_id not in mouths:
            continue
        text = normalize_training(utterance.text)
        tokens = np.array(packed.tokenizer.encode(text), np.int64)
        if not len(tokens) or packed.tokenizer.unknown_id in tokens:
            reason = f"{utterance.media}: {text!r} has letters that the model does not know."
            failures.append(Failure(utterance.utt_id, utterance.media, reason))
            continue
        mouth = load_mouth_clip(mouths[utterance.utt_id])
        sound = read_audio(sounds[utterance.utt_id])[0] if utterance.utt_id in sounds else None
        clips.append(Clip(utterance.utt_id, text, tokens, mouth.frames, mouth.confidence, sound))
    return clips


def errors(packed: PackedModel, clips: Sequence[Clip], used: frozenset[str]) -> dict[str, float]:
    """CER in percent of the packed model on the clips, by the lips and by both (or the sound alone), as far as the `used` streams
    have them."""
    from avsr.decoding.recognizer import Recognizer, packed_options
    from avsr.lips.mouth_clip import MouthClip
    from avsr.text.normalize import normalize_scoring
    from avsr.text.scores import cer, total

    recognizer = Recognizer(packed, packed_options(packed.meta, packed.path))
    modes = [mode for mode, stream in (("lip", "lips"), ("av", "sound")) if stream in used]
    found = {}
    for mode in modes:
        counts = []
        for clip in clips:
            text = recognizer.recognise(clip.samples, MouthClip(clip.frames, clip.confidence), mode).text
            counts.append(cer(normalize_scoring(clip.text), normalize_scoring(text)))
        found[mode] = total(counts).rate
    return found


def _teach(
    packed: PackedModel, learnt: list[Clip], held: list[Clip], used: frozenset[str], steps: int, seed: int
) -> int:
    """Train packed.model in place and leave it at the best step by the loss of `held`, which is returned; 0 is where it began."""
    import torch

    from avsr.processes import progress

    model = packed.model
    # The fusion has learnt on corrupted streams, of which there are none here.
    chosen = [value for name, value in model.named_parameters() if not name.startswith("fusion.")]
    optimizer = torch.optim.AdamW(chosen, _RATE, weight_decay=0.01)
    best, kept, at = _loss(packed, held, used), copy.deepcopy(model.state_dict()), 0
    with progress("steps", steps, 0) as advance:
        for step in range(1, steps + 1):
            rng = np.random.default_rng([seed, step])
            picked = [learnt[place] for place in rng.permutation(len(learnt))[:_BATCH]]
            for group in optimizer.param_groups:
                group["lr"] = _RATE * min(1.0, step / _WARM, 1.1 - step / steps)
            _train_mode(model)
            batch = _batch([_varied(clip, rng) for clip in picked], used)
            # As training does: bfloat16 where the processor has it.
            with torch.random.fork_rng(devices=[]), torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16()):
                torch.manual_seed(seed * 1_000_003 + step)
                loss, *_ = model(**batch)
            optimizer.zero_grad()
            loss.sum().backward()
            torch.nn.utils.clip_grad_norm_(chosen, 5.0)
            optimizer.step()
            if step % _LOOK == 0 or step == steps:
                now = _loss(packed, held, used)
                if now < best:
                    best, kept, at = now, copy.deepcopy(model.state_dict()), step
            advance()
    model.load_state_dict(kept)
    model.eval()
    return at


def _used(packed: PackedModel, clips: Sequence[Clip]) -> frozenset[str]:
    """The streams that are learnt from: those of the model that every clip has."""
    return packed.streams if all(clip.samples is not None for clip in clips) else packed.streams - {"sound"}


def _train_mode(model: torch.nn.Module) -> None:
    """Training, but for the batch normalisation, whose averages a few clips of one face would spoil."""
    import torch

    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()


def _loss(packed: PackedModel, clips: Sequence[Clip], used: frozenset[str]) -> float:
    """Mean loss per clip, nothing varied."""
    import torch

    packed.model.eval()
    total = 0.0
    with torch.inference_mode():
        for first in range(0, len(clips), _BATCH):
            part = [_centred(clip) for clip in clips[first : first + _BATCH]]
            loss, *_ = packed.model(**_batch(part, used))
            total += float(loss.sum()) * len(part)
    return total / len(clips)


def _centred(clip: Clip) -> tuple[Clip, np.ndarray]:
    side = (clip.frames.shape[-1] - _AUGMENT.crop_size) // 2
    return clip, clip.frames[:, side : side + _AUGMENT.crop_size, side : side + _AUGMENT.crop_size]


def _varied(clip: Clip, rng: np.random.Generator) -> tuple[Clip, np.ndarray]:
    """The clip at another tempo, and its pictures (T, 88, 88) from another place and in another light."""
    from avsr.training.augment import change_tempo, hide, move_and_light, tempo_frames

    crowded = len(clip.tokens) / (_AUGMENT.densest * len(clip.frames))
    factor = max(rng.uniform(*_AUGMENT.tempo), min(1.0, crowded))
    shown = tempo_frames(len(clip.frames), factor)
    pictures = hide(move_and_light(clip.frames[shown], rng, _AUGMENT), rng, _AUGMENT)
    samples = None if clip.samples is None else change_tempo(clip.samples, factor)
    return replace(clip, confidence=clip.confidence[shown], samples=samples), pictures


def _batch(clips: Sequence[tuple[Clip, np.ndarray]], used: frozenset[str]) -> dict[str, Any]:
    """What AVSRModel.forward takes of the `used` streams, padded."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    def padded(arrays: list[np.ndarray], value: float = 0) -> tuple[torch.Tensor, torch.Tensor]:
        tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
        return pad_sequence(tensors, batch_first=True, padding_value=value), torch.tensor([len(array) for array in arrays])

    batch: dict[str, Any] = {}
    batch["text"], batch["text_lengths"] = padded([clip.tokens for clip, _ in clips], -1)
    if "lips" in used:
        batch["video"], batch["video_lengths"] = padded([pictures for _, pictures in clips])
        batch["confidence"], batch["confidence_lengths"] = padded([clip.confidence.astype(np.float32) for clip, _ in clips])
    if "sound" in used:
        batch["speech"], batch["speech_lengths"] = padded([clip.samples.astype(np.float32) for clip, _ in clips])
    return batch
