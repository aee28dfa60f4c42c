"""Errors of libraries about what a stranger wrote become one refusal in words; the log keeps what they said."""

import contextlib
import errno
import logging
import struct
import zlib
from collections.abc import Iterator

from ldvae_core.errors import CountsError

logger = logging.getLogger(__name__)

OF_FILES = (
    OSError, EOFError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
    NotImplementedError, zlib.error, struct.error,
)  # fmt: skip
OF_THE_DISK = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
REMEDY = "The file is damaged, or of an unusual kind. Write or download it again."


@contextlib.contextmanager
def damage_in(part: str) -> Iterator[None]:
    """For what reads a part of a file by a library's means. Raises CountsError naming the part; a full disk passes."""
    try:
        yield
    except OF_FILES as fault:
        if isinstance(fault, OSError) and fault.errno in (*OF_THE_DISK, errno.ENOMEM):
            raise
        logger.warning("%s: %s: %s", part, type(fault).__name__, str(fault)[:500])
        if isinstance(fault, OSError) and fault.errno == errno.EFBIG:
            raise CountsError(f"{part} unfolds to far more than it declares.", REMEDY) from None
        raise CountsError(f"{part} cannot be read: it is damaged.", REMEDY) from None
