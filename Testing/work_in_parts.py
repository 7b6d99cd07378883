"""Work that is done in parts: what tests send to processes of its own, and a stand-in for these."""

from __future__ import annotations

import os
import pickle
import time

import SimpleITK as sitk
import torch

from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.training.parts import Part

COUNT = 7


def squares(part, progress):
    """Yield the squares of the numbers of a part."""
    for count, number in enumerate(part.of(range(COUNT))):
        progress.stage(f"number {number}", count / COUNT)
        yield number**2


def process_and_threads(_part, _progress):
    """Yield which process this is, and how many threads it may use."""
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    yield os.getpid(), torch.get_num_threads(), threads


def refused_in_the_second(part, _progress):
    """Refuse the second part."""
    if part.number == 1:
        raise ContentRefusedError(ErrorCode.NO_BRAIN, "expected a brain, got a knee")
    yield part.number


def ended_in_the_second(part, _progress):
    """End the process of the second part without a word, as when there is no memory left."""
    if part.number == 1:
        os._exit(9)
    yield part.number


def endless(_part, progress):
    """Work until somebody stops it, and tell which process it is."""
    while True:
        progress.stage(str(os.getpid()), 0.5)
        time.sleep(0.05)
        yield 0


def parts_as_sent(work, workers, progress):
    """Do what `in_parts` does in this process, with all that would go from one to another pickled."""
    sent = pickle.dumps(work)
    placed = {}
    for number in range(workers):
        answers = list(pickle.loads(sent)(Part(number, workers), progress))
        for count, answer in enumerate(pickle.loads(pickle.dumps(answers))):
            placed[number + count * workers] = answer
    assert sorted(placed) == list(range(len(placed)))
    return [placed[index] for index in range(len(placed))]
