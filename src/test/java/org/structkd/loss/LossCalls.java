package org.structkd.loss;

import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/** Every loss of this version, for tests of what all of them promise. */
final class LossCalls {
  private LossCalls() {}

  /**
   * A loss as a function of a student's and a teacher's map.
   *
   * @param name how its sentences begin
   * @param loss one variant that runs as a kernel
   */
  record Named(String name, MapLoss loss) {
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
        new Named("pixel-wise loss", PixelwiseLoss.kd().withTemperature(4)),
        new Named("pair-wise loss", PairwiseLoss.skdCvpr19()),
        new Named("inter-class similarity loss", InterClassSimilarityLoss.paper()),
        new Named("global structural loss", LossCalls::globalStructural));
  }

  private static Tensor globalStructural(Tensor student, Tensor teacher) {
    Sampling four = Sampling.random(4);
    return GlobalStructuralLoss.standard().withSampling(four).forward(student, teacher, 1);
  }
}
