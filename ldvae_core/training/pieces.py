"""Work on fixed pieces of a minibatch, shared out to threads: the same bits on any number of them.

torch splits a sum or a product by the number of its threads, and the last bit moves with it. So torch keeps to one
thread here, and what costs most, the likelihood of every count and its gradient, is worked out for 32 cells at a time.
A piece is always the same cells and runs on one thread; gradients that pieces share are added in the pieces' order.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

CELLS = 32  # of a piece: few enough that its counts stay in a core's own memory

Work = Callable[..., Tensor]


class Pieces:
    """How a function of cells is worked out: piece by piece, on some threads."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def share_out(self, threads: int) -> None:
        """Use so many threads from now on."""
        self._pool = ThreadPoolExecutor(threads, initializer=_one_thread) if threads > 1 else None

    def each(self, work: Callable[[int], Any], n: int) -> list[Any]:
        """work(0), work(1), ... in this order."""
        return list(self._pool.map(work, range(n)) if self._pool else map(work, range(n)))

    def __call__(self, function: Work, of_cells: Sequence[Tensor], shared: Sequence[Tensor]) -> Tensor:
        """function(*of_cells) -> (cells,), differentiable in `of_cells` and in `shared`, which the function reads.

        of_cells: tensors whose first axis is the cells. The function must treat every cell by itself.
        """
        if torch.is_grad_enabled():
            arguments = self, function, len(of_cells), *of_cells, *shared
            found: Tensor = _InPieces.apply(*arguments)  # type: ignore[no-untyped-call]  # torch's own
            return found
        cut = [value.split(CELLS) for value in of_cells]

        def work(piece: int) -> Tensor:
            with torch.no_grad():  # every thread has a mode of its own
                return function(*(part[piece] for part in cut))

        return torch.cat(self.each(work, len(cut[0])))


def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as choose_threads() has it for the thread that trains


class _InPieces(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pieces: Pieces, function: Work, n_of_cells: int, *inputs: Tensor) -> Tensor:
        of_cells, shared = inputs[:n_of_cells], inputs[n_of_cells:]
        needed = ctx.needs_input_grad[3:]
        cut = [value.detach().split(CELLS) for value in of_cells]

        def work(piece: int) -> tuple[list[Tensor], Tensor]:
            leaves = [part[piece].requires_grad_(need) for part, need in zip(cut, needed, strict=False)]
            with torch.set_grad_enabled(any(needed)):
                return leaves, function(*leaves)

        done = pieces.each(work, len(cut[0]))
        ctx.pieces, ctx.done, ctx.shared = pieces, done, shared
        return torch.cat([value.detach() for _, value in done])

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        done, needed = ctx.done, ctx.needs_input_grad[3:]
        weights = upstream.split(CELLS)

        def work(piece: int) -> list[Tensor | None]:
            leaves, value = done[piece]
            asked = [tensor for tensor, need in zip((*leaves, *ctx.shared), needed, strict=True) if need]
            return list(torch.autograd.grad(value, asked, weights[piece], allow_unused=True))

        found = ctx.pieces.each(work, len(done))
        n_of_cells = len(done[0][0])
        gradients: list[Tensor | None] = []
        for place, need in enumerate(needed):
            parts = [piece.pop(0) for piece in found] if need else []
            gradients.append(_joined(parts, of_cells=place < n_of_cells))
        ctx.done = None
        return None, None, None, *gradients


def _joined(parts: list[Tensor | None], *, of_cells: bool) -> Tensor | None:
    """Gradients of pieces: side by side for cells, else their sum; None for what the function does not read."""
    known = [part for part in parts if part is not None]  # all of them or none
    if not known:
        return None
    if of_cells:
        return torch.cat(known)
    total = known[0]
    for part in known[1:]:
        total = total + part
    return total
