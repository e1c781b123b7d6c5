"""SentencePiece's normalisation rules as normalizers of the tokenizers library. Knows no vocabulary.

SentencePiece replaces the longest match at each place; ``Precompiled`` takes the shortest of whole
graphemes. Here it gets single characters, and NFC composes what they make. A mark is kept from its left
neighbour where the rules have no sequence of the two.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from tokenizers import Regex, normalizers

from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

# Unassigned characters that end a grapheme; no rule has them, and they never reach the tokens.
APART, BARRED = "\ufff8", "\ufff7"
INSIDE = r"(?!\A)"  # tokenizers loses its place where something is inserted at the very start
# What joins the grapheme before it: marks and their newer block, a line feed after a carriage
# return, joiners, vowel signs and voice marks that are letters, skin tones, tags.
JOINING = (
    r"\p{M}\x{1ab0}-\x{1aff}\n\x{200c}\x{200d}\x{e33}\x{eb3}\x{ff9e}\x{ff9f}"
    r"\x{1f3fb}-\x{1f3ff}\x{e0020}-\x{e007f}"
)

Rules = dict[str, str]


def charsmap_normalizers(charsmap: bytes) -> list[normalizers.Normalizer]:
    """Steps that do to a text what SentencePiece's rules do; `charsmap` is `precompiled_charsmap`.

    Sequences of characters newer than the Unicode of Python and tokenizers may differ. Raises
    UnsupportedError for rules that are no Unicode normalisation.
    """
    rules = read_rules(charsmap)
    composing = {key: value for key, value in rules.items() if len(key) > 1}
    _check(rules, composing)
    # Whole, "e", circumflex, acute would lose its accent, and halfwidth ``ka`` with its voice mark would
    # be left in two.
    single = [
        normalizers.Replace(Regex(f"{INSIDE}(?=[{JOINING}])"), APART),
        _precompiled(charsmap),
        normalizers.Replace(APART, ""),
    ]
    if not composing:
        return single
    lasting = [key for key in composing if all(rules.get(c, c) == c for c in key)]
    return [
        normalizers.Replace(Regex(_strangers(rules)), BARRED),
        *single,
        normalizers.Replace(Regex(_places_to_bar(lasting)), BARRED),
        normalizers.NFC(),
        normalizers.Replace(BARRED, ""),
    ]


def _precompiled(charsmap: bytes) -> normalizers.Normalizer:
    try:
        return normalizers.Precompiled(charsmap)
    except Exception as error:  # tokenizers has no class for it
        raise CheckpointError(
            f"the normaliser's rules are damaged: {shown(error)}", "TOKENIZER_INVALID"
        ) from None


def read_rules(charsmap: bytes) -> Rules:
    """Every rule of a `precompiled_charsmap`: a darts-clone double array, then the texts.

    Raises CheckpointError where it is damaged.
    """
    size = int.from_bytes(charsmap[:4], "little")
    if size == 0 or size % 4 or len(charsmap) < 4 + size:
        raise CheckpointError("the normaliser's rules are cut off", "TOKENIZER_INVALID")
    units = np.frombuffer(charsmap, "<u4", size // 4, 4).astype(np.int64)
    texts = charsmap[4 + size :]
    labels = units & 0x800000FF
    bases = np.arange(len(units)) ^ ((units >> 10) << ((units & 0x200) >> 6))
    # A unit is a child of every node whose base, with its label, leads to it: bases are shared.
    child_of = np.arange(len(units)) ^ labels
    children = np.flatnonzero((labels > 0) & (labels < 256))
    children = children[np.argsort(child_of[children], kind="stable")]
    owners = child_of[children]

    rules: Rules = {}
    nodes, paths = np.zeros(1, np.int64), np.zeros((1, 0), np.uint8)
    while len(nodes):
        if paths.shape[1] > 64 or len(nodes) > 1 << 20:
            raise CheckpointError("the normaliser's rules run in a circle", "TOKENIZER_INVALID")
        first = np.searchsorted(owners, bases[nodes], "left")
        counts = np.searchsorted(owners, bases[nodes], "right") - first
        parents = np.repeat(np.arange(len(nodes)), counts)
        within = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
        nodes = children[first[parents] + within]
        paths = np.hstack([paths[parents], labels[nodes, None].astype(np.uint8)])
        ends = np.flatnonzero(units[nodes] & 0x100)
        leaves = bases[nodes[ends]]
        if len(leaves) and leaves.max() >= len(units):
            raise CheckpointError("the normaliser's rules are damaged", "TOKENIZER_INVALID")
        for path, value in zip(paths[ends], units[leaves] & 0x7FFFFFFF, strict=True):
            rules[_decoded(path.tobytes())] = _text_at(texts, int(value))
    return rules


def _text_at(texts: bytes, start: int) -> str:
    end = texts.find(b"\0", start)
    if end < 0:
        raise CheckpointError("the normaliser's rules are damaged", "TOKENIZER_INVALID")
    return _decoded(texts[start:end])


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise CheckpointError("the normaliser's rules are not UTF-8", "TOKENIZER_INVALID") from None


def _check(rules: Rules, composing: Rules) -> None:
    """Sequences must give what their characters give one by one, composed."""
    for key, value in composing.items():
        parts = "".join(rules.get(letter, letter) for letter in key)
        if value != parts and unicodedata.normalize("NFC", parts) != value:
            unknown = any(unicodedata.category(letter) == "Cn" for letter in key + value)
            if not unknown and _folded(key) != _folded(value):
                raise UnsupportedError(
                    f"the normaliser turns {shown(key)} into {shown(value)}, which is no Unicode "
                    "normalisation; give the checkpoint a tokenizer.json"
                )


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFKD", folded)


def _strangers(rules: Rules) -> str:
    """A pattern for what, once replaced, has neighbours that it did not have: characters that go
    without a trace, and the joints of marks with characters that become several or no mark."""
    single = {key: value for key, value in rules.items() if len(key) == 1}
    gone = [key for key, value in single.items() if not value]
    several = [key for key, value in single.items() if len(value) > 1]
    first = [key for key in several if unicodedata.combining(single[key][0])]
    last = [
        key
        for key, value in single.items()
        if len(value) > 1 or (value and unicodedata.combining(key) > unicodedata.combining(value))
    ]
    places = [f"[{_escaped(gone)}]"] if gone else []
    places += [f"{INSIDE}(?=[{_escaped(first)}])"] if first else []
    places += [rf"(?=\p{{M}})(?<=[{_escaped(last)}])"] if last else []
    return "|".join(places) or r"(?!)"


def _places_to_bar(composing: Iterable[str]) -> str:
    """A pattern for the places before a mark where the rules do not join it with what precedes."""
    before: dict[str, set[str]] = defaultdict(set)
    for key in composing:
        for cut in range(1, len(key)):
            before[key[cut]].add(key[:cut])
    alike: dict[frozenset[str], list[str]] = defaultdict(list)
    for mark, prefixes in before.items():
        alike[frozenset(prefixes)].append(mark)
    seconds = _escaped(before)
    places = [f"(?=[^{seconds}])"]
    for joined, letters in alike.items():
        places.append(f"(?=[{_escaped(letters)}]){_not_after(joined)}")
    return rf"{INSIDE}(?=[\p{{M}}{seconds}])(?:{'|'.join(places)})"


def _not_after(prefixes: Iterable[str]) -> str:
    """Negative lookbehinds for some texts, those that differ in one character written as one."""
    pattern = ""
    by_length: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for prefix in prefixes:
        by_length[len(prefix)][prefix[1:]].add(prefix[0])
    for rests in by_length.values():
        alike: dict[frozenset[str], list[str]] = defaultdict(list)
        for rest, firsts in rests.items():
            alike[frozenset(firsts)].append(rest)
        for leading, ends in alike.items():
            columns = [sorted(set(column)) for column in zip(*ends, strict=True)]
            product = np.prod([len(column) for column in columns])
            tails = (
                ["".join(f"[{_escaped(column)}]" for column in columns)]
                if product == len(ends)
                else ["".join(f"[{_escaped(letter)}]" for letter in end) for end in ends]
            )
            pattern += "".join(f"(?<![{_escaped(leading)}]{tail})" for tail in tails)
    return pattern


def _escaped(letters: Iterable[str]) -> str:
    """The inside of a character class, neighbours written as ranges."""
    codes = sorted({ord(letter) for letter in letters})
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(rf"\x{{{a:x}}}" + (rf"-\x{{{b:x}}}" if b > a else "") for a, b in ranges)
