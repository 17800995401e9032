"""The projector of CIRKD: 1x1 convolution, normalisation by the batch, ReLU, 1x1 convolution."""
import numpy as np

from pieces import relu

PROJECTOR_CONSTANTS = {"norm.weight": 1.5, "norm.bias": 0.2}


def projector_shapes(student, teacher):
    return {
        "projector.lift.weight": (teacher, student, 1, 1),
        "projector.norm.weight": (teacher,),
        "projector.norm.bias": (teacher,),
        "projector.mix.weight": (teacher, teacher, 1, 1),
    }


def projected(S, p):
    x = np.einsum("oc,bchw->bohw", p["projector.lift.weight"][:, :, 0, 0], S)
    mean = x.mean(axis=(0, 2, 3), keepdims=True)
    x = (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=(0, 2, 3), keepdims=True) + 1e-5)
    weight, bias = (p["projector.norm." + key][:, None, None] for key in ("weight", "bias"))
    return np.einsum("oc,bchw->bohw", p["projector.mix.weight"][:, :, 0, 0], relu(weight * x + bias))
