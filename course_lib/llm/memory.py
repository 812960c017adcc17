"""Memory: giving it back to the system, and saying in a sentence that it ran out."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch


def give_back_memory() -> None:
    """Return free memory to the system: glibc keeps hundreds of MB of one step's buffers for the next one."""
    with suppress(AttributeError, OSError, TypeError):  # other systems have no such call and do not need it
        ctypes.CDLL(None).malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch or Python says that there is no memory left."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


@contextmanager
def enough_memory() -> Iterator[None]:
    """Turn any error that means "out of memory" into a MemoryError with the remedy."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryError(
            "The memory is not enough for this, and nothing is changed. Shut down other kernels (menu Kernel), shorten "
            "the inputs, or take fewer shots or passages; for training, a smaller batch_size or fewer layers."
        ) from error
