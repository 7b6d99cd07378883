"""Networks built without memory, to see what they would be: a card can ask for more than the machine has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


@contextmanager
def without_memory() -> Iterator[None]:
    """Give tensors that are made shapes but no numbers.

    Drawing random numbers for such a tensor is passed over: there is nothing to draw, and torch imports its compiler
    for it, which takes seconds.
    """
    with torch.device("meta"), _NothingDrawn():
        yield


class _NothingDrawn(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch.Tensor.normal_:
            return args[0]
        return func(*args, **kwargs or {})
