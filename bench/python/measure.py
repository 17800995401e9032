"""Time, memory and error of one provider at one size."""

import gc
import statistics
import time

import torch

import checks

# Larger than the L2 of any GPU, and long enough to write that the host has queued the call meanwhile: what
# is timed is the device, not Python.
FLUSH_BYTES = 2 << 30
LEAST, MOST = 5, 100


class Clock:
    """Milliseconds of calls, each with a cold L2."""

    def __init__(self, device):
        self.device = device
        self.cuda = torch.device(device).type == "cuda"
        self.flush = torch.empty(FLUSH_BYTES, dtype=torch.int8, device=device) if self.cuda else None

    def times(self, call, seconds):
        call()
        once = self.one(call)
        count = min(MOST, max(LEAST, int(seconds * 1000 / max(once, 0.4))))
        if once > seconds * 1000:
            count = 1  # slower than the limit: once more, and no percentiles
        return sorted(self.one(call) for _ in range(count))

    def one(self, call):
        if not self.cuda:
            start = time.perf_counter()
            call()
            return (time.perf_counter() - start) * 1000
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.flush.zero_()
        start.record()
        call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end)


def percentiles(times):
    if len(times) < 5:
        middle = statistics.median(times)
        return middle, middle, middle
    fifths = statistics.quantiles(times, n=5)
    return statistics.median(times), fifths[0], fifths[3]


def step(loss, student, teacher):
    """One call as in training: value and gradient, with the last gradient cleared."""
    leaf = student.detach().requires_grad_()

    def call():
        leaf.grad = None
        loss(leaf, teacher).backward()

    return call


def peak_mebibytes(call, gradient_bytes):
    """Most memory of the caching allocator during a call, above what is there before, without the gradient."""
    call()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated() - gradient_bytes  # that of the call before
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    return max(0, torch.cuda.max_memory_allocated() - before - gradient_bytes) / 2**20


def errors(loss, truth, student, teacher):
    """Relative errors of value and gradient."""
    result = checks.value_and_gradient(loss, student, teacher)
    return [checks.relative(a, b) for a, b in zip(result, truth)]


def clean():
    """Between providers: nothing of the last one may be left."""
    torch.backends.cuda.matmul.allow_tf32 = False
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
