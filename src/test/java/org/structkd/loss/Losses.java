package org.structkd.loss;

import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/** Every loss of this version, for tests of what all of them promise. */
final class Losses {
  private Losses() {}

  /**
   * A loss as a function of a student's and a teacher's map.
   *
   * @param name how its sentences begin
   * @param loss one variant that runs as a kernel
   */
  record Named(String name, FeatureLoss loss) {
    Tensor forward(Tensor student, Tensor teacher) {
      return loss.forward(student, teacher);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Named> all() {
    return Stream.of(
        new Named("pair-wise loss", new PairwiseLoss(PairwiseLoss.Config.skdCvpr19())));
  }
}
