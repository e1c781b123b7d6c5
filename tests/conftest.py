"""What every test stands on: no network, no telemetry, and a tokenizer for tiny checkpoints."""

from __future__ import annotations

import os
import signal

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# A shell that runs in the background lets its children ignore Ctrl-C, which several tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)
