package org.structkd.verify;

import java.util.Map;
import org.structkd.loss.InterClassSimilarityLoss;
import org.structkd.loss.InterClassSimilarityLoss.Mode;

/** Cases of the inter-class similarity loss. */
final class InterClassSimilarityGolden implements GoldenOp {
  private static final Map<String, InterClassSimilarityLoss> MODES =
      Map.of(
          "PAPER", InterClassSimilarityLoss.paper(),
          "CODE_HEAD", InterClassSimilarityLoss.aicsdReleased(),
          "CODE_2023_03", InterClassSimilarityLoss.aicsdMarch2023(),
          "CODE_HW_SYM", InterClassSimilarityLoss.aicsdWholeMap());

  @Override
  public Prepared prepare(GoldenCase golden) {
    GoldenOptions options = golden.options();
    StudentTeacherCase logits = StudentTeacherCase.of(golden, options);
    InterClassSimilarityLoss preset = options.requiredChoice("mode", MODES);
    InterClassSimilarityLoss loss =
        preset
            .withTemperature(options.number("temperature", preset.temperature()))
            .withRowNormalize(options.flag("row_normalize", preset.rowNormalize()));
    options.requireAllRead();
    Computation computation = logits.computing(loss::forward);
    return preset.mode() == Mode.PAPER
        ? Prepared.kernel(computation)
        : Prepared.composition(computation);
  }
}
