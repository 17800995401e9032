package com.example.distill;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneConfig;
import org.structkd.metric.SegmentationScore;
import org.structkd.objective.Objective;

/**
 * Trains a teacher, then a smaller student twice from the same initial weights and on the same
 * scenes: alone, and distilled. Prints what each is worth on the test scenes.
 */
public final class Distill {
  private final Options options;
  private final FashionScenes testScenes = FashionScenes.bundled();
  private final FashionScenes trainingScenes;

  private Distill(Options options) {
    this.options = options;
    this.trainingScenes = testScenes.withConfig(SceneConfig.defaults().withSeed(options.seed()));
  }

  /** Ends with status 2 and a sentence if the arguments make no sense. */
  public static void main(String[] arguments) {
    Locale.setDefault(Locale.ROOT); // numbers look the same everywhere
    if (List.of(arguments).contains("--help") || List.of(arguments).contains("-h")) {
      System.out.print(Options.help());
      return;
    }
    try {
      new Distill(Options.parse(arguments)).run();
    } catch (Options.Mistake mistake) {
      System.err.println("distill: " + mistake.getMessage());
      System.exit(2);
    }
  }

  private void run() {
    long start = System.nanoTime();
    torch.set_num_threads(options.threads());
    System.out.printf(
        "%d test scenes of %dx%d pixels, %d classes; seed %d, %d threads%n%n",
        Evaluation.SCENES,
        FashionScenes.SIZE,
        FashionScenes.SIZE,
        FashionScenes.CLASSES,
        options.seed(),
        options.threads());

    SegmentationNet teacher = net(options.teacherWidth(), options.seed());
    Objective supervised = Training.supervised();
    SegmentationScore teacherScore =
        train("teacher", teacher, images -> Map.of(), supervised, options.teacherSteps());

    long studentSeed = options.seed() + 1;
    SegmentationNet alone = net(options.studentWidth(), studentSeed);
    SegmentationScore aloneScore =
        train("student alone", alone, images -> Map.of(), supervised, options.steps());

    SegmentationNet distilled = net(options.studentWidth(), studentSeed);
    SegmentationScore distilledScore =
        train(
            "student distilled", distilled, teacher::infer, Training.distilled(), options.steps());

    System.out.printf("%-18s %10s %8s %15s%n", "", "parameters", "mIoU", "pixel accuracy");
    printRow("teacher", teacher, teacherScore);
    printRow("student alone", alone, aloneScore);
    printRow("student distilled", distilled, distilledScore);
    System.out.printf("%nin %d s%n", (System.nanoTime() - start) / 1_000_000_000);
  }

  /** Equal seeds and widths give equal weights. */
  private static SegmentationNet net(int width, long seed) {
    torch.manual_seed(seed);
    return new SegmentationNet(width, FashionScenes.CLASSES);
  }

  private SegmentationScore train(
      String title,
      SegmentationNet net,
      Function<Tensor, Map<String, Tensor>> teacher,
      Objective objective,
      int steps) {
    System.out.println(title);
    Training.run(net, teacher, objective, trainingScenes, steps, new Progress(steps));
    SegmentationScore score = Evaluation.test(net, testScenes);
    System.out.printf("  mIoU %.4f%n%n", score.meanIou());
    return score;
  }

  private static void printRow(String title, SegmentationNet net, SegmentationScore score) {
    System.out.printf(
        "%-18s %,10d %8.4f %15.4f%n",
        title, net.parameterCount(), score.meanIou(), score.pixelAccuracy());
  }
}
