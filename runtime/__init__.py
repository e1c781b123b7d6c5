"""Bundle on disk to tokens: needs numpy, onnxruntime and tokenizers, and nothing else.

Imports no other room of satchel, opens no socket, writes nothing but kept texts.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from satchel.runtime.bundle import Progress, opening
from satchel.runtime.errors import BundleError, SatchelError, shown
from satchel.runtime.manifest import Manifest

if TYPE_CHECKING:
    from satchel.runtime.cancel import Cancel
    from satchel.runtime.decoder_model import DecoderModel
    from satchel.runtime.encoder_model import EncoderModel
    from satchel.runtime.entity_model import EntityModel
    from satchel.runtime.image_text_model import ImageTextModel
    from satchel.runtime.seq2seq_model import Seq2seqModel
    from satchel.runtime.sound_model import SoundModel
    from satchel.runtime.speech_model import SpeechModel

    Model: TypeAlias = (
        DecoderModel
        | EncoderModel
        | EntityModel
        | ImageTextModel
        | Seq2seqModel
        | SoundModel
        | SpeechModel
    )

__all__ = [
    "Cancel",
    "DecoderModel",
    "EncoderModel",
    "EntityModel",
    "ImageTextModel",
    "SatchelError",
    "Seq2seqModel",
    "SoundModel",
    "SpeechModel",
    "load",
]
WHERE = {  # class -> its module, which imports onnxruntime: loaded when it is asked for
    "Cancel": "satchel.runtime.cancel",
    "DecoderModel": "satchel.runtime.decoder_model",
    "EncoderModel": "satchel.runtime.encoder_model",
    "EntityModel": "satchel.runtime.entity_model",
    "ImageTextModel": "satchel.runtime.image_text_model",
    "Seq2seqModel": "satchel.runtime.seq2seq_model",
    "SoundModel": "satchel.runtime.sound_model",
    "SpeechModel": "satchel.runtime.speech_model",
}
CLASSES = {
    "decoder": "DecoderModel",
    "encoder": "EncoderModel",
    "encoder-decoder": "Seq2seqModel",
}


def load(
    folder: str | Path,
    *,
    threads: int | None = None,
    kernels: bool = True,
    progress: Progress = iter,
) -> Model:
    """Open a bundle, check every file against its manifest, and make it ready to run.

    `threads` defaults to the physical cores this process may use. `kernels` lets those of the package
    `satchel-kernels` run, where it is installed. Raises BundleError with the file
    and what is wrong with it.
    """
    with opening(folder, progress) as bundle:
        name = _class_of(bundle.manifest)
        kind = getattr(importlib.import_module(WHERE[name]), name)
        model: Model = kind(replace(bundle, kernels=kernels), threads)
    return model


def _class_of(manifest: Manifest) -> str:
    if manifest.speech is not None:
        return "SpeechModel"
    if manifest.audio is not None:
        return "SoundModel"
    if manifest.entities is not None:
        return "EntityModel"
    if manifest.seq2seq is not None and manifest.image is not None:
        return "ImageTextModel"
    if manifest.family not in CLASSES:
        raise BundleError(f"family {shown(manifest.family)} is unknown to this satchel")
    return CLASSES[manifest.family]


def __getattr__(name: str) -> Any:
    if name in WHERE:
        return getattr(importlib.import_module(WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
