"""What a training starts from (--init_param): a packed model's weights or a .pth, of the same tokens where tokens matter."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avsr.decoding.packed import load_packed, read_weights
from avsr.errors import AvsrError
from avsr.files import read_yaml, replace_file

if TYPE_CHECKING:
    import torch

# The parts of a model that have a row or a column for each token.
OF_TOKENS = ("audio_ctc", "lip_ctc", "audio_align", "lip_align", "decoder", "fusion.head")


def named(words: Sequence[str], option: str) -> tuple[int, int]:
    """Where the values of `--option` lie in a command line that has it last at that place; (0, 0) where it is not there."""
    places = [place for place, word in enumerate(words) if word == f"--{option}"]
    if not places:
        return 0, 0
    first = places[-1] + 1
    return first, next((place for place in range(first, len(words)) if words[place].startswith("--")), len(words))


def initial_arguments(config: dict, passed_on: list[str], tokens: Path, exp: Path) -> list[str]:
    """`passed_on` with each --init_param, typed or of the configuration, as ESPnet can load it.

    Each is FILE or ESPnet's FILE:FROM:TO:LEFT_OUT; FILE may be a packed model, whose weights are put into EXP/initial.

    AvsrError: a file cannot be used, or parts that have a row for each token are wanted of a model of other tokens.
    """
    split = (word.split("=", 1) if word.startswith("--init_param=") else [word] for word in passed_on)
    passed_on = [word for words in split for word in words]
    first, stop = named(passed_on, "init_param")
    given = passed_on[first:stop] if stop else [str(value) for value in config.get("init_param") or []]
    if not given:
        return passed_on
    usable = [_usable(value, tokens, exp / "initial") for value in given]
    return [*passed_on[:first], *usable, *passed_on[stop:]] if stop else [*passed_on, "--init_param", *usable]


def _usable(given: str, tokens: Path, folder: Path) -> str:
    from avsr.text.tokens import TOKENS_FILE, load_tokenizer

    name, *parts = given.split(":")
    path = Path(name)
    if not path.is_file():
        raise AvsrError(f"--init_param {name}: there is no such file; give a packed model (.zip) or a .pth that training wrote.")
    state, known = _packed(path) if path.suffix == ".zip" else _trained(path)
    source, target, left_out = [*parts, "", "", ""][:3]
    wanted = [key for key in state if not any(key.startswith(prefix) for prefix in left_out.split(",") if prefix)]
    wanted = [key for key in wanted if not source or key.startswith(source)]
    if not wanted:
        raise AvsrError(f"--init_param {given}: {name} has no weights of that name; its parts are {', '.join(_parts(state))}.")
    of_tokens = [key for key in wanted if key.startswith(OF_TOKENS)]
    mine = load_tokenizer(tokens).token_list
    rows = state.get("lip_ctc.ctc_lo.bias")
    count = len(known) if known is not None else len(mine) if rows is None else len(rows)
    if of_tokens and (count != len(mine) or known is not None and known != mine):
        raise AvsrError(
            f"--init_param {name}: is a model of {'other' if count == len(mine) else count} tokens, {tokens / TOKENS_FILE} has "
            f"{len(mine)}; leave out what knows tokens ({name}:::{','.join(OF_TOKENS)}), name one part "
            f"({name}:lip_encoder:lip_encoder), or train with that model's tokens."
        )
    if path.suffix != ".zip":
        return given
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / f"{path.stem}.pth", buffer.getvalue())
    return ":".join([str(folder / f"{path.stem}.pth"), *parts])


def _packed(path: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    packed = load_packed(path)
    return packed.model.state_dict(), packed.tokenizer.token_list


def _trained(path: Path) -> tuple[dict[str, torch.Tensor], list[str] | None]:
    """Its weights; its tokens where the config.yaml beside it leads to them, else None."""
    from avsr.text.tokens import load_tokenizer

    config = path.with_name("config.yaml")
    folder = read_yaml(config).get("token_dir") if config.is_file() else None
    known = load_tokenizer(Path(folder)).token_list if folder and Path(folder).is_dir() else None
    return read_weights(path), known


def check_fits(given: Iterable[str], model: Mapping[str, torch.Tensor]) -> None:
    """AvsrError where what training is to start from (as `initial_arguments` gives it) is not of the model's sizes, or of other parts."""
    for value in given:
        name, source, target, left_out = [*value.split(":"), "", "", ""][:4]
        for key, weights in read_weights(Path(name)).items():
            if any(key.startswith(prefix) for prefix in left_out.split(",") if prefix) or not key.startswith(source):
                continue
            inner = key[len(source) + 1 :] if source else key
            own = model.get(f"{target}.{inner}" if target else inner)
            if own is None or own.shape != weights.shape:
                has = "has none" if own is None else f"has {tuple(own.shape)}"
                raise AvsrError(
                    f"--init_param {name}: its {key} has the sizes {tuple(weights.shape)}, the model of the training configuration {has}; "
                    "give the configuration that it was trained with, name a part that fits, or leave out what does not "
                    "(--ignore_init_mismatch true)."
                )


def check_frozen(wanted: Iterable[str], names: Iterable[str]) -> None:
    """AvsrError where a part that is to be frozen (--freeze_param) is none of the model's: ESPnet would train it, and say nothing."""
    names = list(names)
    for part in wanted:
        if not any(name == part or name.startswith(f"{part}.") for name in names):
            raise AvsrError(f"--freeze_param {part}: the model has no such part; it has {', '.join(_parts(names))}, and parts of these.")


def _parts(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.partition(".")[0] for name in names))
