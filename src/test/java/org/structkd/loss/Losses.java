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
        new Named("pixel-wise loss", new PixelwiseLoss(PixelwiseLoss.Config.kd(4))),
        new Named("pair-wise loss", new PairwiseLoss(PairwiseLoss.Config.skdCvpr19())),
        new Named(
            "inter-class similarity loss",
            new InterClassSimilarityLoss(InterClassSimilarityLoss.Config.paper())),
        new Named("global structural loss", Losses::globalStructural));
  }

  /** Those that are composed of LibTorch operators, for what autograd itself must keep. */
  static Stream<Named> composed() {
    Stream<Named> comparisons =
        Stream.of(GroupComparison.ROW_DIVERGENCE, GroupComparison.DESCRIPTOR_RELATION)
            .map(
                comparison ->
                    new Named(
                        "global structural loss, " + comparison,
                        (student, teacher) ->
                            new GlobalStructuralLoss(
                                    GlobalStructuralConfig.standard()
                                        .withSampling(SamplingConfig.random(4))
                                        .withGroupWidth(2)
                                        .withComparison(comparison))
                                .forward(student, teacher, 1)));
    Stream<Named> codes =
        Stream.of(
                InterClassSimilarityLoss.Config.aicsdReleased(),
                InterClassSimilarityLoss.Config.aicsdMarch2023(),
                InterClassSimilarityLoss.Config.aicsdWholeMap())
            .map(
                config ->
                    new Named(
                        "inter-class similarity loss, " + config.mode(),
                        new InterClassSimilarityLoss(config)));
    return Stream.concat(comparisons, codes);
  }

  /** Kernels and compositions. */
  static Stream<Named> withCompositions() {
    return Stream.concat(all(), composed());
  }

  private static Tensor globalStructural(Tensor student, Tensor teacher) {
    SamplingConfig four = SamplingConfig.random(4);
    return new GlobalStructuralLoss(GlobalStructuralConfig.standard().withSampling(four))
        .forward(student, teacher, 1);
  }
}
