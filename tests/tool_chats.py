"""Chat templates that take tools, each in a format of calls, and a tiny model that has one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.tiny import byte_tokenizer, save_checkpoint

END = "<|im_end|>"
HEAD = (
    "{% if tools %}<|im_start|>system\nTools:{% for t in tools %}\n{{ t | tojson }}{% endfor %}"
    "{{ hint }}<|im_end|>\n{% endif %}"
)
TURNS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}CALLS<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
OBJECT = '{"name": "{{ c.function.name }}", "KEY": {{ c.function.arguments | tojson }}}'
EACH = "{% for c in m.tool_calls or [] %}"


def _template(calls: str, key: str = "arguments", hint: str = "") -> str:
    return HEAD.replace("{{ hint }}", hint) + TURNS.replace("CALLS", calls).replace("KEY", key)


def _listed(begin: str, end: str) -> str:
    comma = "{% if not loop.last %}, {% endif %}"
    return f"{{% if m.tool_calls %}}{begin}[{EACH}{OBJECT}{comma}{{% endfor %}}]{end}{{% endif %}}"


TEMPLATES = {
    "hermes": _template(EACH + f"\n<tool_call>\n{OBJECT}\n</tool_call>{{% endfor %}}"),
    "smollm2": _template(_listed("<tool_call>", "</tool_call>")),
    "nemotron": _template(_listed("<TOOLCALL>", "</TOOLCALL>")),
    "phi4": _template(_listed("<|tool_call|>", "<|/tool_call|>")),
    "granite": _template(_listed("<|tool_call|>", "")),
    "mistral": _template(_listed("[TOOL_CALLS] ", "")),
    "mistral-args": _template(
        EACH
        + "[TOOL_CALLS]{{ c.function.name }}[ARGS]{{ c.function.arguments | tojson }}{% endfor %}"
    ),
    "llama3": _template(EACH + f"{OBJECT}{{% endfor %}}", "parameters"),
}
EXPLAINED = _template(
    "", hint='\n<tool_call>\n{"name": <name>, "arguments": <arguments>}\n</tool_call>'
)
UNKNOWN = {
    "no tools": _template("").replace("{% if tools %}", "{% if false %}"),
    "calls of another form": _template(EACH + "<call {{ c.function.name }}/>{% endfor %}"),
    "calls passed over": _template(""),
    "results passed over": TEMPLATES["hermes"].replace(
        "{{ m.content }}", "{{ m.content if m.role != 'tool' }}"
    ),
}


def save_caller(folder: Path, template: str = TEMPLATES["hermes"], **overrides: Any) -> None:
    """A random checkpoint whose chat template takes tools."""
    save_checkpoint(folder, "llama", num_hidden_layers=2, **overrides)
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens(["<|im_start|>", END, "[TOOL_CALLS]"])
    tokenizer.add_tokens(["<tool_call>", "</tool_call>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"chat_template": template, "eos_token": END}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    ends = {"eos_token_id": tokenizer.token_to_id(END)}
    (folder / "generation_config.json").write_text(json.dumps(ends))
