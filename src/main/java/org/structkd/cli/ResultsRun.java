package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.data.SceneConfig;
import org.structkd.data.Split;
import org.structkd.metric.DatasetEvaluation;
import org.structkd.metric.Score;
import org.structkd.model.BundledTeacher;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.Objective;
import org.structkd.train.AtomicFile;
import org.structkd.train.DistillationMethod;
import org.structkd.train.MetricsCsv;
import org.structkd.train.Resume;
import org.structkd.train.StopSignal;
import org.structkd.train.TrainingConfig;
import org.structkd.train.TrainingListener;

/** The work of the command results: search, comparison, step times, document. */
final class ResultsRun {
  /** A method of one loss, and the weights to choose from: a factor of 4 apart. */
  private static final Map<DistillationMethod, List<Double>> SEARCH = new LinkedHashMap<>();

  static {
    SEARCH.put(DistillationMethod.KD, List.of(0.3125, 1.25, 5.0, 20.0));
    SEARCH.put(DistillationMethod.PAIRWISE, List.of(0.0390625, 0.15625, 0.625, 2.5, 10.0));
    SEARCH.put(
        DistillationMethod.INTER_CLASS_SIMILARITY,
        List.of(3.90625e-5, 1.5625e-4, 0.000625, 0.0025, 0.01));
    SEARCH.put(DistillationMethod.GLOBAL_STRUCTURAL, List.of(0.0625, 0.25, 1.0, 4.0, 16.0));
  }

  /** Seeds of the search: none of the comparison. */
  private static final List<Long> SEARCH_SEEDS = List.of(101L, 102L);

  /** Name of the student that learns from labels alone. */
  static final String ALONE = "alone";

  private final Results.Settings settings;
  private final PrintWriter out;
  private final StopSignal stop;
  private final Device device;
  private final FashionScenes scenes = FashionScenes.bundled();
  private final SegmentationNet teacher = BundledTeacher.load();
  private final int trainingsInAll;
  private @Nullable TrainingRun trainings;
  private int done;

  ResultsRun(Results.Settings settings, PrintWriter out, StopSignal stop, Device device) {
    this.settings = settings;
    this.out = out;
    this.stop = stop;
    this.device = device;
    int candidates = SEARCH.values().stream().mapToInt(List::size).sum();
    trainingsInAll =
        (1 + candidates) * SEARCH_SEEDS.size()
            + (1 + DistillationMethod.values().length) * settings.seeds();
  }

  void run(RunFolder folder, Path document) throws IOException {
    List<Objective> objectives = new ArrayList<>();
    objectives.add(DistillationMethod.supervised());
    for (DistillationMethod method : DistillationMethod.values()) {
      objectives.add(method.objective(Map.of(), settings.steps()));
    }
    MetricsCsv metrics =
        MetricsCsv.open(
            folder.resolve(TrainingRun.METRICS), "miou", objectives.toArray(new Objective[0]));
    trainings = new TrainingRun(folder, metrics, stop, device, Resume.SAME);
    DatasetEvaluation test = evaluation(Split.TEST);
    double teacherMiou = test.of(teacher, device).value("miou");
    out.printf("teacher: test mIoU %.4f%n", teacherMiou);
    DatasetEvaluation validation = evaluation(Split.VALIDATION);
    Summary aloneOnValidation =
        scores("search-" + ALONE, DistillationMethod.supervised(), SEARCH_SEEDS, validation);
    Map<DistillationMethod, Map<Double, Summary>> search = search(validation);
    Map<String, Double> weights = new TreeMap<>();
    search.forEach((method, scores) -> weights.put(onlyTerm(method), best(scores)));
    Map<String, Summary> comparison = compare(weights, test);
    List<StepCost> costs = StepCost.measure(scenes, teacher, settings, weights);
    String text =
        new ResultsDocument(
                settings, teacherMiou, aloneOnValidation, search, weights, comparison, costs)
            .markdown();
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    AtomicFile.write(document, file -> file.write(bytes));
    out.printf("%s written%n", document);
    out.flush();
  }

  /** Scores on validation scenes by method and weight. */
  private Map<DistillationMethod, Map<Double, Summary>> search(DatasetEvaluation validation)
      throws IOException {
    Map<DistillationMethod, Map<Double, Summary>> search = new LinkedHashMap<>();
    for (Map.Entry<DistillationMethod, List<Double>> entry : SEARCH.entrySet()) {
      String term = onlyTerm(entry.getKey());
      Map<Double, Summary> scores = new LinkedHashMap<>();
      for (double weight : entry.getValue()) {
        Objective objective = entry.getKey().objective(Map.of(term, weight), settings.steps());
        String name = "search-%s-%s".formatted(term, weight);
        scores.put(weight, scores(name, objective, SEARCH_SEEDS, validation));
      }
      search.put(entry.getKey(), scores);
    }
    return search;
  }

  /** Trains with each seed. */
  private Summary scores(
      String name, Objective objective, List<Long> seeds, DatasetEvaluation evaluation)
      throws IOException {
    double[] mious = new double[seeds.size()];
    for (int i = 0; i < mious.length; i++) {
      mious[i] = train(name + "-" + seeds.get(i), objective, seeds.get(i), evaluation);
    }
    return new Summary(mious);
  }

  private static double best(Map<Double, Summary> scores) {
    return scores.entrySet().stream()
        .max(Map.Entry.comparingByValue((a, b) -> Double.compare(a.mean(), b.mean())))
        .orElseThrow()
        .getKey();
  }

  private static String onlyTerm(DistillationMethod method) {
    return method.weights().keySet().iterator().next();
  }

  /** The weights of a method's terms, among those of all terms. */
  static Map<String, Double> weightsOf(DistillationMethod method, Map<String, Double> all) {
    Map<String, Double> own = new LinkedHashMap<>();
    method.weights().keySet().forEach(term -> own.put(term, all.get(term)));
    return own;
  }

  /** Scores on test scenes by method, seed after seed so that all grow together. */
  private Map<String, Summary> compare(Map<String, Double> weights, DatasetEvaluation test)
      throws IOException {
    Map<String, Objective> objectives = new LinkedHashMap<>();
    objectives.put(ALONE, DistillationMethod.supervised());
    for (DistillationMethod method : DistillationMethod.values()) {
      objectives.put(
          method.toString(), method.objective(weightsOf(method, weights), settings.steps()));
    }
    Map<String, double[]> mious = new LinkedHashMap<>();
    objectives.keySet().forEach(name -> mious.put(name, new double[settings.seeds()]));
    for (int seed = 1; seed <= settings.seeds(); seed++) {
      for (Map.Entry<String, Objective> entry : objectives.entrySet()) {
        String name = "%s-%d".formatted(entry.getKey(), seed);
        mious.get(entry.getKey())[seed - 1] = train(name, entry.getValue(), seed, test);
      }
    }
    Map<String, Summary> comparison = new LinkedHashMap<>();
    mious.forEach((name, values) -> comparison.put(name, new Summary(values)));
    return comparison;
  }

  private DatasetEvaluation evaluation(Split split) {
    return TrainingRun.evaluation(scenes, split, scenes.sourceImages(split));
  }

  private double train(String name, Objective objective, long seed, DatasetEvaluation evaluation)
      throws IOException {
    SegmentationNet net = newStudent(settings, seed);
    TrainingRun.Task task =
        new TrainingRun.Task(
            name,
            objective,
            objective.taps().teacher().isEmpty() ? null : teacher,
            SceneBatches.of(
                scenes.withConfig(SceneConfig.defaults().withSeed(seed)), settings.batch()),
            TrainingConfig.of(settings.steps(), settings.learningRate())
                .withEvaluateEvery(0)
                .withCheckpointEvery(TrainingRun.CHECKPOINT_EVERY),
            new TrainingListener() {});
    trainings.train(task, net, "seed " + seed + ", " + settings);
    Score score = evaluation.of(net, device);
    done++;
    out.printf(
        "%3d/%d  %-32s %s mIoU %.4f%n",
        done, trainingsInAll, name, evaluation.split(), score.value("miou"));
    out.flush();
    if (stop.isRequested()) {
      throw new TrainingRun.Stopped(); // between two trainings
    }
    return score.value("miou");
  }

  static SegmentationNet newStudent(Results.Settings settings, long seed) {
    return new SegmentationNet(
        new SegmentationNet.Config(1, settings.studentWidth(), FashionScenes.CLASSES), seed);
  }
}
