"""Texts that tell tokenizers apart: scripts, marks, spaces, numbers, code. Knows no tokenizer."""

from __future__ import annotations

PROBES = (
    *(
        "",
        " ",
        "   ",
        "a",
        " a",
        "a ",
        "  two  spaces  ",
        "\x00\x01 \x7f",
        "x" * 300,
        "word " * 200,
    ),
    *("tab\tand\nlines\r\n\r\nend\n", "internationalisation" * 20, "<0x41> <0x0A> </ <s"),
    *("Hello, world!", "It's 1,234.5% of $100 -- isn't it?", "3.14159 00 2024-12-31 12:30"),
    *(
        "naïve café Über Łódź",
        "e\u0301 u\u0308 a\u0323\u0302 e\u0302\u0301",
        "ﬁ ½ ① \uff21\uff22 ™ … \u2010",
    ),
    *("\u00a0 \u3000 \u200b \ufeff \u00ad", "\uff76\uff9e \u304b\u3099", "\u1112\u1161\u11ab"),
    *("世界\uff0c你好。", "日本語のテキスト", "한국어", "नमस्ते", "مرحبا", "שלום", "Київ", "ภาษาไทย"),
    *("\U0001f392 \U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea", "\u2764\ufe0f \U00010348"),
    *("\ufffd \ue000", "https://example.org/a?b=c&d=%20#e", "def f(x):\n    return x ** 2\n"),
    "The quick brown fox jumps over the lazy dog, and nobody has ever asked the dog about it.",
    "Die Katze saß auf der Fensterbank; draußen fiel Schnee.",
    "Le cœur a ses raisons que la raison ne connaît point.",
)
