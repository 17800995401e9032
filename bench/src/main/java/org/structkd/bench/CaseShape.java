package org.structkd.bench;

import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Size and kind of the inputs of a case, written as "8x512x64x64" (batch, channels, height, width)
 * and behind it "-aligned", "-whole" and "-MODE", each or none.
 *
 * @param sizes [B, C, H, W]
 * @param aligned the teacher is the student plus a tenth of noise, as after a projector or between
 *     two versions of one network; else both are drawn independently
 * @param wholeBatch pairs span all images of the batch
 * @param mode a setting of the loss, which knows its word; empty: its usual one
 */
record CaseShape(long[] sizes, boolean aligned, boolean wholeBatch, String mode) {
  private static final Pattern TEXT =
      Pattern.compile("(\\d+)x(\\d+)x(\\d+)x(\\d+)(-aligned)?(-whole)?(?:-([a-z]\\w*))?");
  private static final long SEED = 42;

  /** The inputs of one loss. */
  record Maps(Tensor student, Tensor teacher) {}

  static CaseShape parse(String text) {
    Matcher matcher = TEXT.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "shape is "
              + text
              + ", expected batch x channels x height x width, -aligned, -whole, -MODE");
    }
    long[] sizes = new long[4];
    Arrays.setAll(sizes, i -> Long.parseLong(matcher.group(i + 1)));
    String mode = matcher.group(7) == null ? "" : matcher.group(7);
    return new CaseShape(sizes, matcher.group(5) != null, matcher.group(6) != null, mode);
  }

  /** {@return what a loss says of a mode that it does not know} */
  IllegalArgumentException unknownMode() {
    return new IllegalArgumentException("bench/cases.json: the loss has no mode \"" + mode + "\"");
  }

  long batch() {
    return sizes[0];
  }

  long channels() {
    return sizes[1];
  }

  long nodes() {
    return sizes[2] * sizes[3];
  }

  /** {@return how many elements one map has} */
  double elements() {
    return (double) batch() * channels() * nodes();
  }

  /** Feature maps: gaussian in f32, the same for every provider and every run. */
  Maps features() {
    torch.manual_seed(SEED);
    Tensor student = torch.randn(sizes);
    Tensor noise = torch.randn(sizes);
    return new Maps(student, aligned ? student.add(noise.mul(new Scalar(0.1))) : noise);
  }

  /** Class scores: as features, each class with a spread of its own, as a network's have. */
  Maps logits() {
    Maps maps = features();
    Tensor spread = torch.rand(1, channels(), 1, 1).mul(new Scalar(3)).add(new Scalar(0.5));
    Tensor other = torch.rand(1, channels(), 1, 1).mul(new Scalar(3)).add(new Scalar(0.5));
    return new Maps(maps.student.mul(spread), maps.teacher.mul(aligned ? spread : other));
  }
}
