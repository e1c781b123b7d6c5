"""What image models see, by preprocessor_config.json or processor_config.json: an option that changes
pixels is understood or refused."""

from __future__ import annotations

from typing import Any

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.models.architectures import ARCHITECTURES
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown
from satchel.runtime.image import CHANNELS, ImageFormat

FILE = "preprocessor_config.json"
HALVES = [0.5, 0.5, 0.5]
OPENAI_MEAN = [0.48145466, 0.4578275, 0.40821073]
OPENAI_STD = [0.26862954, 0.26130258, 0.27577711]
IMAGENET_MEAN = [0.485, 0.456, 0.406]
IMAGENET_STD = [0.229, 0.224, 0.225]
BILINEAR, BICUBIC = 2, 3

SQUARE = {"height": 224, "width": 224}
_CROPPED: dict[str, Any] = {
    "size": {"shortest_edge": 224},
    "crop_size": {"height": 224, "width": 224},
    "do_center_crop": True,
    "resample": BICUBIC,
    "image_mean": OPENAI_MEAN,
    "image_std": OPENAI_STD,
    "default_to_square": False,
}
_SQUARE: dict[str, Any] = {
    "size": {"height": 224, "width": 224},
    "do_center_crop": False,
    "resample": BICUBIC,
    "image_mean": HALVES,
    "image_std": HALVES,
    "default_to_square": False,
}
_DETECTED = _SQUARE | {
    "size": {"shortest_edge": 800, "longest_edge": 1333},
    "max_size": 1333,  # the longest edge, where a size is the shortest
    "resample": BILINEAR,
    "image_mean": IMAGENET_MEAN,
    "image_std": IMAGENET_STD,
    "do_pad": True,  # one image alone has nothing to be padded to
}
PROCESSORS = {  # image_processor_type -> what its options are where the file does not say
    "CLIPImageProcessor": _CROPPED,
    "BeitImageProcessor": _SQUARE
    | {"crop_size": {"height": 224, "width": 224}, "default_to_square": True},
    "BitImageProcessor": _CROPPED,
    "ConvNextImageProcessor": _SQUARE | {"size": {"shortest_edge": 384}, "crop_pct": 224 / 256},
    "DINOv3ViTImageProcessor": _SQUARE
    | {
        "resample": BILINEAR,
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
        "default_to_square": True,
    },
    "DonutImageProcessor": _SQUARE
    | {
        "size": {"height": 2560, "width": 1920},
        "resample": BILINEAR,
        "do_thumbnail": True,
        "do_align_long_axis": False,
        "do_pad": True,
    },
    "DeiTImageProcessor": _SQUARE
    | {
        "size": {"height": 256, "width": 256},
        "crop_size": {"height": 224, "width": 224},
        "do_center_crop": True,
        "default_to_square": True,
    },
    "DPTImageProcessor": _SQUARE
    | {
        "size": {"height": 384, "width": 384},
        "default_to_square": True,
        "keep_aspect_ratio": False,
        "ensure_multiple_of": 1,
    },
    "DetrImageProcessor": _DETECTED,
    "YolosImageProcessor": _DETECTED,
    "MobileNetV2ImageProcessor": _CROPPED
    | {
        "size": {"shortest_edge": 256},
        "resample": BILINEAR,
        "image_mean": HALVES,
        "image_std": HALVES,
    },
    "SegformerImageProcessor": _SQUARE
    | {
        "size": {"height": 512, "width": 512},
        "resample": BILINEAR,
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
        "default_to_square": True,
    },
    "SiglipImageProcessor": _SQUARE,
    "Siglip2ImageProcessor": _SQUARE
    | {"size": None, "resample": BILINEAR, "patch_size": 16, "max_num_patches": 256},
    "TimmWrapperImageProcessor": _CROPPED,
    "ViTImageProcessor": _SQUARE | {"resample": BILINEAR, "default_to_square": True},
}
TIMM = "TimmWrapperImageProcessor"  # it crops as torchvision does
FITTING = "DonutImageProcessor"  # it resizes twice, and fills up
UNROUNDED = ("DINOv3ViTImageProcessor",)  # they resize after they rescale
COUNTS = ("patch_size", "max_num_patches")  # of what keeps proportions
WARPED = 384  # from here on, images lose their proportions in place of their edges
PROCESSOR_OF = {  # model_type -> processor where the file names none
    "vit": "ViTImageProcessor",
    "deit": "DeiTImageProcessor",
    "beit": "BeitImageProcessor",
    "dinov2": "BitImageProcessor",
    "dinov2_with_registers": "BitImageProcessor",
    "resnet": "ConvNextImageProcessor",
    "convnext": "ConvNextImageProcessor",
    "convnextv2": "ConvNextImageProcessor",
    "mobilenet_v2": "MobileNetV2ImageProcessor",
    "swin": "ViTImageProcessor",
    "swinv2": "ViTImageProcessor",
    "segformer": "SegformerImageProcessor",
    "depth_anything": "DPTImageProcessor",
    "yolos": "YolosImageProcessor",
    "detr": "DetrImageProcessor",
    "dinov3_vit": "DINOv3ViTImageProcessor",
    "clip": "CLIPImageProcessor",
    "siglip": "SiglipImageProcessor",
    "siglip2": "Siglip2ImageProcessor",
}
YOLOS_MULTIPLE = 16  # of which its processor makes the sides
STEPS = {
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "do_pad": False,
    "rescale_factor": 1 / 255,
    "crop_size": None,
    "pad_size": None,
    "size_divisor": None,
}
# Nothing else that the processors of transformers read changes the pixels of one RGB image, but this,
# which has one value that is done here. They read no other key.
NEUTRAL = {"data_format": "channels_first"}


def image_format(checkpoint: Checkpoint) -> ImageFormat:
    """The preprocessing of a checkpoint, from its folder."""
    raw = checkpoint.preprocessor_config
    if not raw:
        raise CheckpointError(f"{shown(checkpoint.source)} has no {FILE}")
    model_type, file = str(checkpoint.config.get("model_type")), checkpoint.preprocessor_file
    form, part = read_format(raw, model_type, file), checkpoint.config.get("vision_config")
    own = part.get("patch_size", form.multiple) if isinstance(part, dict) else form.multiple
    if form.patches is not None and own != form.multiple:
        raise UnsupportedError(
            f"{file}: patch_size = {form.multiple} is not config.json's {shown(own)}"
        )
    return form


def read_format(raw: dict[str, Any], model_type: str, file: str = FILE) -> ImageFormat:
    """The preprocessing that the content of a file describes.

    Raises UnsupportedError with the processor or option that is not supported, CheckpointError with
    what makes no sense.
    """
    kind = _kind(raw, model_type, file)
    options = _options(raw, kind, file)
    resize, shortest_edge, longest_edge = None, None, None
    patches = options.get("max_num_patches")
    if options["do_resize"] and patches is None:
        resize, shortest_edge, longest_edge = _resize(options, file)
    size, nearest, multiple = resize, None, options.get("patch_size", 1)
    if kind == "DPTImageProcessor" and resize is not None:
        resize, nearest, multiple = _multiples(resize, options, file)
        size = resize
    if kind == "YolosImageProcessor" and shortest_edge is not None:
        multiple = YOLOS_MULTIPLE
    if kind == FITTING:
        resize, shortest_edge, size = _fitted(options, file)
    if "crop_pct" in options and options["do_resize"]:
        resize, shortest_edge, size = _part(options["crop_pct"], shortest_edge, options, file)
    if options["do_center_crop"]:
        cropped = _side_lengths("crop_size", options["crop_size"], file)
        if None not in (size, shortest_edge) and cropped != size:
            raise UnsupportedError(f"{file}: crop_size = {shown(cropped)} after a crop to {size}")
        size = cropped
    known = ARCHITECTURES.get(model_type)
    loose = options["do_resize"] and known is not None and known.any_size
    if size is None and not loose:
        how = f"size = {shown(options['size'])}" if options["do_resize"] else "do_resize = False"
        raise UnsupportedError(f"{file}: {how} and no crop: images would differ in size")
    padded = options["pad_size"] if options["do_pad"] else None
    if padded is not None and _side_lengths("pad_size", padded, file) != size:
        have = f"have {size} already" if size else "keep the size that a resize gives them"
        raise UnsupportedError(
            f"{file}: pad_size = {shown(padded)} is not supported; images {have}"
        )
    if options["do_pad"] and options["size_divisor"] is not None:
        raise UnsupportedError(
            f"{file}: size_divisor = {shown(options['size_divisor'])} with do_pad is not supported"
        )
    normalize = options["do_normalize"]
    form = ImageFormat(
        size=size,
        resize=resize,
        shortest_edge=shortest_edge,
        resample=options["resample"],
        rescale=_floats(options["rescale_factor"]) if options["do_rescale"] else 1.0,
        mean=_per_channel(options["image_mean"]) if normalize else [0.0, 0.0, 0.0],
        std=_per_channel(options["image_std"]) if normalize else [1.0, 1.0, 1.0],
        longest_edge=longest_edge,
        rounded=kind not in UNROUNDED,
        first=kind != TIMM,
        fitted=kind == FITTING,
        nearest=nearest,
        multiple=multiple,
        patches=patches,
    )
    if problem := form.problem():
        raise CheckpointError(f"{file}: {problem}", "CKPT_CONFIG")
    return form


def _kind(raw: dict[str, Any], model_type: str, file: str) -> str:
    """Which of PROCESSORS is meant."""
    named = raw.get("image_processor_type") or raw.get("feature_extractor_type")
    kind = str(named or PROCESSOR_OF.get(model_type))
    kind = (
        kind.removesuffix("Fast").removesuffix("Pil").replace("FeatureExtractor", "ImageProcessor")
    )
    if kind not in PROCESSORS:
        raise UnsupportedError(
            f"{file}: image processor {shown(named)} is not supported; "
            f"known: {', '.join(PROCESSORS)}"
        )
    return kind


def _options(raw: dict[str, Any], kind: str, file: str) -> dict[str, Any]:
    """The options of the checkpoint over those of its processor."""
    options = STEPS | PROCESSORS[kind]
    if kind == "CLIPImageProcessor" and raw.get("use_square_size"):
        raw = raw | {"size": SQUARE}
    for key, value in raw.items():
        if key in options:  # null is a value, as in transformers
            options[key] = value
        elif value not in (None, NEUTRAL.get(key, value)):
            raise UnsupportedError(f"{file}: {shown(key)} = {shown(value)} is not supported")
    if kind == "SegformerImageProcessor":
        options["do_center_crop"] = False  # it has no such step
    for key, value in options.items():
        flag = key.startswith(("do_", "default_", "keep_"))
        if flag and not isinstance(value, bool | None):
            raise CheckpointError(f"{file}: {key} = {shown(value)} is no boolean", "CKPT_CONFIG")
        if key in COUNTS and (type(value) is not int or value < 1):
            raise CheckpointError(f"{file}: {key} = {shown(value)} is no count", "CKPT_CONFIG")
    return options


def _floats(value: Any) -> Any:
    """Whole numbers as floats, which is what a manifest holds; anything else as it is."""
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return float(value) if type(value) is int and abs(value) < 1 << 53 else value


def _per_channel(value: Any) -> Any:
    """One number for all channels as one for each."""
    return _floats([value] * CHANNELS if isinstance(value, int | float) else value)


def _resize(options: dict[str, Any], file: str) -> tuple[list[int] | None, int | None, int | None]:
    """[height, width], or the length of the shortest edge and the most of the longest."""
    size = options["size"]
    if type(size) is int and not options["default_to_square"]:
        size = {"shortest_edge": size, "longest_edge": options.get("max_size")}
    if isinstance(size, dict):
        size = {edge: length for edge, length in size.items() if length is not None}
        lacks = "max_size" in options and "longest_edge" not in size
        if not lacks and "shortest_edge" in size and set(size) <= {"shortest_edge", "longest_edge"}:
            return None, size["shortest_edge"], size.get("longest_edge")
    return _side_lengths("size", size, file), None, None


def _fitted(options: dict[str, Any], file: str) -> tuple[None, int, list[int]]:
    """Of Donut's images: the shortest edge to resize to, and the size that they then have to fit."""
    wanted = {"do_resize": True, "do_thumbnail": True, "do_pad": True, "do_align_long_axis": False}
    for key, value in wanted.items():
        if options[key] != value:
            raise UnsupportedError(
                f"{file}: {key} = {shown(options[key])} is not supported; expected {value}"
            )
    size = options["size"]
    if isinstance(size, list):
        size = size[::-1]  # older files say the width first
    size = _side_lengths("size", size, file)
    if len(size) != 2 or not all(type(side) is int for side in size):
        raise CheckpointError(f"{file}: size = {shown(size)}; expected two sides", "CKPT_CONFIG")
    return None, min(size), size


def _multiples(
    size: list[int], options: dict[str, Any], file: str
) -> tuple[list[int] | None, list[int] | None, int]:
    """Of DPT's images: [height, width] to resize to, or that of which one side is met, and of what number
    both are multiples."""
    multiple = options["ensure_multiple_of"]
    if options["keep_aspect_ratio"]:
        return None, size, multiple
    sides = all(type(side) is int for side in (multiple, *size))
    if not sides or multiple < 1 or any(side % multiple for side in size):
        raise UnsupportedError(
            f"{file}: size = {shown(size)} is no multiple of ensure_multiple_of = {shown(multiple)}"
        )
    return size, None, 1


def _part(
    crop_pct: Any, edge: int | None, options: dict[str, Any], file: str
) -> tuple[list[int] | None, int | None, list[int] | None]:
    """Of ConvNeXt's images: [height, width] or the shortest edge to resize to, and what is left of it,
    the part `crop_pct` in the middle."""
    if type(edge) is not int:
        raise UnsupportedError(
            f"{file}: size = {shown(options['size'])} is not supported; expected a shortest edge"
        )
    if edge >= WARPED:
        return [edge, edge], None, [edge, edge]
    if not isinstance(crop_pct, float | int) or isinstance(crop_pct, bool) or crop_pct < 0.01:
        raise CheckpointError(
            f"{file}: crop_pct = {shown(crop_pct)}; expected the part that is kept", "CKPT_CONFIG"
        )
    return None, int(edge / crop_pct), [edge, edge]


def _side_lengths(key: str, value: Any, file: str) -> list[int]:
    """[height, width] of a size in any of the styles of transformers' versions."""
    if type(value) is int:
        return [value, value]
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and set(value) == {"height", "width"}:
        return [value["height"], value["width"]]
    raise UnsupportedError(
        f"{file}: {key} = {shown(value)} is not supported; expected height and width"
    )
