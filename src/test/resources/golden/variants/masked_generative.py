"""The masked generative loss, restated, where nothing is masked: masks are drawn by LibTorch's generator."""
import numpy as np

from pieces import case, formula, parameters, relu, resized


def convolution(x, p, name):
    """Padded so that the size stays."""
    weight, bias = p[f"{name}.weight"], p[f"{name}.bias"]
    k = weight.shape[2] // 2
    H, W = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (k, k), (k, k)))
    out = bias[:, None, None] + np.zeros((x.shape[0], len(weight), H, W), complex)
    for i, j in np.ndindex(weight.shape[2:]):
        out = out + np.einsum("oi,bihw->bohw", weight[:, :, i, j], padded[:, :, i : i + H, j : j + W])
    return out


def masked_generative(S, T, p):
    S = resized(S, *T.shape[2:])
    if "align.weight" in p:
        S = convolution(S, p, "align")
    made = convolution(relu(convolution(S, p, "first")), p, "second")
    return np.sum((made - T) ** 2) / len(T)


def cases():
    for seed, (name, student, teacher, preset) in enumerate([
        ("masked_generative_same", (2, 3, 4, 5), (2, 3, 4, 5), "SEGMENTATION"),
        ("masked_generative_aligned", (2, 2, 3, 4), (2, 4, 5, 3), "CLASSIFICATION"),
    ]):
        cs, ct = student[1], teacher[1]
        layers = {} if cs == ct else {"align": (ct, cs, 1, 1)}
        layers |= {"first": (ct, ct, 3, 3), "second": (ct, ct, 3, 3)}
        shapes = {}
        for layer, shape in layers.items():
            shapes |= {f"{layer}.weight": shape, f"{layer}.bias": shape[:1]}
        p, params = parameters(shapes)
        inputs = {"S": formula(student, seed + 1), "T": formula(teacher, seed + 4)}
        options = dict(preset=preset, mask_ratio=0.0)
        loss = lambda S, T, **o: masked_generative(S, T, p)
        yield case(name, loss, inputs, options, params=params)
