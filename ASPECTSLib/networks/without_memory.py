"""Networks built without memory, to see what they would be: a card can ask for more than the machine has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

# Both ways to call it: torch asks once a call, so that what the second does within is not seen.
_NORMAL = (torch.Tensor.normal_, nn.init.normal_)


@contextmanager
def without_memory() -> Iterator[None]:
    """Give tensors that are made shapes but no numbers.

    Drawing normal numbers for such a tensor is passed over: there is nothing to draw, and torch imports its compiler
    for it, which takes seconds. Uniform ones and constants cost nothing.
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
        named = kwargs or {}
        if func in _NORMAL:
            return args[0] if args else named["tensor"]
        return func(*args, **named)
