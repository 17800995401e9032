"""Writes a teacher as docs/teachers.md says, for PythonTeacherTest: torchscript_teacher.py FILE

It tells bright pixels, class 1, from dark ones, class 0, in images whose colours are ImageNet's, and does so at a
quarter of their size. Its outputs are a tuple, as those of many networks, which a recipe gives names.
"""

import sys

import torch
from torch import nn

BRIGHTNESS = torch.tensor([0.229, 0.224, 0.225])  # deviation of each colour: what undoes the normalisation
MEAN = torch.tensor([0.485, 0.456, 0.406])


class Teacher(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Conv2d(4, 2, 1)
        with torch.no_grad():
            # Two channels with what is above a brightness of a half, two with what is below.
            sign = torch.tensor([1.0, 1.0, -1.0, -1.0])
            convolution = self.backbone[1]
            convolution.weight.copy_((sign[:, None] * BRIGHTNESS / 3)[:, :, None, None])
            convolution.bias.copy_(sign * (MEAN.mean() - 0.5))
            self.head.weight.copy_(torch.tensor([[-4.0, -4, 4, 4], [4, 4, -4, -4]])[:, :, None, None])
            self.head.bias.zero_()

    def forward(self, images):
        features = self.backbone(images)
        return self.head(features), features


images = torch.rand(2, 3, 16, 24)
with torch.no_grad():
    traced = torch.jit.trace(Teacher().eval(), images)
    torch.jit.freeze(traced).save(sys.argv[1])
