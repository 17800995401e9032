package org.structkd.verify;

import java.util.Map;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.loss.PixelwiseLoss.Config;

/** Cases of the pixel-wise loss. */
final class PixelwiseGolden implements GoldenOp {
  private static final Map<String, Config> PRESETS =
      Map.of(
          "SKD", Config.skd(),
          "SKD_PAPER", Config.skdPaper(),
          "KD", Config.kd(1),
          "AICSD", Config.aicsd());

  @Override
  public Prepared prepare(GoldenCase golden) {
    GoldenOptions options = golden.options();
    StudentTeacherCase logits = StudentTeacherCase.of(golden, options);
    Config preset = options.requiredChoice("preset", PRESETS);
    Config config = preset.withTemperature(options.number("temperature", preset.temperature()));
    options.requireAllRead();
    return Prepared.kernel(logits.computing(new PixelwiseLoss(config)::forward));
  }
}
