package org.structkd.testing;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A student's and a teacher's map in f64.
 *
 * @param student [B, C, H, W] or [B, C]
 * @param teacher the same shape
 */
public record StudentTeacher(Tensor student, Tensor teacher) {
  /** What the losses meet in training. */
  public enum Kind {
    /** Independent gaussians. */
    RANDOM,
    /** Gaussians below 0 cut off, and some positions zero in all channels. */
    RELU_SPARSE,
    /** Teacher = student + 1e-2 gaussian. */
    NEARLY_EQUAL,
    /**
     * Teacher = student, turned by 0.3 in planes of two channels, + 1e-3 gaussian: far apart, with
     * nearly equal similarities.
     */
    TURNED
  }

  /** Seeded maps of one kind, representable in the dtype so that all sides see the same numbers. */
  public static StudentTeacher of(Kind kind, long seed, ScalarType dtype, long... shape) {
    Tensor student = Tensors.gaussian(seed, shape);
    Tensor other = Tensors.gaussian(seed + 1_000_003, shape);
    Tensor teacher =
        switch (kind) {
          case RANDOM -> other;
          case RELU_SPARSE -> sparse(other, seed + 1);
          case NEARLY_EQUAL -> student.add(other.mul(scalar(1e-2)));
          case TURNED -> turned(student, 0.3).add(other.mul(scalar(1e-3)));
        };
    if (kind == Kind.RELU_SPARSE) {
      student = sparse(student, seed);
    }
    return new StudentTeacher(rounded(student, dtype), rounded(teacher, dtype));
  }

  private static Tensor sparse(Tensor map, long seed) {
    long[] shape = map.shape();
    shape[1] = 1;
    Tensor alive =
        Tensors.gaussian(seed + 77, shape)
            .gt(scalar(-1.3)) // a tenth of the positions is dead
            .to(ScalarType.Double);
    return torch.relu(map.sub(scalar(0.3))).mul(alive);
  }

  // Channels c and c + C/2 turn into each other; the last of an odd number stays.
  private static Tensor turned(Tensor map, double angle) {
    long half = map.size(1) / 2;
    Tensor first = map.narrow(1, 0, half);
    Tensor second = map.narrow(1, half, half);
    Scalar cos = scalar(Math.cos(angle));
    Scalar sin = scalar(Math.sin(angle));
    Tensor turned = map.clone();
    turned.narrow(1, 0, half).copy_(first.mul(cos).sub(second.mul(sin)));
    turned.narrow(1, half, half).copy_(first.mul(sin).add(second.mul(cos)));
    return turned;
  }

  private static Tensor rounded(Tensor map, ScalarType dtype) {
    return map.to(dtype).to(ScalarType.Double);
  }

  private static Scalar scalar(double value) {
    return new Scalar(value);
  }
}
