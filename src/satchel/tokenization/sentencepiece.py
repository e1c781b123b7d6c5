"""A SentencePiece model as a tokenizer of the tokenizers library. Knows no kind of checkpoint.

Kudo & Richardson 2018, "SentencePiece". The library itself reads the file and is what the made
tokenizer is held against; none of it is needed afterwards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers import processors as post
from tokenizers.models import BPE, Unigram

from satchel.checkpoints.gguf_tokenizer import (
    BYTE,
    NORMAL,
    SPACE,
    UNUSED,
    USER_DEFINED,
    ranked_merges,
)
from satchel.runtime.errors import CheckpointError, UnsupportedError, UsageError, install, shown
from satchel.tokenization.charsmap import BARRED, charsmap_normalizers

NEVER = -1e6  # a score with which a piece is taken only where there is no other way
UNIGRAM, BYTE_PAIR = 1, 2


@dataclass(frozen=True)
class Model:
    """What a .model file says, and the library's own way of cutting a text."""

    name: str
    pieces: list[str]
    scores: list[float]
    kinds: list[int]
    unigram: bool
    byte_fallback: bool
    charsmap: bytes
    dummy_prefix: bool
    remove_spaces: bool
    space_as_suffix: bool
    split: Callable[[str], list[str]]  # a text to pieces; what is unknown as it stands
    join: Callable[[list[str]], str]

    def of_kind(self, *kinds: int) -> list[str]:
        """The pieces of some kinds, in their order."""
        return [p for p, kind in zip(self.pieces, self.kinds, strict=True) if kind in kinds]


@dataclass(frozen=True)
class Vocabulary:
    """Ids of a checkpoint's tokens, which are seldom those of its SentencePiece model."""

    tokens: dict[str, int]
    unknown: str
    added: list[AddedToken]  # cut out of a text before anything else is done to it
    size: int  # ids from here on stand for pieces that the checkpoint lacks
    single: list[str] = field(default_factory=lambda: ["$A"])  # what goes around a text
    pair: list[str] = field(default_factory=lambda: ["$A", "$B"])
    before: list[normalizers.Normalizer] = field(default_factory=list)  # ahead of the rules
    prefix_once: bool = False  # the dummy prefix begins the text, not each part between tokens


def read_model(
    data: bytes, name: str, adjust: Callable[[str, float], float] | None = None
) -> Model:
    """Read a .model file; `adjust` changes the scores of pieces.

    Raises CheckpointError where it is damaged, UsageError where sentencepiece is missing.
    """
    try:
        from google.protobuf.message import DecodeError
        from sentencepiece import SentencePieceProcessor
        from sentencepiece import sentencepiece_model_pb2 as schema
    except ImportError as error:
        raise UsageError(
            f"{name} without a tokenizer.json needs sentencepiece: {install('sentencepiece')}"
        ) from error
    proto = schema.ModelProto()
    try:
        proto.ParseFromString(data)
        if not proto.pieces or not proto.HasField("trainer_spec"):
            raise DecodeError("it has no pieces or ends before their settings")
        for piece in proto.pieces if adjust else ():
            piece.score = adjust(piece.piece, piece.score) if adjust else piece.score
        processor = SentencePieceProcessor(model_proto=proto.SerializeToString())
    except (DecodeError, RuntimeError, ValueError, OSError) as error:
        raise CheckpointError(
            f"{name} is not a whole SentencePiece model: {shown(error)}", "TOKENIZER_INVALID"
        ) from None
    trainer, rules = proto.trainer_spec, proto.normalizer_spec
    if trainer.model_type not in (UNIGRAM, BYTE_PAIR) or not rules.escape_whitespaces:
        kind = trainer.ModelType.Name(trainer.model_type)
        raise UnsupportedError(
            f"{name} is a SentencePiece model of type {kind}; known: UNIGRAM, BPE"
        )
    model = Model(
        name=name,
        pieces=[piece.piece for piece in proto.pieces],
        scores=[piece.score for piece in proto.pieces],
        kinds=[piece.type for piece in proto.pieces],
        unigram=trainer.model_type == UNIGRAM,
        byte_fallback=trainer.byte_fallback,
        charsmap=rules.precompiled_charsmap,
        dummy_prefix=rules.add_dummy_prefix,
        remove_spaces=rules.remove_extra_whitespaces,
        space_as_suffix=trainer.treat_whitespace_as_suffix,
        split=processor.encode_as_pieces,
        join=processor.decode_pieces,
    )
    _check(model)
    return model


def _check(model: Model) -> None:
    if not all(map(math.isfinite, model.scores)):
        raise CheckpointError(f"{model.name} has scores that are not finite", "TOKENIZER_INVALID")
    if USER_DEFINED in model.kinds and model.space_as_suffix:
        raise UnsupportedError(
            f"{model.name} has symbols of its own and ends words with spaces; known: one of the two"
        )
    if UNUSED in model.kinds and not model.unigram:
        raise UnsupportedError(f"{model.name} is a BPE model with unused pieces; known: without")
    if any(BARRED in piece for piece in model.pieces):
        raise UnsupportedError(f"{model.name} has a piece with the unassigned U+FFF7")


def build(model: Model, vocabulary: Vocabulary) -> Tokenizer:
    """The tokenizer with the ids of `vocabulary` that cuts texts as `model` does."""
    names = names_of(model, vocabulary)
    make = _unigram if model.unigram else _bpe
    tokenizer = Tokenizer(make(model, names, vocabulary.unknown))
    tokenizer.normalizer = normalizers.Sequence(_normalizers(model, vocabulary))
    cuts = _pre_tokenizers(model, vocabulary)
    if cuts is not None:
        tokenizer.pre_tokenizer = cuts
    tokenizer.decoder = _decoder(model)
    tokenizer.add_tokens(sorted(vocabulary.added, key=lambda t: vocabulary.tokens[t.content]))
    # Symbols are cut out of the normalised text, where the dummy prefix stands before the first.
    symbols = _symbols(model, vocabulary)
    changed = [s for s in symbols if tokenizer.normalizer.normalize_str(s) != s]
    if changed:  # a symbol that comes to nothing would be found everywhere
        raise UnsupportedError(
            f"{model.name}: its normaliser changes its symbol {shown(changed[0])}; give the "
            "checkpoint a tokenizer.json"
        )
    tokenizer.add_tokens([AddedToken(symbol, normalized=True) for symbol in symbols])
    if vocabulary.single != ["$A"]:
        tokenizer.post_processor = post.TemplateProcessing(
            single=vocabulary.single,
            pair=vocabulary.pair,
            special_tokens=[
                (token, vocabulary.tokens[token])
                for token in dict.fromkeys(map(bare, vocabulary.single + vocabulary.pair))
                if token not in ("$A", "$B")
            ],
        )
    return tokenizer


def bare(part: str) -> str:
    """A part of a template without the type of its tokens."""
    return re.sub(r":\d$", "", part)


def names_of(model: Model, vocabulary: Vocabulary) -> dict[str, int]:
    """Names and ids of every token. One that is no piece gets a name that no text holds, which the
    decoder takes back; a piece that the checkpoint lacks gets an id beyond its vocabulary."""
    pieces = set(model.of_kind(NORMAL, USER_DEFINED, BYTE))
    known = set("".join(model.of_kind(NORMAL, USER_DEFINED)))
    kept = pieces | {token.content for token in vocabulary.added} | {vocabulary.unknown}
    names = {
        # What SentencePiece takes for unknown is looked up as it stands.
        token if token in kept or not known & set(token) else BARRED + token: index
        for token, index in vocabulary.tokens.items()
    }
    lacking = [piece for piece in model.pieces if piece in pieces and piece not in names]
    return names | {piece: vocabulary.size + n for n, piece in enumerate(lacking)}


def _unigram(model: Model, names: dict[str, int], unknown: str) -> Unigram:
    scores = dict.fromkeys(names, NEVER)
    for piece, score, kind in zip(model.pieces, model.scores, model.kinds, strict=True):
        if kind == NORMAL:
            scores[piece] = score
    by_id = {index: name for name, index in names.items()}
    rows = [by_id.get(index, f"{BARRED}{index}") for index in range(max(by_id) + 1)]
    return Unigram(
        [(name, scores.get(name, NEVER)) for name in rows],
        unk_id=names[unknown],
        byte_fallback=model.byte_fallback,
    )


def _bpe(model: Model, names: dict[str, int], unknown: str) -> BPE:
    order = {piece: index for index, piece in enumerate(model.pieces)}
    merges = ranked_merges(order, model.kinds, model.scores)
    return BPE(names, merges, unk_token=unknown, fuse_unk=True, byte_fallback=model.byte_fallback)


def _symbols(model: Model, vocabulary: Vocabulary) -> list[str]:
    """Symbols of the user's that no added token stands for."""
    added = {token.content for token in vocabulary.added}
    return [symbol for symbol in model.of_kind(USER_DEFINED) if symbol not in added]


def _normalizers(model: Model, vocabulary: Vocabulary) -> list[normalizers.Normalizer]:
    steps = list(vocabulary.before)
    if model.charsmap:
        steps += charsmap_normalizers(model.charsmap)
    if model.remove_spaces:
        steps += [
            normalizers.Replace(Regex(r"\A +"), ""),
            normalizers.Replace(Regex(" +"), SPACE),
            normalizers.Replace(Regex(rf"{SPACE}+\z"), ""),
        ]
    else:
        steps.append(normalizers.Replace(" ", SPACE))
    symbols = _symbols(model, vocabulary)
    if not model.dummy_prefix or vocabulary.prefix_once:
        return steps
    if model.space_as_suffix:
        steps.append(normalizers.Replace(Regex(r"(?<!\A)\z"), SPACE))
    else:
        steps.append(normalizers.Prepend(SPACE))
        if symbols:  # which tokenizers normalises too, to know what to look for
            alone = "|".join(map(_escaped, symbols))
            steps.append(normalizers.Replace(Regex(rf"\A{SPACE}(?=(?:{alone})\z)"), ""))
    return steps


def _escaped(text: str) -> str:
    return "".join(rf"\x{{{ord(letter):x}}}" for letter in text)


def _pre_tokenizers(model: Model, vocabulary: Vocabulary) -> pre_tokenizers.PreTokenizer | None:
    """Cut at spaces where no piece reaches over one: quicker, and words are known as such."""
    if vocabulary.prefix_once:
        return pre_tokenizers.Metaspace(SPACE, prepend_scheme="first", split=False)
    pieces = model.of_kind(NORMAL, USER_DEFINED)
    inner = [piece[:-1] if model.space_as_suffix else piece[1:] for piece in pieces]
    if SPACE not in pieces or any(SPACE in part for part in inner):
        return None
    side = "merged_with_previous" if model.space_as_suffix else "merged_with_next"
    return pre_tokenizers.Split(SPACE, side)


def _decoder(model: Model) -> decoders.Decoder:
    steps: list[Any] = [decoders.Replace(BARRED, ""), decoders.Replace(SPACE, " ")]
    steps += [decoders.ByteFallback()] if model.byte_fallback else []
    steps.append(decoders.Fuse())
    if model.dummy_prefix:
        steps.append(decoders.Strip(" ", 1, 0))
    return decoders.Sequence(steps)
