"""The ESPnet2 task: how ESPnet's trainer, unpatched, makes our model and reads our data."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from espnet2.tasks.abs_task import AbsTask
from espnet2.train.collate_fn import CommonCollateFn
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import str_or_none

from avsr.errors import AvsrError
from avsr.model.avsr_model import AVSRModel, ModelConfig
from avsr.noise.corruption import PictureCorruption, SoundCorruption
from avsr.text.tokens import load_tokenizer
from avsr.training.augment import Augmentation
from avsr.training.data import add_data_type
from avsr.training.preprocessor import AVSRPreprocessor
from avsr.training.trainer import SafeTrainer

add_data_type()


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

    @classmethod
    def build_collate_fn(cls, args: argparse.Namespace, train: bool):
        # ESPnet fills tokens and frame targets up with a negative number, which the model reads as "none".
        return CommonCollateFn(float_pad_value=0.0, int_pad_value=-1)

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool):
        return AVSRPreprocessor(
            # The statistics stage measures lengths, and wants the utterances as they are.
            train=train and not args.collect_stats,
            tokenizer=load_tokenizer(Path(args.token_dir)),
            augmentation=make_augmentation(args.augment_conf),
            noises=None if args.noise_scp is None else Path(args.noise_scp),
        )

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        return () if inference else ("text",)

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        return ("speech", "video", "align")

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> AVSRModel:
        tokenizer = load_tokenizer(Path(args.token_dir))
        config = make_config(ModelConfig, args.model_conf, "model_conf")
        crop, looked_at = make_augmentation(args.augment_conf).crop_size, config.lip_conf.get("crop_size", 88)
        if crop != looked_at:
            raise AvsrError(f"augment_conf.crop_size is {crop} and model_conf.lip_conf.crop_size is {looked_at}: make them equal")
        return AVSRModel(len(tokenizer), config)


def make_augmentation(conf: dict) -> Augmentation:
    """`Augmentation` from the YAML's dictionary; AvsrError names a field that does not exist."""
    conf = {name: tuple(value) if isinstance(value, list) else value for name, value in conf.items()}
    for name, kind in (("sound", SoundCorruption), ("picture", PictureCorruption)):
        if name in conf:
            conf[name] = make_config(kind, conf[name], f"augment_conf.{name}")
    return make_config(Augmentation, conf, "augment_conf")


def make_config(kind: type, conf: dict, where: str):
    """A configuration dataclass from a dictionary; AvsrError names a field that does not exist."""
    known = {field.name for field in dataclasses.fields(kind)}
    unknown = sorted(set(conf) - known)
    if unknown:
        raise AvsrError(f"{where}: there is no field {unknown[0]!r}; it can be one of {', '.join(sorted(known))}")
    return kind(**conf)
