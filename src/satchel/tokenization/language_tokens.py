"""The languages of a translation model, and how it is told them. Knows no tokenizer's inside."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tokenizers import Tokenizer

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.runtime.manifest import SOURCE, TARGET, Translation


def _codes(text: str) -> list[str]:
    return text.split()


# In the order of their ids: the SentencePiece models of these checkpoints do not have them.
MBART = _codes(
    """
    ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT
    lv_LV my_MM ne_NP nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN
    """
)
MBART_50_MORE = _codes(
    """
    af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF
    pt_XX sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI
    """
)
MBART_50 = MBART + MBART_50_MORE
M2M_100 = _codes(
    """
    af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu
    ha he hi hr ht hu hy id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr
    ms my ne nl no ns oc or pa pl ps pt ro ru sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk
    ur uz vi wo xh yi yo zh zu
    """
)
WMT_21 = ["en", "ha", "is", "ja", "cs", "ru", "zh", "de"]

CLASSES = {  # the tokenizers of checkpoints that do not name theirs, without "Tokenizer"
    "albert": "Albert",
    "big_bird": "BigBird",
    "bigbird_pegasus": "Pegasus",
    "gemma": "Gemma",
    "gemma2": "Gemma",
    "gemma3_text": "Gemma",
    "llama": "Llama",
    "marian": "Marian",
    "mbart": "MBart",
    "mistral": "Llama",
    "mt5": "T5",
    "pegasus": "Pegasus",
    "siglip": "Siglip",
    "t5": "T5",
    "xlm-roberta": "XLMRoberta",
    "xlnet": "XLNet",
}
UNNAMED = ("", "PreTrained", "TokenizersBackend")


@dataclass(frozen=True)
class Custom:
    """How a kind of tokenizer names languages: the pattern of their tokens, whose group is the name;
    the one taken where none is given; and where the target's goes (see Translation)."""

    pattern: str
    usual: str | None
    target: str
    in_front: bool = True


CUSTOMS = {
    "MBart": Custom("([a-z]{2,3}_[A-Z]{2})", "en_XX", "start", in_front=False),
    "MBart50": Custom("([a-z]{2,3}_[A-Z]{2})", "en_XX", "forced"),
    "M2M100": Custom("__([a-z]{2,3})__", "en", "forced"),
    "Nllb": Custom("([a-z]{3}_[A-Z][a-z]{3})", "eng_Latn", "forced"),
    "Marian": Custom(">>(.+)<<", None, "source"),
}


def tokenizer_class(checkpoint: Checkpoint) -> str:
    """The class of a checkpoint's tokenizer, without "Tokenizer"; empty where nothing says it."""
    name = str(checkpoint.tokenizer_config.get("tokenizer_class") or "")
    name = name.removesuffix("Fast").removesuffix("Tokenizer").replace("MT5", "T5")
    if name not in UNNAMED:
        return name
    kind = str(checkpoint.config.get("model_type"))
    if kind == "m2m_100":
        return "M2M100" if "vocab.json" in checkpoint.tokenizer_files else "Nllb"
    return CLASSES.get(kind, "")


def translation(checkpoint: Checkpoint, tokenizer: bytes, vocab_size: int) -> Translation | None:
    """What the manifest says of languages; None for a model that is not told any."""
    name = tokenizer_class(checkpoint)
    if name not in CUSTOMS:
        return None
    custom, loaded = CUSTOMS[name], Tokenizer.from_buffer(tokenizer)
    languages = {
        match.group(1): index
        for index, token in sorted(loaded.get_added_tokens_decoder().items())
        if token.special and (match := re.fullmatch(custom.pattern, token.content))
    }
    end, unknown = (loaded.token_to_id(token) for token in ("</s>", "<unk>"))
    if end is None or unknown is None or not (languages or name == "Marian"):
        return None  # a model of this shape with the tokenizer of another, which says itself
    config = checkpoint.tokenizer_config
    in_front = custom.in_front and not (name == "Nllb" and config.get("legacy_behaviour"))
    told: list[int | str] = [SOURCE] if custom.target != SOURCE else [TARGET] if languages else []
    defaults = [_named(custom, config.get(key), languages) for key in ("src_lang", "tgt_lang")]
    return Translation(
        languages=languages,
        prefix=told if in_front else [],
        suffix=[end] if in_front else [end, *told],
        target=custom.target,
        source_lang=defaults[0] or _named(custom, custom.usual, languages),
        target_lang=defaults[1] or _advised(checkpoint, languages),
        unknown=unknown if unknown < vocab_size else None,
    )


def _named(custom: Custom, name: object, languages: dict[str, int]) -> str | None:
    """A language by its name or its token."""
    match = re.fullmatch(custom.pattern, name) if isinstance(name, str) else None
    name = match.group(1) if match else name
    return name if isinstance(name, str) and name in languages else None


def _advised(checkpoint: Checkpoint, languages: dict[str, int]) -> str | None:
    """The one language that the checkpoint's targets begin with."""
    names = {index: name for name, index in languages.items()}
    for key in ("forced_bos_token_id", "decoder_start_token_id"):
        for config in (checkpoint.generation, checkpoint.config):
            index = config.get(key)
            if isinstance(index, int) and index in names:
                return names[index]
    return None
