package org.structkd.verify;

import java.util.Map;
import org.structkd.loss.PixelwiseLoss;

/** Cases of the pixel-wise loss. */
final class PixelwiseGolden implements GoldenOp {
  private static final Map<String, PixelwiseLoss> PRESETS =
      Map.of(
          "SKD", PixelwiseLoss.skd(),
          "SKD_PAPER", PixelwiseLoss.skdPaper(),
          "KD", PixelwiseLoss.kd(),
          "AICSD", PixelwiseLoss.aicsd());

  @Override
  public Prepared prepare(GoldenCase golden) {
    GoldenOptions options = golden.options();
    StudentTeacherCase logits = StudentTeacherCase.of(golden, options);
    PixelwiseLoss preset = options.requiredChoice("preset", PRESETS);
    PixelwiseLoss loss =
        preset.withTemperature(options.number("temperature", preset.temperature()));
    options.requireAllRead();
    return Prepared.kernel(logits.computing(loss::forward));
  }
}
