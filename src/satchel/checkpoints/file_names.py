"""Names that files of a tokenizer have. Imports nothing, so that a download needs no PyTorch."""

TOKENIZER_FILES = (
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "tokenizer.model",
    "source.spm",
    "target.spm",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "tekken.json",
    "tiktoken.model",
)
