"""Where training computes: device, precision and processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pgm.errors import PlanError

if TYPE_CHECKING:
    from accelerate import Accelerator


def device_of(device: str | torch.device, subject: str) -> torch.device:
    """A device that is there.

    Raises:
        PlanError: when it is none, or torch cannot use it here.

    Example:
        >>> device_of("cpu", "fit")
        device(type='cpu')
    """
    try:
        return torch.empty(0, device=device).device
    except (AssertionError, RuntimeError) as error:
        why = " ".join(str(error).splitlines()[0].split())
        raise PlanError(
            f"{subject}: device is {str(device)!r}, which torch cannot use here ({why}); expected cpu, or cuda where "
            "there is a GPU."
        ) from None


def accelerated(device: str | torch.device | None, precision: str, accumulate: int) -> Accelerator:
    """Devices and processes as accelerate sees them; one process computes on the device that is asked for.

    Raises:
        PlanError: when accelerate is missing, or there is no such precision, device or way to share parameters.
    """
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError:
        raise PlanError("fit: it runs on accelerate; pip install 'pgm-deepgen[deepgen]'.") from None
    if precision not in ("no", "bf16"):
        raise PlanError(f"fit: precision is {precision!r}, expected 'no' or 'bf16'.")
    wanted = None if device is None else device_of(device, "fit")
    alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    AcceleratorState._reset_state(alone)  # an earlier call may have had another precision or device
    cpu = wanted is not None and wanted.type == "cpu"
    made = Accelerator(mixed_precision=precision, gradient_accumulation_steps=accumulate, cpu=cpu)
    require_whole(made.distributed_type)
    if wanted is not None and made.num_processes == 1:
        made.state.device = wanted  # accelerate knows no numbers of devices
    return made


def require_whole(kind: str) -> None:
    """Raise a `PlanError` where processes hold parts of parameters: checkpoints and averages would have parts too."""
    if kind not in ("NO", "MULTI_CPU", "MULTI_GPU"):
        raise PlanError(
            f"fit: accelerate is set up for {kind}, expected one process or several that each hold all parameters "
            "(MULTI_CPU, MULTI_GPU). Launch with --multi_gpu instead of --use_fsdp or the like."
        )
