package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import org.bytedeco.pytorch.Device;
import org.structkd.data.FashionScenes;
import org.structkd.data.Split;
import org.structkd.metric.Score;
import org.structkd.model.SegmentationNet;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Scores a trained network. */
@Command(
    name = "evaluate",
    description = {
      "Score a trained network on labelled scenes: intersection over union of each class, their"
          + " mean, pixel accuracy.",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    sortOptions = false,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:the score was printed",
      "1:native code failed",
      "2:the command line, or a file that it names, makes no sense"
    })
final class Evaluate implements Callable<Integer> {
  static final int MAX_SCENES = 1_000_000;

  @Spec private CommandSpec spec;

  @Mixin private WeightsOption weights;

  @Option(
      names = "--split",
      paramLabel = "SPLIT",
      defaultValue = "test",
      description =
          "Whose garments: ${COMPLETION-CANDIDATES}. Choose settings by validation, report test."
              + " Default: ${DEFAULT-VALUE}.")
  private Split split;

  @Option(
      names = "--scenes",
      paramLabel = "N",
      defaultValue = "1000",
      description = "How many scenes. Default: ${DEFAULT-VALUE}.")
  private int count;

  @Mixin private DataOptions data;
  @Mixin private MachineOptions machine;

  @Override
  public Integer call() throws IOException {
    Ranges.require("--scenes", count, 1, MAX_SCENES);
    Device device = machine.prepare();
    FashionScenes scenes = DataOptions.load(data.path());
    SegmentationNet net = weights.load();
    net.to(device);
    Score score = TrainingRun.evaluation(scenes, split, count).of(net, device);
    PrintWriter out = spec.commandLine().getOut();
    for (int label = 0; label < FashionScenes.CLASSES; label++) {
      out.printf(
          "%-14s IoU %.4f%n", FashionScenes.CLASS_NAMES.get(label), score.value("iou_" + label));
    }
    out.printf(
        "%nmIoU %.4f, pixel accuracy %.4f: %s, %,d parameters, %d %s scenes%n",
        score.value("miou"),
        score.value("pixel_accuracy"),
        weights.describe(),
        net.parameterCount(),
        count,
        split);
    out.flush();
    return 0;
  }
}
