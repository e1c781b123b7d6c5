"""Texts that tokenizers tell apart: by hand, and by chance from a seed. Knows no tokenizer."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator, Sequence

SENTENCES = (
    "Once upon a time",
    "The quick brown fox jumps over the lazy dog.",
    "Ada Lovelace was born in London, wasn't she?",
    "satchel",
    "It runs on and on; the dog sees it and the cat too!",
    "caf\u00e9 na\u00efve \u00c5ngstr\u00f6m 42",
)
HAND = (
    "",
    " ",
    "  ",
    "\n",
    "\r\n\r\n",
    "\t x\t\ty",
    "a",
    " a",
    "a ",
    "  two  spaces  ",
    *SENTENCES,
    "don't I'll we've you're he'd I'm it's DON'T I'LL \u2019s o\u2019clock",
    "0 12 345 6789 1,234.56 3.14e-10 0x1F \u0661\u0662\u0663 \u0967\u0968 \u00bd \u00b2 \u2167",
    "snake_case camelCase PascalCase SCREAMING_CASE kebab-case",
    "def f(x):\n    return x**2  # squared\n\n\nprint(f(3))\n",
    '{"key": [1, 2.5, null], "\\u00e9": "\\n"}',
    "https://example.com/a?b=c&d=%20#e me@example.com",
    "!!!???...---***///\\\\\\|||~~~```",
    "e\u0301 vs \u00e9, n\u0303 vs \u00f1, \u1e9b\u0323 \u212b \u2126 \ufb01 \u01c6",
    "\u0301begins with an accent",
    "q\u0307\u0323 q\u0323\u0307 \u1100\u1161\u11a8 \uac01 \u0f73\u0f75",
    "\u0130stanbul I\u0307 \u0131 \u1e9e"
    " STRASSE stra\u00dfe \u03a3\u039f\u03a6\u039f\u03a3 \u03c3\u03c2",
    "\u4f60\u597d\u4e16\u754c\u3002\u6f22\u5b57\u304b\u306a"
    "\u4ea4\u3058\u308a\u6587\u3001\u30ab\u30bf\u30ab\u30ca\u3002",
    "\ud55c\uad6d\uc5b4 \ubb38\uc7a5\uc785\ub2c8\ub2e4.",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645"
    " \u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947"
    " \u0926\u0941\u0928\u093f\u092f\u093e \u0e2a\u0e27"
    "\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd"
    " \U0001f1e9\U0001f1ea \u2764\ufe0f 1\ufe0f\u20e3",
    "\U00020000\U0002a6d6 \U0001d49c\U0001d4b7 \uf900 \U000e0041\U0010ffff",
    "\uff21\uff22\uff11\uff12\uff01 \uff76\uff9e \u3000 \u2460 \u33a1",
    "\u00a0nbsp\u2003em\u200bzero\u2028line\u2029par\u202fnarrow\u205f\u1680\u0085\ufeff",
    "\x00\x01\x1f\x7f\x80\x9f \x0b\x0c \u00ad \u200c \u200d"
    " \u202e \ufffd \ufffe \uffff \ue000 \u0378",
    "\u2581underline\u2581\u2581 \u0120G \u010a <0x41> ## ##ing",
    "x" * 70,
    "ab" * 40 + " " + "\u00e9" * 33,
    " " * 40 + "after many spaces" + "\n" * 12 + "after many lines",
    "\u201cQuoted\u201d \u2018single\u2019 \u00abguillemets\u00bb \u2013"
    " \u2014 \u2026 \u20ac \u2122",
)
POOLS = (
    string.ascii_lowercase,
    string.ascii_letters,
    string.digits,
    string.punctuation,
    "    \t\n\r\x0b\x0c",
    "\u00a0\u1680\u2000\u2003\u200a\u200b\u2028\u2029\u202f\u205f\u3000\ufeff\u0085",
    "\u00e0\u00e9\u00ee\u00f5\u00fc\u00e7\u00f1\u00df\u00f8"
    "\u00e5\u00c6\u0152\u0130\u0131\u017f\u0141\u0111\u01c5",
    "\u0300\u0301\u0327\u0323\u0345\u20d0\u05b0\u0e31\u0f71\u3099",
    "\u0391\u03a3\u03c3\u03c2\u03ac\u038f\u1f80\u0416\u0451\u0439\u0456\u042f",
    "\u05e9\u05dc\u05d5\u05dd\u0645\u0631\u062d\u0628\u0627\u0640\u064b\ufefb",
    "\u0928\u092e\u0938\u094d\u0924\u0947\u0b95\u0bcd"
    "\u0e2a\u0e27\u0e31\u0e94\u1000\u1039\u1780\u17d2",
    "\ud55c\uae00\u1112\u1161\u11ab\u3131\uffa1",
    "\u304b\u306a\u30ab\u30bf\u30fc\uff8a\uff9f\u3002\u300c",
    "\u4e16\u754c\u6f22\u5b57\u3400\U00020000\uf900\u3007",
    "\U0001f600\U0001f44d\U0001f3fd\u200d\U0001f468\U0001f1e9\U0001f1ea\u2764\ufe0f\u20e3",
    "\uff21\uff11\uff01\uff0c\u2460\u00bd\u00b2\u2167\ufb01\u2100\u337f\ufdfa",
    "\u20ac\u2122\u2026\u2013\u2014\u201c\u201d\u2018\u2019\u2022\u00ab\u00bb\u3001\u00d7\u2200",
    "\x00\x01\x1f\x7f\x80\x9f\u00ad\u200c\u200d\u202e\u2066",
    "\ue000\U000f0000\u0378\U000e0001\uffff\ufffd\ufdd0\U0010ffff",
    "\u0661\u0669\u0967\u09e9\u0e53\uff19\U0001d7d8\U0001fbf0",
)
WORDS = (
    "the",
    "The",
    "and",
    "hello",
    "world",
    "don't",
    "I'll",
    "2024",
    "3.14",
    "foo_bar",
    "re",
    "ing",
)


def by_chance(count: int, seed: int, pieces: Sequence[str] = ()) -> Iterator[str]:
    """`count` texts of up to a dozen parts: letters of one script, words, any code points, and some of
    `pieces`, as a tokenizer's own."""
    chance = random.Random(seed)
    for _ in range(count):
        parts = [_part(chance, pieces) for _ in range(chance.randint(1, 12))]
        yield "".join(parts)


def _part(chance: random.Random, pieces: Sequence[str]) -> str:
    kind = chance.random()
    if kind < 0.55:
        pool = chance.choice(POOLS)
        return "".join(chance.choice(pool) for _ in range(chance.randint(1, 6)))
    if kind < 0.75:
        return chance.choice((" ", "", "\n", ".")) + chance.choice(WORDS)
    if kind < 0.9 and pieces:
        return chance.choice(pieces)
    return "".join(_letter(chance) for _ in range(chance.randint(1, 3)))


def _letter(chance: random.Random) -> str:
    """Any code point that is no half of a pair, half of them of the first plane."""
    while True:
        number = chance.randrange(0x10000 if chance.random() < 0.5 else 0x110000)
        if not 0xD800 <= number < 0xE000:
            return chr(number)
