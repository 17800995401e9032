"""Maps, and what formulas do with them."""

import torch


def random(shape, device, dtype, kind="random"):
    generator = torch.Generator().manual_seed(42)
    student = torch.randn(shape, generator=generator, dtype=torch.float64)
    teacher = torch.randn(shape, generator=generator, dtype=torch.float64)
    if kind == "close":
        teacher = student + 0.01 * teacher
    return student.to(device, dtype), teacher.to(device, dtype)


def unit_rows(features, eps):
    """[B, C, N] of [B, C, H, W], each node scaled to unit length."""
    rows = features.flatten(2)
    return rows / rows.norm(dim=1, keepdim=True).clamp_min(eps)
