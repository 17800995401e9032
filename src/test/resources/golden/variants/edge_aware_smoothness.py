"""Edge-aware smoothness, restated."""
import numpy as np

from pieces import case, formula


def steps(x, axis):
    d = np.diff(x, axis=axis)
    return np.where(d.real < 0, -d, d)


def pooled(image, h, w):
    """Means over the pixels that a cell of h x w touches, of [B, C, H, W]."""
    B, C, H, W = image.shape
    out = np.zeros((B, C, h, w))
    for i, j in np.ndindex(h, w):
        rows = slice(i * H // h, -(-(i + 1) * H // h))
        columns = slice(j * W // w, -(-(j + 1) * W // w))
        out[:, :, i, j] = image[:, :, rows, columns].mean((2, 3))
    return out


def edge_aware_smoothness(*tensors, preset):
    *disparities, images = tensors
    total = 0
    for scale, d in enumerate(disparities):
        image = pooled(images, *d.shape[2:])
        if preset == "monodepth2":
            d = d / (d.mean((2, 3), keepdims=True) + 1e-7)
        for axis in (2, 3):
            if d.shape[axis] > 1:
                edges = np.exp(-steps(image, axis).mean(1, keepdims=True))
                total = total + np.mean(edges * steps(d, axis)) / 2**scale
    return total / len(disparities)


def cases():
    for name, sizes, preset in [
        ("smoothness", [(5, 7)], "monodepth2"),
        ("smoothness_scales", [(8, 12), (4, 6), (2, 3)], "monodepth2"),
        ("smoothness_plain", [(6, 5), (3, 2)], "monodepth"),
        ("smoothness_row", [(1, 6)], "monodepth2"),
    ]:
        B = 2
        inputs = {
            f"S{i}": dict(shape=[B, 1, *size], a=0.35, b=0.5 + 0.3 * i, c=0.1, d=0.5)
            for i, size in enumerate(sizes)
        }
        inputs["images"] = formula((B, 3, *sizes[0]), 3)
        yield case(name, edge_aware_smoothness, inputs, dict(preset=preset))
