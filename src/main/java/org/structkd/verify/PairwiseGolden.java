package org.structkd.verify;

import java.util.Map;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PairwiseLoss.Config;
import org.structkd.loss.Pooling;

/** Cases of the pair-wise loss. */
final class PairwiseGolden implements GoldenOp {
  private static final Map<String, Config> PRESETS =
      Map.of(
          "SKD_MASTER", Config.skdReleased(),
          "SKD_CVPR19", Config.skdCvpr19(),
          "CIRKD", Config.cirkd(),
          "CIRKD_SKD", Config.cirkd());

  private static final Map<String, Boolean> POOLS = Map.of("NONE", false, "MAX", true);

  @Override
  public Prepared prepare(GoldenCase golden) {
    GoldenOptions options = golden.options();
    StudentTeacherCase maps = StudentTeacherCase.of(golden, options);
    Config config = options.requiredChoice("preset", PRESETS);
    if (options.has("scale")) {
      config = config.withPooling(Pooling.maxOfMapFraction(options.number("scale", 0)));
    }
    if (!options.choice("pool", POOLS, true)) {
      config = config.withPooling(Pooling.none());
    }
    options.requireAllRead();
    return Prepared.kernel(maps.computing(new PairwiseLoss(config)::forward));
  }
}
