package org.structkd.verify;

import java.util.Map;
import org.structkd.loss.InterClassSimilarityLoss;
import org.structkd.loss.InterClassSimilarityLoss.Config;
import org.structkd.loss.InterClassSimilarityLoss.Mode;

/** Cases of the inter-class similarity loss. */
final class InterClassSimilarityGolden implements GoldenOp {
  private static final Map<String, Config> MODES =
      Map.of(
          "PAPER", Config.paper(),
          "CODE_HEAD", Config.aicsdReleased(),
          "CODE_2023_03", Config.aicsdMarch2023(),
          "CODE_HW_SYM", Config.aicsdWholeMap());

  @Override
  public Prepared prepare(GoldenCase golden) {
    GoldenOptions options = golden.options();
    StudentTeacherCase logits = StudentTeacherCase.of(golden, options);
    Config mode = options.requiredChoice("mode", MODES);
    Config config =
        mode.withTemperature(options.number("temperature", mode.temperature()))
            .withRowNormalize(options.flag("row_normalize", mode.rowNormalize()));
    options.requireAllRead();
    Computation computation = logits.computing(new InterClassSimilarityLoss(config)::forward);
    return mode.mode() == Mode.PAPER
        ? Prepared.kernel(computation)
        : Prepared.composition(computation);
  }
}
