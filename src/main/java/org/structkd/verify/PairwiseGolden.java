package org.structkd.verify;

import java.util.Map;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.Pooling;

/** Cases of the pair-wise loss. */
final class PairwiseGolden implements GoldenOp {
  private static final Map<String, PairwiseLoss> PRESETS =
      Map.of(
          "SKD_MASTER", PairwiseLoss.skdReleased(),
          "SKD_CVPR19", PairwiseLoss.skdCvpr19(),
          "CIRKD", PairwiseLoss.cirkd(),
          "CIRKD_SKD", PairwiseLoss.cirkd());

  private static final Map<String, Boolean> POOLS = Map.of("NONE", false, "MAX", true);

  @Override
  public Prepared prepare(GoldenCase golden) {
    GoldenOptions options = golden.options();
    StudentTeacherCase maps = StudentTeacherCase.of(golden, options);
    PairwiseLoss loss = options.requiredChoice("preset", PRESETS);
    if (options.has("scale")) {
      loss = loss.withPooling(Pooling.maxOfMapFraction(options.number("scale", 0)));
    }
    if (!options.choice("pool", POOLS, true)) {
      loss = loss.withPooling(Pooling.none());
    }
    options.requireAllRead();
    return Prepared.kernel(maps.computing(loss::forward));
  }
}
