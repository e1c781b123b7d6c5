"""What every loaded bundle is: a task with the methods that fit it, and graphs. Knows no family."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from satchel.runtime.bundle import Bundle
from satchel.runtime.errors import UsageError
from satchel.runtime.sample_answers import SampleAnswer
from satchel.runtime.task import ALL_METHODS, TASKS, TaskError
from satchel.runtime.workloads import Workload

Method = TypeVar("Method", bound=Callable[..., Any])


class TaskModel:
    """A loaded bundle: a method of another task raises TaskError, which names those that fit.

    `graphs` are what runs each graph, by role, each with its `session`.
    """

    graphs: Mapping[str, Any]
    writes = True  # tokens, one after the other

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.manifest = bundle.manifest

    @property
    def samples(self) -> dict[str, str]:
        """What each graph that answers is measured on: windows, targets, sounds, lines or pictures."""
        raise NotImplementedError

    def workloads(self) -> Iterator[Workload]:
        """What the bundle is timed at."""
        raise NotImplementedError

    def sample_answers(self) -> Iterator[SampleAnswer]:
        """What the bundle answers to the probes of its manifest."""
        raise NotImplementedError

    def first_token(self) -> None:
        """Write one token, to time how soon after loading there is one."""
        raise NotImplementedError

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in ALL_METHODS:  # of another class, or of another task of this one
                raise TaskError(name, self.manifest.task)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        others = ALL_METHODS - set(TASKS[self.manifest.task].methods)
        return [name for name in super().__dir__() if name not in others]

    def __repr__(self) -> str:
        manifest = self.manifest
        profile = manifest.quantization.get("name", "unknown profile")
        facts = f"{manifest.architecture}, {manifest.task}, {profile}"
        return f"<{type(self).__name__} {facts}, {self.bundle.folder}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise UsageError(
            "a loaded model cannot be pickled or copied: load its bundle where it is needed"
        )

    def require(self, method: str) -> None:
        """Raise TaskError unless `method` fits the bundle's task."""
        if method not in TASKS[self.manifest.task].methods:
            raise TaskError(method, self.manifest.task)


if TYPE_CHECKING:

    def for_its_task(method: Method) -> Method:
        """A method that is there only where it fits the bundle's task."""
        return method

else:

    class for_its_task:
        """A method that is there only where it fits the bundle's task."""

        def __init__(self, function: Any) -> None:
            self.function = function
            functools.update_wrapper(self, function)

        def __get__(self, model: Any, owner: Any = None) -> Any:
            if model is None:
                return self.function
            model.require(self.function.__name__)
            return self.function.__get__(model, owner)
