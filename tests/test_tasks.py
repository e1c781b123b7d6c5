"""The table of tasks beside what the runtime and the command line have."""

from __future__ import annotations

import pytest

import satchel
from satchel.cli.main import main
from satchel.runtime.task import TASKS, TaskError

MODELS = {
    "decoder": (satchel.DecoderModel,),
    "encoder": (satchel.EncoderModel, satchel.EntityModel, satchel.SoundModel),
    "encoder-decoder": (satchel.Seq2seqModel, satchel.SpeechModel, satchel.ImageTextModel),
}


@pytest.mark.parametrize("name", TASKS)
def test_methods_and_commands_of_a_task_exist(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    task = TASKS[name]
    assert any(
        all(hasattr(model, method) for method in task.methods) for model in MODELS[task.family]
    )
    for command in task.commands:
        verb, *option = command.removesuffix(" FILE").removesuffix(" TEXT").split()
        with pytest.raises(SystemExit, match=r"^0$"):
            main([verb, "--help"])
        page = capsys.readouterr().out
        assert all(name in page for name in option)
    with pytest.raises(TaskError, match=f"made for '{name}'; use {task.methods[0]}"):
        raise TaskError("dance", name)
