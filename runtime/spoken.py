"""The languages that speech is heard in, by their names and codes. Knows no model."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

SHOWN = 8  # languages in an error
TOKEN = re.compile(r"<\|(\w+)\|>")  # how a checkpoint writes a code, or a task
# As Whisper's authors number them; behind a code, its names, the first the usual one.
NAMES = {
    code: names.split("/")
    for code, _, names in (
        line.partition(" ")
        for line in """
en english, zh chinese/mandarin, de german, es spanish/castilian, ru russian, ko korean, fr french,
ja japanese, pt portuguese, tr turkish, pl polish, ca catalan/valencian, nl dutch/flemish, ar arabic,
sv swedish, it italian, id indonesian, hi hindi, fi finnish, vi vietnamese, he hebrew, uk ukrainian,
el greek, ms malay, cs czech, ro romanian/moldavian/moldovan, da danish, hu hungarian, ta tamil,
no norwegian, th thai, ur urdu, hr croatian, bg bulgarian, lt lithuanian, la latin, mi maori,
ml malayalam, cy welsh, sk slovak, te telugu, fa persian, lv latvian, bn bengali, sr serbian,
az azerbaijani, sl slovenian, kn kannada, et estonian, mk macedonian, br breton, eu basque,
is icelandic, hy armenian, ne nepali, mn mongolian, bs bosnian, kk kazakh, sq albanian, sw swahili,
gl galician, mr marathi, pa punjabi/panjabi, si sinhala/sinhalese, km khmer, sn shona, yo yoruba,
so somali, af afrikaans, oc occitan, ka georgian, be belarusian, tg tajik, sd sindhi, gu gujarati,
am amharic, yi yiddish, lo lao, uz uzbek, fo faroese, ht haitian creole/haitian, ps pashto/pushto,
tk turkmen, nn nynorsk, mt maltese, sa sanskrit, lb luxembourgish/letzeburgesch, my myanmar/burmese,
bo tibetan, tl tagalog, mg malagasy, as assamese, tt tatar, haw hawaiian, ln lingala, ha hausa,
ba bashkir, jw javanese, su sundanese, yue cantonese""".replace("\n", " ")
        .strip()
        .split(", ")
    )
}
CODES = {name: code for code, names in NAMES.items() for name in names}


def code_of(asked: str, known: Collection[str]) -> str | None:
    """Which of the `known` codes is meant by a name, a code or a token as "<|de|>"; None for none."""
    wanted = asked.strip().lower()
    token = TOKEN.fullmatch(wanted)
    wanted = token[1] if token else wanted
    code = wanted if wanted in known else CODES.get(wanted)
    return code if code in known else None


def near(asked: str, known: Collection[str]) -> str:
    """The languages that may have been meant, or some."""
    names = [name for code in known for name in (code, *NAMES.get(code, []))]
    close = difflib.get_close_matches(asked.strip().lower(), names, SHOWN, 0.6)
    if close:
        return f"near it: {', '.join(close)}"
    some = sorted(known)[:SHOWN]
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"known: {', '.join(some)}{more}"
