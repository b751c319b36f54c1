"""Sentences for the made corpus: five-slot commands, daily life, or the lines of the user's own file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from avsr.corpora.labels import read_label_text, watched
from avsr.corpora.talking_heads.grammar import daily_sentence
from avsr.corpora.talking_heads.lexicon import read_lexicon
from avsr.errors import AvsrError
from avsr.text.hangul import is_syllable
from avsr.text.normalize import normalize_scoring


def command_sentences(count: int, rng: np.random.Generator) -> list[str]:
    """``count`` different sentences of five words, as 학생 축구 그러나 칠 노랑: person, thing, connective, number, colour.

    NFC, single spaces. In the manner of GRID (Cooke et al. 2006): every word of a slot is equally likely and says nothing
    about the others, so nothing but sound and lips tells them apart. AvsrError where there are not so many sentences.
    """
    slots = list(read_lexicon("command").values())
    sizes = [len(words) for words in slots]
    total = math.prod(sizes)
    if not 0 <= count <= total:
        raise AvsrError(f"{count} command sentences were asked for: the slots give from 0 to {total}.")
    chosen = rng.permutation(total)[:count]
    columns = np.unravel_index(chosen, sizes)
    return [" ".join(words[i] for words, i in zip(slots, row, strict=True)) for row in zip(*columns, strict=True)]


def as_read(sentence: str) -> str:
    """The sentence as it is handed to the voice: a command with a comma after each word, any other as it is.

    The words of a command say nothing of each other, so a person reads them as a list: none runs into the next (만약 오 is not
    마냐고). On 8 sentences Whisper base made a third fewer errors for 8 % more time (CER 26 and 16); over all the shipped
    voices it gains little (26.9 and 25.1, 32 and 40 sentences).
    """
    words = sentence.split()
    slots = list(read_lexicon("command").values())
    is_command = len(words) == len(slots) and all(word in slot for word, slot in zip(words, slots, strict=True))
    return ", ".join(words) if is_command else sentence


def daily_sentences(count: int, rng: np.random.Generator) -> list[str]:
    """``count`` different sentences of daily life, two to nine eojeol, put together by `grammar` from the lexicon.

    NFC, Hangul and single spaces; numbers are written out; the three levels of politeness. AvsrError where ``count`` is
    negative, or so large that new sentences have become rare.
    """
    if count < 0:
        raise AvsrError(f"{count} daily sentences were asked for: give a number from 0 up.")
    sentences: dict[str, None] = {}
    for _ in watched(range(count), "writing sentences"):
        in_vain = 0
        while (sentence := daily_sentence(rng)) in sentences:
            in_vain += 1
            if in_vain == 1000:
                raise AvsrError(
                    f"{count} daily sentences were asked for: the grammar gave {len(sentences)} and hardly any new one."
                )
        sentences[sentence] = None
    return list(sentences)


def read_sentences(path: Path) -> list[str]:
    """The sentences of a text file, one a line, in its order: NFC Hangul, single spaces, as ``normalize_scoring`` has it.

    Punctuation goes, figures are read the Sino-Korean way (write 세 개 for the native one). Empty lines are passed over and
    of equal sentences the first stays, since one that is in the training set and in the test would be no test.

    LabelError where the file cannot be read; AvsrError names the line that has a letter which cannot be spoken, or none.
    """
    path = Path(path)
    sentences: dict[str, None] = {}
    for number, line in enumerate(read_label_text(path).split("\n"), 1):
        if not line.strip():
            continue
        sentence = normalize_scoring(line)
        strange = next((character for character in sentence if character != " " and not is_syllable(character)), None)
        if strange is not None:
            raise AvsrError(f"{path}, line {number}: '{strange}' cannot be spoken; write it as it is said, in Hangul.")
        if not sentence:
            raise AvsrError(f"{path}, line {number}: there is nothing to speak; write a sentence or remove the line.")
        sentences[sentence] = None
    return list(sentences)
