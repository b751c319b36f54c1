"""A neural language model over a model's own tokens: ESPnet's LSTM, trained here; an option beside the n-gram one.

An n-gram knows a few syllables; an LSTM the sentence so far (Mikolov et al., 2010; Sundermeyer et al., 2012). It takes minutes
where the other takes a second, and pays from some ten thousand sentences on.
"""

from __future__ import annotations

import copy
import hashlib
import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from avsr.runtime import quiet_imports
from avsr.errors import AvsrError, ModelError
from avsr.files import replace_file
from avsr.processes import progress

with quiet_imports():
    from espnet2.lm.seq_rnn_lm import SequentialRNNLM

FORMAT = 1
_BATCH = 48  # sentences
_RATE = 2e-3
_PATIENCE = 2  # epochs without a gain on the sentences held out
_HELD_OUT = 20  # one sentence of so many tells when to stop
_FEWEST = 40  # sentences
_IGNORED = -100
_DAMAGED = (
    OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError, pickle.UnpicklingError
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """Units of a layer, layers, and the share of units dropped in training."""

    unit: int = 256
    layers: int = 2
    dropout: float = 0.3


class NeuralLM:
    """A trained network and the tokens it was trained on; `scorer` is what a beam search asks."""

    def __init__(self, network: SequentialRNNLM, token_list: Sequence[str], size: Size) -> None:
        self.network, self.token_list, self.size = network.eval(), list(token_list), size

    @property
    def scorer(self) -> SequentialRNNLM:
        """ESPnet's batch scorer: log P(token | what was said so far)."""
        return self.network

    def score(self, tokens: Sequence[int]) -> float:
        """Natural log probability of a whole sentence, its end included."""
        with torch.inference_mode():
            given, wanted = _batch([tokens], len(self.token_list) - 1)
            told = self.network(given, None)[0][0].log_softmax(-1)
        return float(told.gather(1, wanted[0][:, None]).sum())

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        state = {name: value.half() for name, value in self.network.state_dict().items()}
        size = {"unit": self.size.unit, "layers": self.size.layers, "dropout": self.size.dropout}
        _save({"format": FORMAT, "size": size, "token_list": self.token_list, "state": state}, path)


def load_neural(source: Path | bytes, where: object) -> NeuralLM:
    """Read what `NeuralLM.save` wrote, from a file or its bytes; ModelError names `where`."""
    try:
        data = torch.load(io.BytesIO(source) if isinstance(source, bytes) else source, map_location="cpu", weights_only=True)
        if not isinstance(data, dict):
            raise ValueError("it holds no table")
        if data["format"] != FORMAT:
            raise ModelError(f"{where}: its format is {data['format']}, this program reads {FORMAT}; train it again.")
        size, tokens = Size(**data["size"]), data["token_list"]
        network = _network(len(tokens), size)
        network.load_state_dict({name: value.float() for name, value in data["state"].items()})
        return NeuralLM(network, tokens, size)
    except FileNotFoundError:
        raise ModelError(f"{where}: there is no such file; train a language model with `avsr lm`.") from None
    except ModelError:
        raise
    except _DAMAGED as error:
        what = " ".join(str(error).split())[:120]
        raise ModelError(f"{where}: is no language model, or damaged ({what}); train it again with `avsr lm`.") from error


def train_neural(
    sentences: Sequence[Sequence[int]],
    token_list: Sequence[str],
    kept: Path,
    *,
    epochs: int = 30,
    seed: int = 1,
    size: Size = Size(),
) -> NeuralLM:
    """Train on token ids (without sos and eos) until one sentence of twenty, held out, is foretold no better.

    Args:
        kept: file that an interrupted training goes on from; to be removed when what is returned has been saved.
        epochs: the most there are.

    AvsrError: there are too few sentences, or `kept` is of another training.
    """
    sentences = [list(sentence) for sentence in sentences if len(sentence)]
    if len(sentences) < _FEWEST:
        few = f"{len(sentences)} sentences are too few for a neural language model, which needs {_FEWEST}"
        raise AvsrError(f"{few}; leave out --kind.")
    if seed < 0:
        raise AvsrError(f"seed {seed}: give 0 or more.")
    mark = len(token_list) - 1
    held, learnt = sentences[::_HELD_OUT], [s for place, s in enumerate(sentences) if place % _HELD_OUT]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(len(token_list), size)
    optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=0.01)
    order = {"seed": seed, "epochs": epochs, "size": [size.unit, size.layers, size.dropout]}
    order["sentences"] = hashlib.sha256(repr(sentences).encode()).hexdigest()
    state = _resumed(kept, order) or {"epoch": 0, "best": float("inf"), "wait": 0}
    best_network = copy.deepcopy(network.state_dict())
    if state["epoch"]:
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        best_network = state["best_network"]
    with progress("epochs", epochs, state["epoch"]) as advance:
        for epoch in range(state["epoch"] + 1, epochs + 1):
            _epoch(network, optimizer, learnt, mark, np.random.default_rng([seed, epoch]), seed * 1_000_003 + epoch)
            now = _held_loss(network, held, mark)
            better = now < state["best"]
            state |= {"epoch": epoch, "best": min(now, state["best"]), "wait": 0 if better else state["wait"] + 1}
            best_network = copy.deepcopy(network.state_dict()) if better else best_network
            for group in optimizer.param_groups:
                group["lr"] *= 1.0 if better else 0.4
            advance()
            if state["wait"] > _PATIENCE:
                break
            parts = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "best_network": best_network}
            _save(state | parts | {"order": order}, kept)
    network.load_state_dict(best_network)
    return NeuralLM(network, token_list, size)


def _epoch(network, optimizer, learnt: list, mark: int, rng: np.random.Generator, seed: int) -> None:
    network.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for batch in _batches(learnt, rng):
            given, wanted = _batch(batch, mark)
            told, _ = network(given, None)
            loss = F.cross_entropy(told.flatten(0, 1), wanted.flatten(), ignore_index=_IGNORED)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()


def _held_loss(network, held: list, mark: int) -> float:
    """Mean loss of a token."""
    network.eval()
    total, count = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(held), _BATCH):
            given, wanted = _batch(held[start : start + _BATCH], mark)
            told, _ = network(given, None)
            total += float(F.cross_entropy(told.flatten(0, 1), wanted.flatten(), ignore_index=_IGNORED, reduction="sum"))
            count += int((wanted != _IGNORED).sum())
    return total / count


def _batches(sentences: list, rng: np.random.Generator) -> list[list]:
    """All sentences once, those of about one length together, the batches in any order."""
    jitter = rng.uniform(0, 3, len(sentences))
    order = sorted(range(len(sentences)), key=lambda place: len(sentences[place]) + jitter[place])
    parts = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
    return [[sentences[place] for place in parts[number]] for number in rng.permutation(len(parts))]


def _batch(sentences: Sequence[Sequence[int]], mark: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, L + 1) what is given, sos first, and what is wanted, eos last; padded with 0 and with what a loss ignores."""
    longest = max(map(len, sentences)) + 1
    given, wanted = torch.zeros(len(sentences), longest, dtype=torch.long), torch.full((len(sentences), longest), _IGNORED)
    for row, sentence in enumerate(sentences):
        whole = torch.tensor([mark, *sentence, mark])
        given[row, : len(whole) - 1], wanted[row, : len(whole) - 1] = whole[:-1], whole[1:]
    return given, wanted


def _network(vocabulary: int, size: Size) -> SequentialRNNLM:
    return SequentialRNNLM(vocabulary, unit=size.unit, nlayers=size.layers, dropout_rate=size.dropout)


def _resumed(kept: Path, order: dict) -> dict | None:
    if not kept.exists():
        return None
    try:
        state = torch.load(kept, weights_only=True)
        same = state["order"] == order
    except _DAMAGED:
        same = False
    if not same:
        raise AvsrError(f"{kept} is left of another training; remove it, or run the command that it belongs to.")
    return state


def _save(value: dict, path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue())
