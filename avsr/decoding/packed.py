"""A packed model: one zip with the model's configuration, weights, tokens and story; written here and read here.

Members: config.yaml (format, vocabulary, model_conf), model.pth (state dict, float32 or in part float16), tokens.txt,
token_type, bpe.model (for bpe), lm.npz (a language model of either kind, where there is one), meta.yaml (recipe, commit,
seed, data hash, what it is in a sentence, `streams`: what it was trained on, `decode`: its search options, `confidence`: how
a word's is made of what the search says, `card`: what `avsr.stages.card` put in).
"""

from __future__ import annotations

import dataclasses
import io
import os
import pickle
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avsr.runtime import quiet_imports
from avsr.errors import AvsrError, ModelError
from avsr.files import parse_yaml, read_yaml, written_beside
from avsr.text.tokens import BPE_FILE, TOKENS_FILE, TYPE_FILE, Tokenizer, load_tokenizer

if TYPE_CHECKING:
    import torch

    from avsr.language.ngram import Ngram
    from avsr.language.neural import NeuralLM
    from avsr.model.avsr_model import AVSRModel

FORMAT = 2  # 1 had a fusion that did not ask whether the streams agree
CONFIG, WEIGHTS, META, LM = "config.yaml", "model.pth", "meta.yaml", "lm.npz"
_OPTIONAL = (BPE_FILE, LM)
MODE_ALONE = {"sound": "audio", "lips": "lip"}  # the one mode of a model that was trained on one stream
MEMBERS = (CONFIG, META, TYPE_FILE, TOKENS_FILE, WEIGHTS, *_OPTIONAL)
_VOCABULARY_ROW = "lip_ctc.ctc_lo.bias"  # as long as the token list in every model


@dataclass
class PackedModel:
    """A model in eval(), the tokenizer that goes with it, what meta.yaml says, and the language model that came with it."""

    model: AVSRModel
    tokenizer: Tokenizer
    meta: dict[str, Any]
    path: Path
    lm: Ngram | NeuralLM | None = None

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.model.parameters()).device

    @property
    def streams(self) -> frozenset[str]:
        """What it was trained on, of "sound" and "lips"; both where an older file does not say."""
        return _streams(self.meta)


def pack(
    exp_config: Path, weights: Path, token_dir: Path, out: Path, meta: dict[str, Any], *, half: bool = False, lm: Path | None = None
) -> None:
    """Write `out` from a training run: the same inputs give the same bytes; whole or not at all.

    Args:
        exp_config: ESPnet's config.yaml of the run; its `model_conf` is kept.
        weights: a state dict, as ESPnet saves or averages it.
        token_dir: what `avsr.text.tokens` wrote.
        meta: plain YAML values; `decode` holds the fields of `DecodeOptions` that this model should be searched with.
        half: store matrices in float16, which halves the file; they are float32 again when it is loaded.
        lm: a language model of the same tokens, which is then used wherever the packed model is.

    Raises:
        ModelError: a file is missing or broken, or they do not go together (which is tried here, not at the user's).
    """
    exp_config, weights, out = Path(exp_config), Path(weights), Path(out)
    model, tokenizer = load_trained(exp_config, weights, token_dir)
    conf, state = read_yaml(exp_config, error=ModelError).get("model_conf"), model.state_dict()
    config = {"format": FORMAT, "vocabulary": len(tokenizer), "model_conf": conf}
    members = {CONFIG: _yaml(config, exp_config), META: _yaml(meta, "meta"), TYPE_FILE: f"{tokenizer.token_type}\n".encode()}
    members[TOKENS_FILE] = "".join(f"{token}\n" for token in tokenizer.token_list).encode()
    if tokenizer.bpe_model is not None:
        members[BPE_FILE] = tokenizer.bpe_model
    if lm is not None:
        members[LM] = _read(Path(lm))
        load_lm(members[LM], lm, tokenizer)
    members[WEIGHTS] = _state_bytes(state, half)
    out.parent.mkdir(parents=True, exist_ok=True)
    _write_zip(out, members)


def load_trained(exp_config: Path, weights: Path, token_dir: Path) -> tuple[AVSRModel, Tokenizer]:
    """The model in eval() and its tokenizer, of a training run; arguments and errors as those of `pack`."""
    exp_config, weights = Path(exp_config), Path(weights)
    tokenizer = load_tokenizer(Path(token_dir))
    model = _build(read_yaml(exp_config, error=ModelError).get("model_conf"), len(tokenizer), exp_config)
    _fill(model, _read_state(_read(weights), weights), weights)
    return model.eval(), tokenizer


def load_packed(path: str | os.PathLike, *, device: str = "cpu") -> PackedModel:
    """Read a packed model onto `device`, ready to recognise; imports no `espnet2.tasks`, which would take 12 s and more.

    ModelError: the file is missing, no zip, damaged, lacks a member, or its parts do not go together.
    """
    path = Path(path)
    members = _read_zip(path)
    config = parse_yaml(members[CONFIG], f"{path}: {CONFIG}", error=ModelError)
    if config.get("format") != FORMAT:
        raise ModelError(f"{path}: its format is {config.get('format')}, this program reads {FORMAT}; train it again.")
    tokenizer = _tokenizer(members, path)
    if config.get("vocabulary") != len(tokenizer):
        raise ModelError(
            f"{path}: {TOKENS_FILE} has {len(tokenizer)} tokens where {CONFIG} says {config.get('vocabulary')}; "
            "pack the model again with its own token list."
        )
    model = _build(config.get("model_conf"), len(tokenizer), f"{path}: {CONFIG}")
    _fill(model, _read_state(members[WEIGHTS], f"{path}: {WEIGHTS}"), path)
    meta = parse_yaml(members[META], f"{path}: {META}", error=ModelError)
    lm = load_lm(members[LM], f"{path}: {LM}", tokenizer, device=device) if LM in members else None
    return PackedModel(model.to(device).eval(), tokenizer, meta, path, lm)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The plain state dict that training saved or averaged; ModelError where it is none."""
    return _read_state(_read(path), path)


def read_meta(path: str | os.PathLike) -> dict[str, Any]:
    """What a packed model says of itself, without loading it; ModelError where it is none."""
    return parse_yaml(_read_zip(Path(path), (META,))[META], f"{path}: {META}", error=ModelError)


def read_streams(path: str | os.PathLike) -> frozenset[str]:
    """What a packed model was trained on, of "sound" and "lips", without loading it; ModelError where it is none."""
    return _streams(read_meta(path))


def read_tokenizer(path: str | os.PathLike) -> Tokenizer:
    """The tokens of a packed model, without loading it; ModelError where it is none."""
    path = Path(path)
    return _tokenizer(_read_zip(path, (TYPE_FILE, TOKENS_FILE, BPE_FILE)), path)


def write_with_meta(path: str | os.PathLike, out: Path, meta: dict[str, Any]) -> None:
    """Write the packed model `path` to `out` with another story; what it recognises with is the same, byte for byte."""
    _write_zip(Path(out), _read_zip(Path(path)) | {META: _yaml(meta, "meta")})


def write_adapted(path: str | os.PathLike, out: Path, state: dict[str, torch.Tensor], meta: dict[str, Any]) -> None:
    """Write the packed model `path` to `out` with other weights of the same shapes, as precise as its own, and another story."""
    half = "float16" in str(meta.get("weights", ""))
    members = _read_zip(Path(path)) | {META: _yaml(meta, "meta"), WEIGHTS: _state_bytes(state, half)}
    _write_zip(Path(out), members)


def load_lm(source: Path | bytes, where: object, tokenizer: Tokenizer, *, device: str = "cpu") -> Ngram | NeuralLM:
    """A language model for these tokens, of either kind; ModelError where it cannot be read or is of others."""
    if _is_neural(source):
        from avsr.language.neural import load_neural

        lm: Ngram | NeuralLM = load_neural(source, where)
        lm.network.to(device)
    else:
        from avsr.language.ngram import load_ngram

        lm = load_ngram(source, where)
    if lm.token_list != tokenizer.token_list:
        raise ModelError(f"{where}: is of other tokens than the model; train it for this model with `avsr lm --model`.")
    return lm


def _is_neural(source: Path | bytes) -> bool:
    """Whether it is what torch saves; numpy saves a zip too."""
    try:
        with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _build(conf: Any, vocabulary: int, where: object) -> AVSRModel:
    with quiet_imports():
        from avsr.model.avsr_model import AVSRModel, ModelConfig

    if not isinstance(conf, dict):
        raise ModelError(f"{where}: holds no model_conf; give the config.yaml that training wrote.")
    unknown = sorted(conf.keys() - {field.name for field in dataclasses.fields(ModelConfig)})
    if unknown:
        raise ModelError(f"{where}: model_conf.{unknown[0]} is no field of this program's model; use the version it is of.")
    try:
        with quiet_imports():  # ESPnet's encoders are imported as they are made
            return AVSRModel(vocabulary, ModelConfig(**conf))
    except AvsrError as error:
        raise ModelError(f"{where}: {error}") from error
    except (TypeError, ValueError, AssertionError) as error:
        raise ModelError(f"{where}: no model can be made from its model_conf ({error}); correct that field.") from error


def _fill(model: AVSRModel, state: dict[str, torch.Tensor], where: object) -> None:
    vocabulary, row = model.eos + 1, state.get(_VOCABULARY_ROW)
    if row is not None and len(row) != vocabulary:
        raise ModelError(
            f"{where}: the weights are for {len(row)} tokens, the token list has {vocabulary}; "
            "take the token list that the model was trained with."
        )
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        what = " ".join(str(error).split())[:200]
        raise ModelError(f"{where}: the weights do not fit the model of config.yaml ({what}); pack the run again.") from error


def _read_state(data: bytes, where: object) -> dict[str, torch.Tensor]:
    import torch

    try:
        # weights_only: a pickle from elsewhere could run anything.
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"{where}: holds no weights that can be read; use the .pth that training wrote.") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelError(f"{where}: is no plain state dict; use the averaged .pth, not a checkpoint.")
    return state


def _state_bytes(state: dict[str, torch.Tensor], half: bool) -> bytes:
    import torch

    def stored(value: torch.Tensor) -> torch.Tensor:
        if not value.is_floating_point():
            return value
        # Vectors are biases and running statistics: few, and some are beyond float16, whose largest number is 65,504.
        fits = half and value.dim() > 1 and bool(value.abs().max() < torch.finfo(torch.float16).max)
        return value.half() if fits else value.float()

    # Clones, because a tensor that is a view would bring its whole storage along.
    plain = {name: stored(value).contiguous().clone() for name, value in state.items()}
    buffer = io.BytesIO()
    torch.save(plain, buffer)
    return buffer.getvalue()


def _streams(meta: dict[str, Any]) -> frozenset[str]:
    return frozenset(meta.get("streams") or ("sound", "lips"))


def _tokenizer(members: dict[str, bytes], path: Path) -> Tokenizer:
    try:
        token_type = members[TYPE_FILE].decode("utf-8").strip()
        tokens = members[TOKENS_FILE].decode("utf-8").removesuffix("\n").split("\n")
        return Tokenizer(token_type, tokens, members.get(BPE_FILE))  # type: ignore[arg-type]
    except (AvsrError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: its tokens cannot be used ({error}); pack the model again.") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); run the stage that writes it.") from error


def _yaml(value: dict[str, Any], where: object) -> bytes:
    import yaml

    try:
        return yaml.safe_dump(value, allow_unicode=True, sort_keys=True).encode()
    except yaml.representer.RepresenterError as error:
        raise ModelError(f"{where}: holds a value that YAML has no plain form for ({error}); leave it out.") from error


def _write_zip(out: Path, members: dict[str, bytes]) -> None:
    with written_beside(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(members):
            # A fixed date, and no compression (weights do not shrink): the same model, the same bytes.
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            archive.writestr(info, members[name], zipfile.ZIP_STORED)


def _read_zip(path: Path, wanted: tuple[str, ...] = MEMBERS) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            missing = [name for name in MEMBERS if name not in names and name not in _OPTIONAL]
            if missing:
                raise ModelError(f"{path}: lacks {missing[0]}, so it is no packed model; give the .zip that run.sh packs.")
            return {name: archive.read(name) for name in wanted if name in names}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:  # RuntimeError: encrypted
        raise ModelError(f"{path}: is no packed model, or damaged ({error}); give the .zip that run.sh packs.") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); give a packed model.") from error
