"""The ESPnet2 task: how ESPnet's trainer, unpatched, makes our model and reads our data."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import logging
from collections.abc import Set
from pathlib import Path

import numpy as np
import torch
from espnet2.asr.decoder.transformer_decoder import TransformerDecoder
from espnet2.asr.encoder.conformer_encoder import ConformerEncoder
from espnet2.asr.encoder.e_branchformer_encoder import EBranchformerEncoder
from espnet2.asr.encoder.rnn_encoder import RNNEncoder
from espnet2.asr.encoder.transformer_encoder import TransformerEncoder
from espnet2.asr.encoder.whisper_encoder import OpenAIWhisperEncoder
from espnet2.asr.specaug.specaug import SpecAug
from espnet2.tasks.abs_task import AbsTask, IteratorOptions
from espnet2.train.collate_fn import CommonCollateFn
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import str_or_none

from avsr.errors import AvsrError
from avsr.model.audio_encoder import AudioEncoder
from avsr.model.avsr_model import FUSIONS, LIP_ENCODERS, AVSRModel, ModelConfig
from avsr.model.whisper_encoder import WhisperAudioEncoder
from avsr.noise.corruption import PictureCorruption, SoundCorruption
from avsr.shards.order import Dealing
from avsr.shards.store import ShardStore
from avsr.text.tokens import load_tokenizer
from avsr.training.augment import Augmentation
from avsr.training.data import add_data_types
from avsr.training.initial import check_fits, check_frozen
from avsr.training.preprocessor import AVSRPreprocessor
from avsr.training.shard_data import ShardDataset, ShardIterFactory
from avsr.training.trainer import SafeTrainer

add_data_types()


class PictureBytes(CommonCollateFn):
    """Lays a batch's arrays together, mouth clips as the bytes that they are.

    ESPnet's data set hands on floats and whole numbers alone, so clips come here as float32: four times what has to go from the
    loader's process to the model (360 MB of 128 clips).
    """

    def __call__(self, data):
        for _, arrays in data:
            if "video" in arrays:
                arrays["video"] = arrays["video"].astype(np.uint8, copy=False)
        return super().__call__(data)


class AVSRTask(AbsTask):
    """Audio-visual speech recognition. ESPnet calls the class methods by keyword: their argument names are its own."""

    num_optimizers = 1
    class_choices_list = []
    trainer = SafeTrainer

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        group = parser.add_argument_group(description="Task related")
        required = parser.get_default("required")
        required += ["token_dir"]
        group.add_argument("--token_dir", type=str_or_none, help="Directory that the tokens stage wrote")
        group.add_argument(
            "--model_conf", action=NestedDictAction, default={}, help="Fields of avsr.model.avsr_model.ModelConfig"
        )
        group.add_argument(
            "--augment_conf", action=NestedDictAction, default={}, help="Fields of avsr.training.augment.Augmentation"
        )
        group.add_argument("--noise_scp", type=str_or_none, help="wav.scp of recordings mixed into the sound in training")
        group.add_argument("--shards", type=str_or_none, help="Where shards lie (avsr.shards.store), in the place of tables")
        group.add_argument("--shard_cache", type=str_or_none, help="Folder of this machine for what is fetched of them")
        group.add_argument("--shard_cache_gb", type=float, default=20.0, help="How much of it is kept")
        group.add_argument("--shard_window", type=int, default=8, help="Shards that an utterance's batch is drawn from")

    @classmethod
    def build_collate_fn(cls, args: argparse.Namespace, train: bool):
        # ESPnet fills tokens and frame targets up with a negative number, which the model reads as "none".
        return PictureBytes(float_pad_value=0.0, int_pad_value=-1)

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool):
        return AVSRPreprocessor(
            train=train,
            tokenizer=load_tokenizer(Path(args.token_dir)),
            augmentation=make_augmentation(args.augment_conf),
            noises=None if args.noise_scp is None else Path(args.noise_scp),
            pictures=np.float32 if getattr(args, "shards", None) is None else np.uint8,
        )

    @classmethod
    def build_task_iter_factory(cls, args: argparse.Namespace, iter_options: IteratorOptions, mode: str) -> ShardIterFactory:
        """The batches of an epoch, out of shards."""
        split, limit = "train" if mode == "train" else "dev", int(args.shard_cache_gb * 2**30)
        cache = None if args.shard_cache is None else Path(args.shard_cache)
        store = ShardStore(args.shards, split, cache=cache, limit=limit)
        names = [name for _, name, _ in iter_options.data_path_and_name_and_type if name != "text"]
        data = ShardDataset(store, names, iter_options.preprocess_fn, seed=args.seed)
        together = iter_options.distributed
        factory = ShardIterFactory(
            data,
            dealing(iter_options.batch_type, iter_options.batch_size, iter_options.batch_bins, args.shard_window),
            train=iter_options.train,
            steps=iter_options.num_iters_per_epoch,
            rank=torch.distributed.get_rank() if together else 0,
            world=torch.distributed.get_world_size() if together else 1,
            collate_fn=iter_options.collate_fn,
            num_workers=args.num_workers,
            pin_memory=args.ngpu > 0,
        )
        logging.info("[%s] %d utterances of %d shards of %s", mode, len(data.rows()), len(store.manifest.shards), store.name(""))
        return factory

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        return () if inference else ("text",)

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        return ("speech", "video", "align", "shape")

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> AVSRModel:
        tokenizer = load_tokenizer(Path(args.token_dir))
        config = make_config(ModelConfig, args.model_conf, "model_conf")
        check_parts(config)
        crop, looked_at = make_augmentation(args.augment_conf).crop_size, config.lip_conf.get("crop_size", 88)
        if crop != looked_at:
            raise AvsrError(f"augment_conf.crop_size is {crop} and model_conf.lip_conf.crop_size is {looked_at}: make them equal")
        try:
            model = AVSRModel(len(tokenizer), config)
        except AvsrError:
            raise
        except (TypeError, ValueError, AssertionError) as error:
            raise AvsrError(f"no model can be made from model_conf ({error}): correct that field") from error
        if not getattr(args, "ignore_init_mismatch", False):
            check_fits(getattr(args, "init_param", None) or [], model.state_dict())
        check_frozen(getattr(args, "freeze_param", None) or [], dict(model.named_parameters()))
        return model


def dealing(batch_type: str, batch_size: int, batch_bins: int, window: int) -> Dealing:
    """How shards' utterances are put into batches, by ESPnet's options; AvsrError for a batch_type that is not for shards."""
    if batch_type in ("unsorted", "sorted"):
        return Dealing(batch_size, window=window)
    if batch_type == "length":  # as many utterances as fit
        return Dealing(batch_bins, batch_bins, window)
    raise AvsrError(f"batch_type is {batch_type!r}; with --shards it can be unsorted (batch_size utterances) or length (batch_bins frames).")


def make_augmentation(conf: dict) -> Augmentation:
    """`Augmentation` from the YAML's dictionary; AvsrError names a field that does not exist."""
    conf = {name: tuple(value) if isinstance(value, list) else value for name, value in conf.items()}
    for name, kind in (("sound", SoundCorruption), ("picture", PictureCorruption)):
        if name in conf:
            conf[name] = make_config(kind, conf[name], f"augment_conf.{name}")
    return make_config(Augmentation, conf, "augment_conf")


def make_config(kind: type, conf: dict, where: str):
    """A configuration dataclass from a dictionary; AvsrError names a field that does not exist."""
    _check_fields(conf, {field.name for field in dataclasses.fields(kind)}, where)
    return kind(**conf)


def check_parts(config: ModelConfig) -> None:
    """AvsrError names a field that a part of the model does not have, in the part's own conf."""
    fixed = {"output_size"}
    lips = _chosen(config.lip_conf, "encoder", LIP_ENCODERS, "lip_conf.encoder")
    _check_fields(config.lip_conf, inspect.signature(lips).parameters.keys() - fixed | {"encoder"}, "model_conf.lip_conf")
    if "encoder_conf" in config.lip_conf:
        _check_part(config.lip_conf["encoder_conf"] or {}, *_CONFORMER, "lip_conf.encoder_conf")
    encoder, set_here = _chosen(config.audio_conf, "encoder", _SEQUENCE_ENCODERS, "audio_conf.encoder")
    if encoder is OpenAIWhisperEncoder:
        own = inspect.signature(WhisperAudioEncoder).parameters.keys() - fixed | {"encoder"}
        _check_fields(config.audio_conf, own, "model_conf.audio_conf")
    else:
        _check_part(config.audio_conf, AudioEncoder, fixed, "audio_conf")
    fusion = _chosen({"fusion": config.fusion}, "fusion", FUSIONS, "fusion")
    _check_part(config.fusion_conf, fusion, {"size", "vocabulary"}, "fusion_conf")
    _check_part(config.decoder_conf, TransformerDecoder, {"vocab_size", "encoder_output_size"}, "decoder_conf")
    _check_part(config.audio_conf.get("encoder_conf") or {}, encoder, set_here, "audio_conf.encoder_conf")
    _check_part(config.audio_conf.get("specaug_conf") or {}, SpecAug, set(), "audio_conf.specaug_conf")


# With what `avsr.model` itself sets.
_SIZES = {"input_size", "output_size"}
_CONFORMER = ConformerEncoder, {*_SIZES, "input_layer", "rel_pos_type"}
_SEQUENCE_ENCODERS = {
    "conformer": _CONFORMER,
    "e_branchformer": (EBranchformerEncoder, {*_SIZES, "input_layer", "rel_pos_type"}),
    "transformer": (TransformerEncoder, {*_SIZES, "input_layer"}),
    "rnn": (RNNEncoder, {*_SIZES, "subsample"}),
    "whisper": (OpenAIWhisperEncoder, {"input_size"}),
}


def _chosen(conf: object, field: str, choices: dict, where: str):
    """What a field names, of choices whose first is the default."""
    name = conf.get(field, next(iter(choices))) if isinstance(conf, dict) else next(iter(choices))
    if name not in choices:
        raise AvsrError(f"model_conf.{where} is {name!r}; it can be {', '.join(choices)}")
    return choices[name]


def _check_part(conf: object, part: type, set_here: set[str], where: str) -> None:
    _check_fields(conf, inspect.signature(part).parameters.keys() - set_here, f"model_conf.{where}")


def _check_fields(conf: object, known: Set[str], where: str) -> None:
    if not isinstance(conf, dict):
        raise AvsrError(f"{where} is {conf!r}; give a table of names and values")
    unknown = sorted(map(str, conf.keys() - known))
    if unknown:
        raise AvsrError(f"{where}: there is no field {unknown[0]!r}; it can be one of {', '.join(sorted(known))}")
