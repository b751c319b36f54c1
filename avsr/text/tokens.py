"""Turns text into the model's tokens and back: NFD jamo, syllables or SentencePiece over NFD, in ESPnet's token list.

The list on disk is ESPnet's: one token a line, ``<blank>`` first, ``<unk>`` second, ``<sos/eos>`` last, and ``<space>``
for the space (espnet2.bin.tokenize_text writes the same).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from avsr.errors import AvsrError
from avsr.files import replace_file
from avsr.text.hangul import from_jamo, to_jamo

TokenType = Literal["jamo", "char", "bpe"]

BLANK = "<blank>"
UNKNOWN = "<unk>"
SPACE = "<space>"
SOS_EOS = "<sos/eos>"
UNKNOWN_SHOWN = "\u2047"  # SentencePiece's own sign for a piece it does not know
_WORD_START = "\u2581"  # SentencePiece's sign for the space before a piece

TOKENS_FILE = "tokens.txt"
TYPE_FILE = "token_type"
BPE_FILE = "bpe.model"


class Tokenizer:
    """Text <-> tokens <-> ids of one token list.

    ``token_type`` is ``jamo`` (characters of NFD), ``char`` (characters of NFC) or ``bpe`` (SentencePiece over NFD, which
    needs ``bpe_model``: the file, or its bytes as a packed model carries them). Text in and out is NFC. Any run of white
    space counts as one space, and none is kept at the ends: three token types, one behaviour. Can be pickled.
    """

    def __init__(self, token_type: TokenType, token_list: Sequence[str], bpe_model: bytes | Path | None = None):
        _check_token_type(token_type)
        _check_token_list(token_list)
        if (token_type == "bpe") != (bpe_model is not None):
            raise AvsrError(f"token type {token_type}: a SentencePiece model goes with 'bpe' and with nothing else")
        self.token_type: TokenType = token_type
        self.token_list = list(token_list)
        self.bpe_model = bpe_model.read_bytes() if isinstance(bpe_model, Path) else bpe_model
        self._ids = {token: i for i, token in enumerate(self.token_list)}
        self._pieces: Any = None if self.bpe_model is None else _load_sentencepiece(self.bpe_model)

    def __len__(self) -> int:
        return len(self.token_list)

    @property
    def blank_id(self) -> int:
        return 0

    @property
    def unknown_id(self) -> int:
        return 1

    @property
    def sos_eos_id(self) -> int:
        return len(self.token_list) - 1

    def text2tokens(self, text: str) -> list[str]:
        """Tokens of ``text``; a character that the list lacks is a token too, and only ``encode`` makes it ``<unk>``."""
        words = " ".join(text.split())
        if self.token_type == "bpe":
            return list(self._pieces.encode(to_jamo(words), out_type=str))
        return [SPACE if token == " " else token for token in _characters(words, self.token_type)]

    def tokens2text(self, tokens: Iterable[str]) -> str:
        """NFC text of ``tokens``; blank and sos/eos are left out, an unknown token is shown as one U+2047 sign."""
        shown = []
        for token in tokens:
            if token in (BLANK, SOS_EOS):
                continue
            shown.append(UNKNOWN_SHOWN if token == UNKNOWN else " " if token == SPACE else token)
        text = "".join(shown)
        if self.token_type == "bpe":
            text = text.replace(_WORD_START, " ")
        return " ".join(from_jamo(text).split())

    def encode(self, text: str) -> list[int]:
        """Ids of ``text``'s tokens; ``<unk>``'s id for a token that the list lacks."""
        return [self._ids.get(token, self.unknown_id) for token in self.text2tokens(text)]

    def decode(self, ids: Iterable[int]) -> str:
        """NFC text of token ids (collapsed already, if they come from CTC); IndexError for an id outside the list."""
        tokens = []
        for i in ids:
            if not 0 <= i < len(self.token_list):
                raise IndexError(f"token id {i} is outside the list of {len(self.token_list)} tokens")
            tokens.append(self.token_list[i])
        return self.tokens2text(tokens)

    def save(self, out_dir: Path) -> None:
        """Write ``tokens.txt``, ``token_type`` and, for bpe, ``bpe.model`` into ``out_dir``, each under its name when whole."""
        out_dir.mkdir(parents=True, exist_ok=True)
        if self.bpe_model is None:
            (out_dir / BPE_FILE).unlink(missing_ok=True)  # one of an earlier token type
        else:
            replace_file(out_dir / BPE_FILE, self.bpe_model)
        replace_file(out_dir / TYPE_FILE, f"{self.token_type}\n".encode())
        replace_file(out_dir / TOKENS_FILE, "".join(f"{token}\n" for token in self.token_list).encode("utf-8"))


def load_tokenizer(token_dir: Path) -> Tokenizer:
    """The tokenizer that ``build_token_list`` or ``Tokenizer.save`` wrote; AvsrError where a file is missing or broken."""
    token_dir = Path(token_dir)
    for name in (TYPE_FILE, TOKENS_FILE):
        if not (token_dir / name).is_file():
            raise AvsrError(f"{token_dir / name} is missing: build the token list first (the tokens stage of run.sh)")
    token_type = (token_dir / TYPE_FILE).read_text(encoding="utf-8").strip()
    # Not splitlines(): a token may be one of the rarer line separators of Unicode.
    tokens = (token_dir / TOKENS_FILE).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    try:
        _check_token_type(token_type)
        if token_type == "bpe" and not (token_dir / BPE_FILE).is_file():
            raise AvsrError(f"the token type is bpe, but {BPE_FILE} is missing")
        return Tokenizer(token_type, tokens, token_dir / BPE_FILE if token_type == "bpe" else None)  # type: ignore[arg-type]
    except AvsrError as error:
        raise AvsrError(f"{token_dir}: {error}") from error


def build_token_list(
    texts: Iterable[str], token_type: TokenType, *, vocab_size: int | None = None, out_dir: Path
) -> Tokenizer:
    """Learn the tokens of ``texts`` (normalised sentences) and write them into ``out_dir``; the same texts, the same bits.

    ``vocab_size`` counts the whole list with its special tokens. ``bpe`` needs it (an upper bound: a small corpus may
    not have so many pieces); for ``jamo`` and ``char`` it keeps the most frequent ones, and None keeps all.
    """
    _check_token_type(token_type)
    sentences = [sentence for text in texts if (sentence := " ".join(text.split()))]
    if not sentences:
        raise AvsrError("no text to build a token list from: check the 'text' file of the training data")
    if token_type == "bpe":
        if vocab_size is None:
            raise AvsrError("token type bpe needs a vocabulary size")
        model = _train_sentencepiece([to_jamo(sentence) for sentence in sentences], vocab_size)
        pieces = _load_sentencepiece(model)
        learned = [pieces.id_to_piece(i) for i in range(pieces.get_piece_size()) if not pieces.is_unknown(i)]
    else:
        model = None
        counts: Counter[str] = Counter()
        for sentence in sentences:
            counts.update(_characters(sentence, token_type))
        ordered = sorted(counts, key=lambda token: (-counts[token], token))
        if vocab_size is not None:
            if vocab_size < 4:
                raise AvsrError(f"a vocabulary of {vocab_size} has no room beside {BLANK}, {UNKNOWN} and {SOS_EOS}")
            ordered = ordered[: vocab_size - 3]
        # By code point, not by count: with more text of the same letters the list stays as it is, and so does what a model's heads
        # have learnt of it.
        learned = [SPACE if token == " " else token for token in sorted(ordered)]
    tokenizer = Tokenizer(token_type, [BLANK, UNKNOWN, *learned, SOS_EOS], model)
    tokenizer.save(Path(out_dir))
    return tokenizer


def _characters(text: str, token_type: TokenType) -> str:
    return to_jamo(text) if token_type == "jamo" else unicodedata.normalize("NFC", text)


def _train_sentencepiece(sentences: list[str], vocab_size: int) -> bytes:
    """A unigram model of NFD sentences. The identity rule is needed: SentencePiece's default is NFKC, which would put the
    jamo back into syllables. One thread, because the sums of several come out in any order."""
    import io

    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            model_type="unigram",
            vocab_size=vocab_size - 2,  # blank and sos/eos are ours; unk is counted by both
            hard_vocab_limit=False,
            character_coverage=1.0,
            normalization_rule_name="identity",
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        characters = len(set("".join(sentences)))
        raise AvsrError(
            f"a bpe vocabulary of {vocab_size} cannot be learnt from {len(sentences)} sentences with {characters} different"
            f" characters: choose one above {characters + 4} ({' '.join(str(error).split())})"
        ) from error
    return model.getvalue()


def _load_sentencepiece(model: bytes) -> Any:
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor()
    try:
        pieces.load_from_serialized_proto(model)
    except RuntimeError as error:
        raise AvsrError(f"{BPE_FILE} is not a SentencePiece model: build the token list again") from error
    return pieces


def _check_token_type(token_type: str) -> None:
    if token_type not in get_args(TokenType):
        raise AvsrError(f"token type '{token_type}' is not one of {', '.join(get_args(TokenType))}")


def _check_token_list(tokens: Sequence[str]) -> None:
    if len(tokens) < 3 or (tokens[0], tokens[1], tokens[-1]) != (BLANK, UNKNOWN, SOS_EOS):
        raise AvsrError(f"a token list begins with {BLANK} and {UNKNOWN} and ends with {SOS_EOS}; this one does not")
    twice = [token for token, count in Counter(tokens).items() if count > 1]
    if twice:
        raise AvsrError(f"the token list has '{twice[0]}' more than once")
