"""Write UnicodeTables.java: what the tokenizers library knows of characters, read off the library itself.

It follows several versions of Unicode at once, and platforms that run the Java follow others; with these
tables ids are the same everywhere. Give the file to write and the tables.rs of unicode-segmentation.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from tokenizers import Regex, normalizers, pre_tokenizers

LAST = 0x110000
CODE = r"\\u\{(\w+)\}"  # a character in Rust
CHARS = [chr(c) for c in range(LAST) if not 0xD800 <= c < 0xE000]
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-"
# Numbered as java.lang.Character does.
CATEGORIES = (
    "Cn Lu Ll Lt Lm Lo Mn Me Mc Nd Nl No Zs Zl Zp Cc Cf - Co Cs Pd Ps Pe Pc Po Sm Sc Sk So Pi Pf"
)
BREAKS = "Other CR LF Control Extend ZWJ Regional_Indicator Prepend SpacingMark L V T LV LVT"
PICTOGRAPH, CONSONANT, INNER, LINKER = 14, 15, 16, 17


def number(value: int) -> str:
    """Five bits a digit, the lowest first; a digit from 32 on says that another follows."""
    digits = ""
    while value >= 32:
        digits += DIGITS[32 + value % 32]
        value //= 32
    return digits + DIGITS[value]


def runs(values: Iterable[int]) -> str:
    """Each value and how often it follows itself."""
    out, before, count = "", -1, 0
    for value in [*values, -1]:
        if value != before:
            if count:
                out += number(before) + number(count)
            before, count = value, 0
        count += 1
    return out


def by_code(of: Callable[[str], int]) -> list[int]:
    return [0 if 0xD800 <= c < 0xE000 else of(chr(c)) for c in range(LAST)]


def categories() -> list[int]:
    table = [0] * LAST
    whole = "".join(CHARS)
    for index, name in enumerate(CATEGORIES.split()):
        if name not in ("-", "Cn", "Cs"):
            for letter in normalizers.Replace(Regex(rf"\P{{{name}}}+"), "").normalize_str(whole):
                table[ord(letter)] = index
    table[0xD800:0xE000] = [CATEGORIES.split().index("Cs")] * 0x800
    return table


def matching(pattern: str) -> set[str]:
    return set(normalizers.Replace(Regex(f"[^{pattern}]+"), "").normalize_str("".join(CHARS)))


def sets() -> list[int]:
    """Bits: word for Oniguruma, word for regex, numeric, punctuation, control, nonspacing, combining."""
    oniguruma = matching(r"\w")
    word, digits, signs = (
        pre_tokenizers.Whitespace(),
        pre_tokenizers.Digits(False),
        pre_tokenizers.Punctuation(),
    )
    clean = normalizers.BertNormalizer(True, False, False, False)
    marks = normalizers.BertNormalizer(False, False, True, False)
    accents = normalizers.StripAccents()
    nfd = normalizers.NFD()

    def bits(c: str) -> int:
        value = 1 if c in oniguruma else 0
        value |= 2 if len(word.pre_tokenize_str("a" + c)) == 1 and not c.isspace() else 0
        value |= 4 if len(digits.pre_tokenize_str("a" + c)) == 2 else 0
        value |= 8 if len(signs.pre_tokenize_str("a" + c)) == 2 else 0
        value |= 16 if clean.normalize_str("a" + c + "b") == "ab" else 0
        value |= (
            32 if nfd.normalize_str(c) == c and marks.normalize_str("a" + c + "b") == "ab" else 0
        )
        return value | (64 if accents.normalize_str("a" + c + "b") == "ab" else 0)

    return by_code(bits)


def breaks(source: str) -> list[int]:
    """How graphemes break, from the tables of the crate unicode-segmentation. Consonants, linkers and
    inner characters of Indic conjuncts are of a kind of their own."""
    table = [0] * LAST
    names = {name: i for i, name in enumerate(BREAKS.split())}
    names |= {"Extended_Pictographic": PICTOGRAPH, "InCB_Consonant": CONSONANT}
    flat = re.sub(r"\s+", "", source)
    start = flat.index("constgrapheme_cat_table")
    for a, b, name in re.findall(rf"\('{CODE}','{CODE}',GC_(\w+)\)", flat[start:]):
        for code in range(int(a, 16), int(b, 16) + 1):
            table[code] = names[name]
    start = flat.index("InCB_Extend_table")
    inner = flat[start : flat.index(";", start)]
    extend = {
        code
        for a, b in re.findall(rf"\('{CODE}','{CODE}'\)", inner)
        for code in range(int(a, 16), int(b, 16) + 1)
    }
    start = flat.index("is_incb_linker")
    linkers = {int(a, 16) for a in re.findall(CODE, flat[start : flat.index("}')", start) + 1])}
    for kind, codes in ((INNER, extend - {0x200D}), (LINKER, linkers)):
        for code in codes:
            if table[code] not in (names["Extend"], INNER):
                raise SystemExit(f"U+{code:04X} is in a conjunct and extends no grapheme")
            table[code] = kind
    return table


def ranks() -> list[int]:
    """Combining classes, of what the library puts in order."""
    nfd = normalizers.NFD()

    def rank(c: str) -> int:
        known = unicodedata.combining(c)
        if not known or nfd.normalize_str(c) != c:
            return 0
        if known == 1:
            return known if nfd.normalize_str("a\u0301" + c) == "a" + c + "\u0301" else 0
        return known if nfd.normalize_str("a" + c + "\u0334") == "a\u0334" + c else 0

    return by_code(rank)


def decomposing() -> list[int]:
    """1 for what NFD takes apart, 2 for what NFKD alone does."""
    nfd, nfkd = normalizers.NFD(), normalizers.NFKD()
    table = by_code(
        lambda c: 1 if nfd.normalize_str(c) != c else 2 if nfkd.normalize_str(c) != c else 0
    )
    for c in CHARS:
        for ours, theirs in (
            (nfd.normalize_str(c), unicodedata.normalize("NFD", c)),
            (nfkd.normalize_str(c), unicodedata.normalize("NFKD", c)),
        ):
            if ours not in (c, theirs):
                raise SystemExit(f"U+{ord(c):04X} decomposes otherwise")
    return table


def lowering() -> str:
    """Small letters: gap, count, step and difference, which is doubled, plus one where it is negative."""
    lower = normalizers.Lowercase()
    pairs = []
    for c in CHARS:
        small = lower.normalize_str(c)
        if small != c and c != "\u0130":
            pairs.append((ord(c), ord(small) - ord(c)))
    groups: list[list[int]] = []
    for code, shift in pairs:
        if groups and groups[-1][3] == shift:
            first, count, step, _ = groups[-1]
            last = first + (count - 1) * step
            if code - last in (1, 2) and (count == 1 or code - last == step):
                groups[-1] = [first, count + 1, code - last, shift]
                continue
        groups.append([code, 1, 1, shift])
    out, end = "", 0
    for first, count, step, shift in groups:
        out += number(first - end) + number(count) + number(step)
        out += number(2 * shift if shift >= 0 else -2 * shift + 1)
        end = first
    return out


def java(name: str, comment: str, text: str) -> str:
    lines = [text[at : at + 100] for at in range(0, len(text), 100)]
    joined = "\n            + ".join(f'"{line}"' for line in lines)
    return f"    /** {comment} */\n    static final String {name} = {joined};\n"


def main() -> None:
    """Write the file."""
    tables = [
        java(
            "CATEGORIES", "General categories, as regular expressions see them.", runs(categories())
        ),
        java(
            "SETS",
            "Bits: word of patterns, of added tokens, numeric, punctuation, control, marks, combining.",
            runs(sets()),
        ),
        java("BREAKS", "How graphemes break.", runs(breaks(Path(sys.argv[2]).read_text("utf-8")))),
        java("RANKS", "Combining classes.", runs(ranks())),
        java("DECOMPOSING", "1: by NFD; 2: by NFKD alone.", runs(decomposing())),
        java("LOWER", "Small letters: gap, count, step, difference.", lowering()),
    ]
    head = (
        "package satchel.tokenizer;\n\n"
        "/**\n * What the tokenizers library knows of characters, in runs."
        " Written by tools/unicode_tables.py.\n"
        " *\n * <p>{@link Runs} reads them.\n */\n"
        "final class UnicodeTables {\n    private UnicodeTables() {}\n\n"
    )
    Path(sys.argv[1]).write_text(head + "\n".join(tables) + "}\n", encoding="ascii")


if __name__ == "__main__":
    main()
