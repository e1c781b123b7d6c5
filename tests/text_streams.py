"""Tokenizers of every kind, and what a reader of their streamed text gets."""

from __future__ import annotations

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from satchel.runtime.text import TextStream
from tests.tiny import byte_tokenizer

WORDS = "the cat sat on a mat, naïve 世界 🙂👩‍👩‍👧 don't stop. It's 3 o'clock\n\tदेव e\u0301"
SPECIAL = ("<s>", "</s>", "<pad>")


def merged_bytes() -> Tokenizer:
    """Byte-level BPE whose merges cross characters."""
    tokenizer = byte_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=list(SPECIAL),
    )
    tokenizer.train_from_iterator([WORDS, WORDS[::-1]] * 3, trainer)
    tokenizer.add_tokens([AddedToken("<think>", normalized=False)])
    return tokenizer


def _sentence_pieces() -> list[str]:
    pieces = [*SPECIAL, "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁▁"]
    pieces += ["▁the", "▁cat", "the", "at", "▁s", "s", "世", ".", "▁.", "'t", "▁n"]
    return pieces + sorted(set("abcdefghijklmnopqrstuvwxyz,!?é"))


def byte_fallback(metaspace: bool) -> Tokenizer:
    """SentencePiece as Llama has it; its decoder is a chain or a Metaspace behind the bytes."""
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(_sentence_pieces()))}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    space = [decoders.Metaspace()] if metaspace else [decoders.Replace("▁", " ")]
    strip = [] if metaspace else [decoders.Strip(" ", 1, 0)]
    if metaspace:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), *space])
    else:
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        tokenizer.decoder = decoders.Sequence(
            [*space, decoders.ByteFallback(), decoders.Fuse(), *strip]
        )
    tokenizer.add_special_tokens([*SPECIAL, "<unk>"])
    return tokenizer


def word_piece() -> Tokenizer:
    letters = "abcdefghijklmnopqrstuvwxyz.,'!?世界"
    pieces = [*SPECIAL, "[UNK]", *letters, *(f"##{letter}" for letter in letters)]
    pieces += ["the", "cat", "##ing", "n't", "do", "not", "'s", "##世", "'m", "'ve", "'re"]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([*SPECIAL, "[UNK]"])
    return tokenizer


def word_ends() -> Tokenizer:
    """The BPE of the first GPT: a mark at the end of a word, which decodes to nothing at the end."""
    pieces = [*SPECIAL, "<unk>", *"abcdet", *(f"{letter}</w>" for letter in "abcdet"), "the</w>"]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder()
    tokenizer.add_special_tokens([*SPECIAL, "<unk>"])
    return tokenizer


TOKENIZERS = {
    "bytes": byte_tokenizer(),
    "merged bytes": merged_bytes(),
    "byte fallback": byte_fallback(metaspace=False),
    "byte fallback metaspace": byte_fallback(metaspace=True),
    "word piece": word_piece(),
    "word ends": word_ends(),
}
BYTES = TOKENIZERS["bytes"]


def pieces_of(tokenizer: Tokenizer, ids: list[int], stop: tuple[str, ...] = ()) -> list[str]:
    """What a reader of the stream gets; stops where the loop would."""
    stream, pieces = TextStream(tokenizer, stop), []
    for token in ids:
        pieces.append(stream.add(token))
        if stream.stopped:
            break
    return [*pieces, stream.close()]


def decoded(tokenizer: Tokenizer, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=True)


def id_of(tokenizer: Tokenizer, token: str) -> int:
    """Of a token that the tokenizer has."""
    found = tokenizer.token_to_id(token)
    assert found is not None
    return found


def byte_ids(tokenizer: Tokenizer, data: bytes) -> list[int]:
    """Ids of the tokens that stand for one byte each."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]  # byte-level: written as they are
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain} | {b: chr(256 + i) for i, b in enumerate(others)}
    fallback = tokenizer.token_to_id("<0x00>") is not None
    return [id_of(tokenizer, f"<0x{b:02X}>" if fallback else letters[b]) for b in data]
