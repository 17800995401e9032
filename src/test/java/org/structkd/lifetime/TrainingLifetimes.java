package org.structkd.lifetime;

import static org.structkd.lifetime.Lifetime.owner;
import static org.structkd.lifetime.Lifetime.result;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.distributed.ProcessGroup;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.metric.Score;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.optim.RunningOptimizer;
import org.structkd.optim.Sgd;
import org.structkd.optim.WeightAverage;
import org.structkd.recipe.Experiment;
import org.structkd.recipe.Recipe;
import org.structkd.recipe.Recipes;
import org.structkd.recipe.TermSettings;
import org.structkd.testing.Tensors;
import org.structkd.train.BestCheckpoint;
import org.structkd.train.Devices;
import org.structkd.train.Distiller;
import org.structkd.train.Loading;
import org.structkd.train.MetricsCsv;
import org.structkd.train.TensorBoardEvents;
import org.structkd.train.TrainingConfig;
import org.structkd.train.TrainingListener;
import org.structkd.train.TrainingOutcome;

/** Lifetimes of trainings, optimizers and recipes. */
final class TrainingLifetimes {
  private TrainingLifetimes() {}

  static Stream<Lifetime<?>> rows(Path folder) {
    return Stream.of(
        owner(
            MetricsCsv.class,
            () -> MetricsCsv.open(folder.resolve("metrics.csv"), "miou", Made.objective()),
            csv -> {
              TrainingListener listener = csv.listener("one");
              listener.onStart(0, 1);
              listener.onEnd(new TrainingOutcome(0, false, 0, 0, new Loading(0, 0, 0, 0)));
              return new double[] {MetricsCsv.read(folder.resolve("metrics.csv")).size()};
            }),
        owner(
            TensorBoardEvents.class,
            () -> TensorBoardEvents.in(folder.resolve("events")),
            events -> {
              events.onStart(0, 1);
              events.onStep(Made.objective().compute(Made.inputs()), 0.1);
              events.onEnd(new TrainingOutcome(0, false, 0, 0, new Loading(0, 0, 0, 0)));
              try (Stream<Path> files = Files.list(folder.resolve("events"))) {
                return new double[] {files.count()};
              }
            }),
        owner(
            Distiller.class,
            () ->
                new Distiller(TrainingConfig.of(2, 0.01), supervised(), Made.two())
                    .withDevice(new Device("cpu"))
                    .withTeacher(Made.net()),
            distiller -> {
              SegmentationNet student = Made.net();
              distiller.train(student);
              return Made.outputs(student);
            }),
        owner(
            ProcessGroup.class,
            ProcessGroup::alone,
            group -> {
              Tensor tensor = torch.ones(2);
              group.sum(tensor);
              return Tensors.values(tensor);
            }),
        owner(
            Recipes.class,
            () -> Recipes.load("kd"),
            recipe -> new double[] {recipe.train().steps()}),
        owner(
            Recipe.class,
            () -> Recipes.load("kd"),
            recipe -> new double[] {recipe.toYaml().length()}),
        owner(
            Recipe.Stage.class,
            () -> Recipes.load("kd", List.of("stages=[{name: one}]"), List.of()).stages().get(0),
            stage -> new double[] {stage.train().steps()}),
        owner(
            TermSettings.class,
            () -> Recipes.load("kd").losses().get("pixelwise"),
            term -> new double[] {term.weight().weight()}),
        owner(
            Experiment.class,
            () ->
                Experiment.of(
                    Recipes.load("kd", List.of("data.batch=2", "data.validation=1"), List.of()),
                    new Device("cpu")),
            experiment -> {
              try (TrainableNetwork student = experiment.student(1)) {
                return Tensors.values(student.infer(Made.images()).get("logits"));
              }
            }),
        result(Devices.class, () -> Devices.named("cpu"), device -> new double[] {device.index()}),
        owner(
            BestCheckpoint.class,
            () -> new BestCheckpoint(folder.resolve("best"), Made.net()::toFile),
            best -> {
              Score.Number number = new Score.Number("miou", "mIoU", 0.5, "", true);
              best.onEvaluation(1, new Score(List.of(number)), 0);
              return new double[] {Files.size(folder.resolve("best"))};
            }),
        owner(
            RunningOptimizer.class,
            Optimized::new,
            optimized -> {
              optimized.net.module().zero_grad(true);
              optimized.net.forward(Made.images()).get("logits").square().mean().backward();
              optimized.optimizer.step(0);
              return new double[] {optimized.optimizer.parameters().size()};
            }),
        owner(
            WeightAverage.class,
            () -> new WeightAverage(Made.net().module(), 0.5),
            average -> {
              average.update(0);
              TensorFile.Builder file = TensorFile.builder();
              average.save("", file);
              return Tensors.values(file.build("it").tensor("head.weight"));
            }));
  }

  /** An optimizer, and the network that it moves. */
  private static final class Optimized {
    private final SegmentationNet net = Made.net();
    private final RunningOptimizer optimizer =
        new RunningOptimizer(new Sgd(0.1, 0.9), Map.of("", net.module()), Map.of());
  }

  private static Objective supervised() {
    return Objective.of(
        new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "upsampled")));
  }
}
