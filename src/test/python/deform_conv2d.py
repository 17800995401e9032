"""Compares a deformable convolution with torchvision's; DeformableConvolutionTest starts it.

    deform_conv2d.py FILE STRIDE DILATION   prints the largest difference from the result in the file

The file has input, offsets, masks, weight and result.
"""

import sys

from safetensors.torch import load_file
from torchvision.ops import deform_conv2d

case = load_file(sys.argv[1])
stride, dilation = map(int, sys.argv[2:4])
expected = deform_conv2d(
    case["input"],
    case["offsets"],
    case["weight"],
    stride=stride,
    padding=dilation * (case["weight"].shape[2] // 2),
    dilation=dilation,
    mask=case["masks"],
)
print(float(abs(expected - case["result"]).max()))
