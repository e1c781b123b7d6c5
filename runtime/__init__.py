"""Bundle on disk to tokens: needs numpy, onnxruntime and tokenizers, and nothing else.

Imports no other room of satchel, opens no socket, writes nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from satchel.runtime.bundle import Progress, open_bundle
from satchel.runtime.errors import BundleError, shown


def load(folder: str | Path, *, threads: int | None = None, progress: Progress = iter) -> Any:
    """Open a bundle, check every file against its manifest, and make it ready to run.

    `threads` defaults to the physical cores this process may use. Raises BundleError with the file
    and what is wrong with it.
    """
    bundle = open_bundle(folder, progress)
    if bundle.manifest.family == "decoder":
        from satchel.runtime.decoder_model import DecoderModel

        return DecoderModel(bundle, threads)
    if bundle.manifest.family == "encoder":
        from satchel.runtime.encoder_model import EncoderModel

        return EncoderModel(bundle, threads)
    if bundle.manifest.speech is not None:
        from satchel.runtime.speech_model import SpeechModel

        return SpeechModel(bundle, threads)
    if bundle.manifest.family == "encoder-decoder":
        from satchel.runtime.seq2seq_model import Seq2seqModel

        return Seq2seqModel(bundle, threads)
    raise BundleError(f"family {shown(bundle.manifest.family)} is unknown to this satchel")


def __getattr__(name: str) -> Any:
    # Writing a manifest needs this package but not onnxruntime, so that stays unimported till asked.
    if name == "Cancel":
        from satchel.runtime.cancel import Cancel

        return Cancel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
