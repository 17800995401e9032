package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.SmallTrainings.atStep;
import static org.structkd.testing.SmallTrainings.net;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.DataFileException;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.data.SceneConfig;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.Loss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TensorFile;
import org.structkd.objective.Objective;
import org.structkd.objective.StepLoss;
import org.structkd.objective.Term;
import org.structkd.objective.WeightSchedule;
import org.structkd.objective.WeightedTerm;
import org.structkd.optim.Schedule;
import org.structkd.testing.InScope;
import org.structkd.testing.SmallLosses;

/** What a checkpoint knows of its training, and what happens to one of another. */
@InScope
class ResumeTest {
  private static final int STEPS = 8;
  private static final FashionScenes SCENES = FashionScenes.bundled();

  @TempDir private Path folder;
  private Path checkpoint;

  @BeforeEach
  void open() throws IOException {
    torch.set_num_threads(1);
    checkpoint = folder.resolve("student.checkpoint");
    new Setting().distiller().train(net(2, 1));
  }

  /** A training whose parts can be replaced one by one. */
  private final class Setting {
    private long steps = STEPS;
    private double rate = 0.01;
    private WeightSchedule weight = WeightSchedule.constant(5);
    private double temperature = 1;
    private long teacherSeed = 7;
    private int batch = 3;
    private long dataSeed = 1;
    private String description = "mine";
    private Precision precision = Precision.F32;
    private Resume resume = Resume.SAME;
    private List<WeightedTerm> more = List.of();

    Distiller distiller() {
      List<WeightedTerm> terms = new ArrayList<>();
      terms.add(new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "upsampled")));
      terms.add(
          new WeightedTerm(
              "pixelwise",
              weight,
              Term.of(PixelwiseLoss.kd().withTemperature(temperature), "logits")));
      terms.addAll(more);
      Objective objective = new Objective(terms);
      FashionScenes scenes = SCENES.withConfig(SceneConfig.defaults().withSeed(dataSeed));
      return new Distiller(
              TrainingConfig.of(steps, rate).withPrecision(precision),
              objective,
              SceneBatches.of(scenes, batch))
          .withTeacher(net(3, teacherSeed))
          .withDescription(description)
          .withResume(resume)
          .withCheckpoint(checkpoint);
    }
  }

  private void refused(Setting setting, String now, String before) {
    SegmentationNet student = net(2, 5);
    byte[] untouched = student.toFile(Map.of()).toBytes();
    DataFileException error =
        assertThrows(DataFileException.class, () -> setting.distiller().train(student));
    assertTrue(error.expected().contains(now), error.getMessage());
    assertTrue(error.found().contains(before), error.getMessage());
    assertTrue(error.getMessage().contains("--resume-changed"), error.getMessage());
    assertArrayEquals(untouched, student.toFile(Map.of()).toBytes());
  }

  @Test
  void theSameTrainingIsDone() throws IOException {
    assertTrue(new Setting().distiller().train(net(2, 5)).complete());
  }

  @Test
  void aSweepOverWeightsIsRefused() {
    for (double weight : new double[] {1, 10, 100}) {
      Setting setting = new Setting();
      setting.weight = WeightSchedule.constant(weight);
      refused(setting, "weight of pixelwise " + weight, "weight of pixelwise 5.0");
    }
  }

  @Test
  void aScheduleIsComparedByItsValues() {
    Setting setting = new Setting();
    setting.weight = step -> step == STEPS - 1 ? 6 : 5;
    refused(setting, "weight of pixelwise 5.0 5.0 5.0 5.0 6.0", "weight of pixelwise 5.0");
  }

  @Test
  void aLossWithOtherSettingsIsRefused() {
    Setting setting = new Setting();
    setting.temperature = 2;
    refused(setting, "temperature=2.0", "temperature=1.0");
  }

  @Test
  void anotherTeacherIsRefused() {
    Setting setting = new Setting();
    setting.teacherSeed = 8;
    refused(setting, "teacher ", "teacher ");
  }

  @Test
  void anotherBatchSizeIsRefused() {
    Setting setting = new Setting();
    setting.batch = 4;
    refused(setting, "images Float [4, 1, 48, 48]", "images Float [3, 1, 48, 48]");
  }

  @Test
  void otherDataAreRefused() {
    Setting setting = new Setting();
    setting.dataSeed = 2;
    refused(setting, "data images mean ", "data images mean ");
  }

  @Test
  void anotherLearningRateIsRefused() {
    Setting setting = new Setting();
    setting.rate = 0.02;
    refused(setting, "rate=0.02", "rate=0.01");
  }

  @Test
  void severalChangesAreNamedTogether() {
    Setting setting = new Setting();
    setting.description = "yours";
    setting.weight = WeightSchedule.constant(1);
    refused(
        setting,
        "weight of pixelwise 1.0; description yours",
        "weight of pixelwise 5.0; description mine");
  }

  @Test
  void anotherLengthIsRefusedUnlessAskedFor() throws IOException {
    Setting longer = new Setting();
    longer.steps = STEPS + 4;
    refused(longer, "steps 12", "steps 8");
    longer.resume = Resume.LONGER;
    List<Long> steps = new ArrayList<>();
    List<Double> rates = new ArrayList<>();
    TrainingOutcome outcome =
        longer
            .distiller()
            .withListener(
                new TrainingListener() {
                  @Override
                  public void onStep(StepLoss loss, double learningRate) {
                    steps.add(loss.step());
                    rates.add(learningRate);
                  }
                })
            .train(net(2, 5));
    assertTrue(outcome.complete());
    assertEquals(List.of(8L, 9L, 10L, 11L), steps);
    assertEquals(0.01 * Schedule.poly().at(8, 12), rates.get(0));
    Setting shorter = new Setting();
    shorter.resume = Resume.LONGER;
    refused(shorter, "steps 8", "steps 12");
    shorter.resume = Resume.CHANGED;
    DataFileException error =
        assertThrows(DataFileException.class, () -> shorter.distiller().train(net(2, 5)));
    assertTrue(error.getMessage().contains("expected at most 8 steps"), error.getMessage());
    assertTrue(error.getMessage().contains("found 12 steps done"), error.getMessage());
  }

  @Test
  void longerAllowsNothingElse() {
    Setting setting = new Setting();
    setting.steps = STEPS + 4;
    setting.resume = Resume.LONGER;
    setting.weight = WeightSchedule.constant(1);
    refused(setting, "weight of pixelwise 1.0", "weight of pixelwise 5.0");
  }

  @Test
  void aChangedTrainingGoesOnWhenAskedTo() throws IOException {
    Setting setting = new Setting();
    setting.steps = STEPS + 4;
    setting.weight = WeightSchedule.constant(1);
    setting.batch = 4;
    setting.resume = Resume.CHANGED;
    TrainingOutcome outcome = setting.distiller().train(net(2, 5));
    assertEquals(STEPS + 4, outcome.stepsDone());
    setting.resume = Resume.SAME; // it is what the checkpoint knows now
    assertTrue(setting.distiller().train(net(2, 5)).complete());
  }

  @Test
  void anotherPrecisionIsAnotherTraining() throws IOException {
    Setting setting = new Setting();
    setting.precision = Precision.BF16;
    refused(setting, "precision BF16", "precision F32");
    setting.resume = Resume.CHANGED;
    assertTrue(setting.distiller().train(net(2, 5)).complete());
  }

  /** Both kinds of part: one learns with the student, one against it. */
  @Test
  void aLossWithATrainedPartCanBeAdded() throws IOException {
    Setting setting = new Setting();
    setting.steps = STEPS + 4;
    setting.more =
        List.of(
            new WeightedTerm("lifted", 1, Term.of(new SmallLosses.Connector(), "features")),
            new WeightedTerm(
                "judged", 1, Term.of(new SmallLosses.Adversarial(Long.MAX_VALUE), "logits")));
    refused(setting, "loss of lifted", "no loss of lifted");
    byte[] before = Files.readAllBytes(checkpoint);
    setting.resume = Resume.CHANGED;
    assertEquals(STEPS + 4, setting.distiller().train(net(2, 5)).stepsDone());
    byte[] first = Files.readAllBytes(checkpoint);
    try (TensorFile file = TensorFile.open(checkpoint)) {
      for (String term : List.of("part.lifted.", "part.judged.", "optimizer.part.judged.")) {
        assertTrue(file.names().stream().anyMatch(name -> name.startsWith(term)), term);
      }
    }
    Files.write(checkpoint, before);
    setting.distiller().train(net(2, 6));
    try (TensorFile file = TensorFile.open(checkpoint);
        TensorFile same = TensorFile.open(Files.write(folder.resolve("first"), first))) {
      for (String name : file.names()) {
        assertTrue(torch.equal(file.tensor(name), same.tensor(name)), name);
      }
    }
    setting.resume = Resume.SAME; // it is what the checkpoint knows now
    assertTrue(setting.distiller().train(net(2, 5)).complete());
  }

  @Test
  void aLambdaIsTheSameInAnotherProcess() {
    // Only this process knows the address that it prints; the rest is where it was written.
    Loss term = inputs -> inputs.student("logits").mean();
    TrainingIdentity identity =
        new TrainingIdentity(
            TrainingConfig.of(1, 1),
            Objective.of(new WeightedTerm("mean", 1, term)),
            new Teachers(),
            "");
    String loss = identity.properties().get("training loss of mean");
    assertTrue(loss.contains("ResumeTest"), loss);
    assertFalse(loss.contains("@"), loss);
  }

  @Test
  void aRateThatHasDecayedToNothingEndsNoTrainingThatContinues() throws IOException {
    Path file = folder.resolve("decayed");
    StopSignal stop = new StopSignal();
    TrainingListener stopping = atStep(STEPS - 2, () -> stop.request());
    SegmentationNet rest = net(2, 1);
    decayed(file).withListener(stopping).withStop(stop).train(net(2, 1));
    assertTrue(decayed(file).train(rest).complete());
    SegmentationNet whole = net(2, 1);
    decayed(folder.resolve("whole")).train(whole);
    assertArrayEquals(whole.toFile(Map.of()).toBytes(), rest.toFile(Map.of()).toBytes());
  }

  /** The rate of its last step moves no weight. */
  private static Distiller decayed(Path file) {
    return new Distiller(
            TrainingConfig.of(STEPS, 0.01).withSchedule(new Schedule.Poly(40, 0)),
            Objective.of(
                new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "upsampled"))),
            SceneBatches.of(SCENES, 2))
        .withCheckpoint(file);
  }
}
