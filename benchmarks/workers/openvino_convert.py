"""A checkpoint to int8 for OpenVINO, by optimum: python FILE SOURCE TARGET [CALIBRATION].

Without CALIBRATION the weights alone are int8. With it, a folder of JSON lines with a `text` each,
activations are too, at scales fixed by these texts, as sentence-transformers does it by default.
"""

from __future__ import annotations

import sys

from optimum.intel import OVWeightQuantizationConfig
from sentence_transformers import SentenceTransformer, export_static_quantized_openvino_model


def weights(source: str, target: str) -> None:
    """A sentence-transformers folder with openvino/openvino_model.xml."""
    _exported(source, {"quantization_config": OVWeightQuantizationConfig(bits=8)}, target)


def static(source: str, target: str, calibration: str) -> None:
    """A sentence-transformers folder with openvino/openvino_model_int8.xml beside the float one."""
    model = _exported(source, {"load_in_8bit": False}, target)
    export_static_quantized_openvino_model(
        model,
        quantization_config=None,
        model_name_or_path=target,
        dataset_name=calibration,
        dataset_config_name="default",
        dataset_split="train",
        column_name="text",
        file_suffix="int8",
    )


def _exported(source: str, how: dict[str, object], target: str) -> SentenceTransformer:
    model = SentenceTransformer(
        source, device="cpu", backend="openvino", model_kwargs={"export": True, **how}
    )
    model.save_pretrained(target)
    return model


if __name__ == "__main__":
    if len(sys.argv) > 3:
        static(*sys.argv[1:])
    else:
        weights(*sys.argv[1:])
