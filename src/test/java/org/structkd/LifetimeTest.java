package org.structkd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.compress.Latency;
import org.structkd.compress.NetworkSize;
import org.structkd.compress.Pruning;
import org.structkd.compress.PruningMasks;
import org.structkd.compress.Quantization;
import org.structkd.compress.QuantizedFile;
import org.structkd.compress.QuantizedLayers;
import org.structkd.compress.Shrinking;
import org.structkd.data.Augmentation;
import org.structkd.data.Batch;
import org.structkd.data.BatchSource;
import org.structkd.data.Cifar;
import org.structkd.data.CifarFolder;
import org.structkd.data.CrowdDataset;
import org.structkd.data.FashionScenes;
import org.structkd.data.FashionScenesDataset;
import org.structkd.data.Garments;
import org.structkd.data.ImageFiles;
import org.structkd.data.ImageFolder;
import org.structkd.data.ImageLayout;
import org.structkd.data.LabelTable;
import org.structkd.data.Landsat;
import org.structkd.data.MadeRatings;
import org.structkd.data.PictureInput;
import org.structkd.data.PictureSource;
import org.structkd.data.PrivilegedScenes;
import org.structkd.data.RatedItems;
import org.structkd.data.RatingSource;
import org.structkd.data.SceneBatches;
import org.structkd.data.SceneTensors;
import org.structkd.data.SpeechDataset;
import org.structkd.data.SpeechTask;
import org.structkd.data.Split;
import org.structkd.data.StereoDataset;
import org.structkd.data.StereoSource;
import org.structkd.data.SuperResolutionDataset;
import org.structkd.distributed.ProcessGroup;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.Discriminator;
import org.structkd.loss.Game;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.GlobalStructuralSamples;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.LossValue;
import org.structkd.loss.Losses;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.Projector;
import org.structkd.loss.Sampling;
import org.structkd.metric.ClassificationMetric;
import org.structkd.metric.DatasetEvaluation;
import org.structkd.metric.DepthMetric;
import org.structkd.metric.Metric;
import org.structkd.metric.Pixels;
import org.structkd.metric.RatingMetric;
import org.structkd.metric.RecommendationMetric;
import org.structkd.metric.Score;
import org.structkd.metric.SegmentationMetric;
import org.structkd.metric.SegmentationScore;
import org.structkd.metric.SuperResolutionMetric;
import org.structkd.metric.TrajectoryMetric;
import org.structkd.model.BackboneNet;
import org.structkd.model.BundledTeacher;
import org.structkd.model.ConvolutionLayer;
import org.structkd.model.DeformableConvolution;
import org.structkd.model.DenseNet;
import org.structkd.model.DepthNet;
import org.structkd.model.MatrixFactorization;
import org.structkd.model.NetworkFile;
import org.structkd.model.NetworkTrace;
import org.structkd.model.Recomputation;
import org.structkd.model.ResNet;
import org.structkd.model.ScoreAveraging;
import org.structkd.model.ScriptedNetwork;
import org.structkd.model.SegmentationNet;
import org.structkd.model.SlidingWindow;
import org.structkd.model.StateDict;
import org.structkd.model.SuperResolutionNet;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.model.TrajectoryNet;
import org.structkd.model.WideResNet;
import org.structkd.objective.GradientCheck;
import org.structkd.objective.Objective;
import org.structkd.objective.SilentTerms;
import org.structkd.objective.StepInputs;
import org.structkd.objective.StepLoss;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.optim.RunningOptimizer;
import org.structkd.optim.Sgd;
import org.structkd.optim.WeightAverage;
import org.structkd.recipe.Experiment;
import org.structkd.recipe.Recipe;
import org.structkd.recipe.Recipes;
import org.structkd.recipe.TermSettings;
import org.structkd.testing.Collector;
import org.structkd.testing.Evaluations;
import org.structkd.testing.LossUnderTest;
import org.structkd.testing.MadeSpeech;
import org.structkd.testing.PublicTypes;
import org.structkd.testing.ScriptFile;
import org.structkd.testing.Tensors;
import org.structkd.train.BestCheckpoint;
import org.structkd.train.Devices;
import org.structkd.train.Distiller;
import org.structkd.train.EarlyStop;
import org.structkd.train.Loading;
import org.structkd.train.MetricsCsv;
import org.structkd.train.StopSignal;
import org.structkd.train.TensorBoardEvents;
import org.structkd.train.TrainingConfig;
import org.structkd.train.TrainingListener;
import org.structkd.train.TrainingOutcome;

/**
 * What every public type that has to do with LibTorch promises: an object owns what it needs,
 * whatever PointerScope it was made in and whatever Java collects, and no call changes LibTorch's
 * generator, number of threads or grad mode.
 */
class LifetimeTest {
  @TempDir private static Path folder;

  /** Makes an object. */
  private interface Making<T> {
    T make() throws IOException;
  }

  /** Uses an object; the numbers are the same each time. */
  private interface Use<T> {
    double[] of(T object) throws IOException;
  }

  /**
   * One public type.
   *
   * @param result whether it only carries tensors out of a call: those belong to the caller's scope
   */
  private record Row<T>(Class<?> type, boolean result, Making<T> making, Use<T> use) {
    T make() {
      try {
        return making.make();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    double[] use(Object object) {
      try (PointerScope temporaries = new PointerScope()) {
        @SuppressWarnings("unchecked") // what make() gave
        T own = (T) object;
        return use.of(own);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public String toString() {
      return type.getSimpleName();
    }
  }

  private static <T> Row<T> owner(Class<?> type, Making<T> making, Use<T> use) {
    return new Row<>(type, false, making, use);
  }

  private static <T> Row<T> result(Class<?> type, Making<T> making, Use<T> use) {
    return new Row<>(type, true, making, use);
  }

  private static SpeechDataset speech() throws IOException {
    Path voices = folder.resolve("voices");
    MadeSpeech.write(voices, List.of("a", "b", "c"), 0);
    return SpeechDataset.fromDirectory(voices, new SpeechDataset.Config(SpeechTask.DIGIT, 8, 8));
  }

  /** A row for each; {@link #everyPublicTypeHasARow} tells which one is missing. */
  static Stream<Row<?>> rows() {
    Stream<Row<?>> losses =
        Losses.all().stream()
            .map(entry -> owner(entry.type(), () -> first(entry), loss -> gradient(entry, loss)));
    return Stream.concat(losses, rowsBesideLosses());
  }

  private static Stream<Row<?>> rowsBesideLosses() {
    return Stream.of(
        result(
            GlobalStructuralSamples.class,
            () -> globalStructural().sample(map(1), null, null, 1),
            samples -> Tensors.values(samples.indices())),
        owner(
            Projector.class,
            () -> new Projector(4, 3, 5),
            projector -> {
              projector.module().train(true);
              return Tensors.values(projector.forward(map(1)));
            }),
        owner(
            Discriminator.class,
            () -> new Discriminator(4, 3, 5),
            net -> new double[] {net.module().parameters().size()}),
        owner(
            Game.class,
            () -> Game.HINGE,
            game -> Tensors.values(game.lossOf(torch.ones(2), torch.zeros(2)))),
        result(
            Discriminator.Judgement.class,
            () -> new Discriminator(1, 3, 5).judge(torch.ones(2, 1, 32, 32), true),
            judgement -> Tensors.values(judgement.attentions().get(0))),
        owner(SegmentationNet.class, LifetimeTest::net, LifetimeTest::outputs),
        owner(BundledTeacher.class, BundledTeacher::load, LifetimeTest::outputs),
        owner(
            ScriptedNetwork.class,
            LifetimeTest::scripted,
            network -> Tensors.values(network.infer(images()).get("logits"))),
        owner(
            StateDict.class,
            () -> net().toFile(Map.of()),
            file -> {
              try (SegmentationNet other = new SegmentationNet(net().config(), 2)) {
                StateDict.restore(other.module(), file);
                return outputs(other);
              }
            }),
        owner(TensorFile.class, () -> net().toFile(Map.of()), LifetimeTest::outputsOfFile),
        result(
            NetworkTrace.class,
            () -> NetworkTrace.of(net(), Map.of("images", images()), ""),
            bytes -> Tensors.values(bytes)),
        owner(
            TensorFile.Builder.class,
            () -> TensorFile.builder().tensor("x", map(1)),
            builder -> new double[] {builder.build("it").toBytes().length}),
        owner(
            Term.class,
            () -> Term.of(PairwiseLoss.cirkd(), "map"),
            term -> Tensors.values(term.loss().forward(term.inputs(inputs(), null)))),
        owner(
            WeightedTerm.class,
            () -> new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "map")),
            term -> Tensors.values(term.term().loss().forward(term.inputs(inputs())))),
        owner(
            Objective.class,
            LifetimeTest::objective,
            objective -> Tensors.values(objective.compute(inputs()).total())),
        owner(
            Losses.class, Losses::all, entries -> gradient(entries.get(0), first(entries.get(0)))),
        owner(
            Losses.Entry.class,
            () -> Losses.of("pairwise"),
            entry -> gradient(entry, first(entry))),
        result(
            LossInputs.class,
            LifetimeTest::lossInputs,
            inputs -> Tensors.values(inputs.student("features"))),
        result(
            LossValue.class,
            () -> globalStructural().measure(lossInputs()),
            measured -> Tensors.values(measured.loss())),
        owner(
            SilentTerms.class,
            SilentTerms::new,
            terms -> new double[] {terms.after(objective().compute(inputs())).size()}),
        owner(
            GradientCheck.class,
            Checked::new,
            checked -> {
              checked.student.module().zero_grad(true);
              checked.student.forward(images()).get("logits").square().mean().backward();
              checked.gradients.require(0, LifetimeTest::inputs);
              return Tensors.values(checked.student.module().parameters().get(0).grad());
            }),
        owner(
            MetricsCsv.class,
            () -> MetricsCsv.open(folder.resolve("metrics.csv"), "miou", objective()),
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
              events.onStep(objective().compute(inputs()), 0.1);
              events.onEnd(new TrainingOutcome(0, false, 0, 0, new Loading(0, 0, 0, 0)));
              try (Stream<Path> files = Files.list(folder.resolve("events"))) {
                return new double[] {files.count()};
              }
            }),
        result(
            StepInputs.class,
            LifetimeTest::inputs,
            inputs -> Tensors.values(inputs.student().get("map"))),
        result(
            StepLoss.class,
            () -> objective().compute(inputs()),
            loss -> Tensors.values(loss.total())),
        owner(
            Distiller.class,
            () ->
                new Distiller(TrainingConfig.of(2, 0.01), supervised(), two())
                    .withDevice(new Device("cpu"))
                    .withTeacher(net()),
            distiller -> {
              SegmentationNet student = net();
              distiller.train(student);
              return outputs(student);
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
            DatasetEvaluation.class,
            () -> Evaluations.of(FashionScenes.bundled(), Split.TEST, 4, "upsampled"),
            evaluation -> new double[] {evaluation.of(net(), new Device("cpu")).leading().value()}),
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
                return Tensors.values(student.infer(images()).get("logits"));
              }
            }),
        result(Devices.class, () -> Devices.named("cpu"), device -> new double[] {device.index()}),
        owner(
            SceneBatches.class,
            LifetimeTest::two,
            source -> Tensors.values(prepared(source).input("images"))),
        owner(
            FashionScenesDataset.class,
            () -> new FashionScenesDataset(FashionScenes.bundled(), SceneBatches.ALL, 2, 2),
            data -> Tensors.values(data.examples(Split.TEST, 0, 2).input("images"))),
        owner(
            PrivilegedScenes.class,
            () -> new PrivilegedScenes(FashionScenes.bundled(), SceneBatches.ALL, 2, 2),
            data -> Tensors.values(data.examples(Split.TEST, 0, 2).input("clean"))),
        owner(
            Landsat.class,
            () -> Landsat.bundled(Landsat.Config.defaults()),
            data -> Tensors.values(data.examples(Split.TEST, 0, 2).input("bands"))),
        owner(
            MatrixFactorization.class,
            () -> new MatrixFactorization(new MatrixFactorization.Config(10, 10, 2), 1),
            net -> Tensors.values(net.infer(ratings().inputs()).get("rating"))),
        owner(
            MadeRatings.class,
            () -> new MadeRatings(10, 10, 2),
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).target("ratings"))),
        owner(
            RatedItems.class,
            LifetimeTest::ratedItems,
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).input("items"))),
        owner(
            RecommendationMetric.class,
            () -> new RecommendationMetric("rating", "scores", 10, 1),
            metric -> {
              Metric.Count count = metric.count();
              Batch batch = ratedItems().examples(Split.TEST, 0, 1);
              count.add(
                  Map.of(
                      "rating",
                      torch.ones_like(batch.target("ratings")),
                      "scores",
                      torch.ones_like(batch.target("rated"))),
                  batch);
              return new double[] {count.score().leading().value()};
            }),
        owner(
            Garments.class,
            () -> Garments.bundled(Garments.Config.defaults()),
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).input("images"))),
        owner(
            Cifar.class,
            () -> CifarFolder.cifar(folder.resolve("cifar")),
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).input("images"))),
        owner(
            ImageFiles.class,
            LifetimeTest::imageFiles,
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).input("images"))),
        owner(
            PictureInput.class,
            () -> PictureInput.intensities(3, List.of("a")),
            pictures ->
                Tensors.values(
                    pictures.read(
                        ImageFolder.photograph(
                            folder.resolve("photograph.png"), 2, 2, (row, column) -> 0x102030)))),
        owner(
            ScoreAveraging.class,
            () -> new ScoreAveraging(new SlidingWindow(8, 8), List.of(0.5, 1.0), true),
            averaging ->
                Tensors.values(averaging.of(net(), "upsampled").infer(images()).get("upsampled"))),
        owner(
            ResNet.class,
            () -> new ResNet(new ResNet.Config(1, 8, 2, 10), 1),
            net -> Tensors.values(net.infer(images()).get("logits"))),
        owner(
            Recomputation.class,
            () -> new Recomputation(new ResNet(new ResNet.Config(1, 8, 2, 10), 1)),
            stages -> {
              Tensor logits = stages.forward(Map.of("images", images())).get("logits");
              logits.sum().backward();
              stages.backward();
              return Tensors.values(logits);
            }),
        owner(
            BackboneNet.class,
            () -> new BackboneNet(backbone(), 1),
            net -> Tensors.values(net.infer(torch.ones(1, 1, 16, 16)).get("upsampled"))),
        owner(
            WideResNet.class,
            () -> new WideResNet(new WideResNet.Config(1, 10, 1, 10), 1),
            net -> Tensors.values(net.infer(images()).get("logits"))),
        owner(
            SpeechDataset.class,
            LifetimeTest::speech,
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).input("images"))),
        owner(
            DenseNet.class,
            () -> new DenseNet(new DenseNet.Config(1, 4, 13, 2, 0.5, 10), 1),
            net -> Tensors.values(net.infer(images()).get("logits"))),
        owner(
            ClassificationMetric.class,
            () -> new ClassificationMetric("logits", List.of("a", "b")),
            metric -> {
              Metric.Count count = metric.count();
              Tensor scores = torch.ones(2, 2);
              count.add(
                  Map.of("logits", scores), Batch.of(images(), Tensor.create(new long[] {0, 1})));
              return new double[] {count.score().leading().value()};
            }),
        owner(
            RatingMetric.class,
            () -> new RatingMetric("rating"),
            metric -> {
              Metric.Count count = metric.count();
              count.add(Map.of("rating", torch.ones(1)), ratings());
              return new double[] {count.score().leading().value()};
            }),
        owner(
            SuperResolutionNet.class,
            () -> new SuperResolutionNet(new SuperResolutionNet.Config(1, 2, 1, 2), 1),
            net -> Tensors.values(net.infer(garments().inputs()).get("image"))),
        owner(
            SuperResolutionDataset.class,
            LifetimeTest::pictures,
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).input("images"))),
        owner(
            SuperResolutionMetric.class,
            () -> new SuperResolutionMetric("image", 2),
            metric -> {
              Metric.Count count = metric.count();
              count.add(Map.of("image", torch.ones(1, 1, 28, 28)), garments());
              return new double[] {count.score().leading().value()};
            }),
        owner(
            DepthNet.class,
            () -> new DepthNet(new DepthNet.Config(1, 2, 1, 20), 1),
            net -> Tensors.values(net.infer(stereo().inputs()).get("depth"))),
        owner(
            StereoDataset.class,
            LifetimeTest::pairs,
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).input("sources.0"))),
        owner(
            DepthMetric.class,
            () -> new DepthMetric("depth", DepthMetric.Scaling.MEDIAN, 80),
            metric -> {
              Metric.Count count = metric.count();
              count.add(Map.of("depth", torch.ones(1, 1, 64, 96)), stereo());
              return new double[] {count.score().leading().value()};
            }),
        owner(
            TrajectoryNet.class,
            () -> new TrajectoryNet(new TrajectoryNet.Config(2, 1, 1, 2), 1),
            net -> Tensors.values(net.infer(crowd().inputs()).get("positions"))),
        owner(
            CrowdDataset.class,
            LifetimeTest::crowds,
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).input("observed"))),
        owner(
            TrajectoryMetric.class,
            () -> new TrajectoryMetric("positions"),
            metric -> {
              Metric.Count count = metric.count();
              count.add(Map.of("positions", torch.ones(1, 1, 2)), crowd());
              return new double[] {count.score().leading().value()};
            }),
        result(Pixels.class, () -> Pixels.levels(garments().input("images")), levels -> levels),
        owner(
            SegmentationMetric.class,
            () -> new SegmentationMetric("map", List.of("a", "b", "c", "d")),
            metric -> {
              Metric.Count count = metric.count();
              Tensor labels = torch.zeros(2, 4, 4).to(ScalarType.Long);
              count.add(Map.of("map", map(1)), Batch.of(map(2), labels));
              return new double[] {count.score().leading().value()};
            }),
        owner(
            BestCheckpoint.class,
            () -> new BestCheckpoint(folder.resolve("best"), net()::toFile),
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
              optimized.net.forward(images()).get("logits").square().mean().backward();
              optimized.optimizer.step(0);
              return new double[] {optimized.optimizer.parameters().size()};
            }),
        owner(
            PruningMasks.class,
            () -> new PruningMasks(new Pruning.Magnitude(0.5, 0, 1), net()),
            masks -> {
              masks.after(1);
              return new double[] {masks.sparsity()};
            }),
        owner(
            QuantizedLayers.class,
            () -> new QuantizedLayers(new Quantization.Int8(), net()),
            layers -> {
              layers.addRanges();
              layers.before(0);
              return Tensors.values(layers.layers().get(0).roundedWeight());
            }),
        owner(
            QuantizedFile.class,
            LifetimeTest::quantized,
            net -> Tensors.values(QuantizedFile.of(net, Map.of()).tensor("head.weight"))),
        owner(
            DeformableConvolution.class,
            () ->
                new DeformableConvolution(
                    new ModuleDictImpl(), "a", new DeformableConvolution.Config(1, 2, 3, 1, 1), 1),
            layer -> Tensors.values(layer.forward(images()))),
        owner(
            ConvolutionLayer.class,
            () -> quantized().convolutions().get(0),
            layer -> Tensors.values(layer.roundedWeight())),
        result(
            ConvolutionLayer.Quantized.class,
            () -> quantized().convolutions().get(0).quantized(),
            stored -> Tensors.values(stored.weight())),
        owner(
            Shrinking.class,
            () -> Shrinking.shrunk(net()),
            small -> Tensors.values(small.infer(images()).get("logits"))),
        owner(
            NetworkSize.class,
            () -> NetworkSize.of(net().module()),
            size -> new double[] {size.parameters(), size.sparseBytes()}),
        owner(
            Latency.class,
            () -> Latency.of(net(), Map.of("images", images()), 1),
            latency -> new double[] {latency.runs(), latency.threads()}),
        owner(
            NetworkFile.class,
            () -> NetworkFile.network(net().toFile(Map.of())),
            network -> Tensors.values(network.infer(images()).get("logits"))),
        owner(
            EarlyStop.class,
            () -> new EarlyStop(2, new StopSignal()),
            rule -> {
              rule.onResume(1, 1);
              return new double[] {rule.hasStopped() ? 1 : 0};
            }),
        owner(
            WeightAverage.class,
            () -> new WeightAverage(net().module(), 0.5),
            average -> {
              average.update(0);
              TensorFile.Builder file = TensorFile.builder();
              average.save("", file);
              return Tensors.values(file.build("it").tensor("head.weight"));
            }),
        result(Batch.class, () -> prepared(two()), batch -> Tensors.values(batch.input("images"))),
        result(
            SceneTensors.class,
            () -> SceneTensors.of(FashionScenes.bundled().batch(Split.TRAIN, 0, 2)),
            tensors -> Tensors.values(tensors.images())),
        owner(
            SegmentationScore.class,
            () -> new SegmentationScore(3),
            score -> {
              score.add(
                  torch.zeros(2, 2).to(ScalarType.Long), torch.zeros(2, 2).to(ScalarType.Long));
              return new double[] {score.pixelAccuracy()};
            }));
  }

  /** An optimizer, and the network that it moves. */
  private static final class Optimized {
    private final SegmentationNet net = net();
    private final RunningOptimizer optimizer =
        new RunningOptimizer(new Sgd(0.1, 0.9), Map.of("", net.module()), Map.of());
  }

  /** A check, and the network that it looks at. */
  private static final class Checked {
    private final SegmentationNet student = net();
    private final GradientCheck gradients = new GradientCheck(objective(), student.module());
  }

  private static BackboneNet.Config backbone() {
    return new BackboneNet.Config(
        1, BackboneNet.Backbone.MOBILENET_V2, BackboneNet.Head.LRASPP, 0.125, 16, 4, 2);
  }

  private static SuperResolutionDataset pictures() throws IOException {
    return SuperResolutionDataset.of(
        PictureSource.GARMENTS, new SuperResolutionDataset.Config(2, 28, true, 1, 1));
  }

  private static ImageFiles imageFiles() throws IOException {
    Path data = ImageFolder.pairs(folder.resolve("data"), 8, 8, List.of("a", "b", "c"));
    Augmentation.Size size = new Augmentation.Size(8, 8);
    return ImageFiles.of(
        data,
        ImageLayout.FOLDER,
        new ImageFiles.Config(
            LabelTable.of(List.of("dark", "bright")),
            new Augmentation(size),
            size,
            List.of(0.0, 0.0, 0.0),
            List.of(1.0, 1.0, 1.0),
            0,
            0,
            false));
  }

  private static StereoDataset pairs() throws IOException {
    return StereoDataset.of(StereoSource.MADE, new StereoDataset.Config(2, 0, true, 1, 1));
  }

  private static Batch stereo() throws IOException {
    return pairs().examples(Split.TEST, 0, 1);
  }

  private static Batch garments() {
    try {
      return pictures().examples(Split.TEST, 0, 1);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static RatedItems ratedItems() {
    try {
      return RatedItems.of(RatingSource.MADE, new RatedItems.Config(1, 1));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static CrowdDataset crowds() {
    return CrowdDataset.made(
        new CrowdDataset.Config(2, 1, 0.4, 1, true), new CrowdDataset.Scenes(1, 1, 1), null);
  }

  private static Batch crowd() {
    return crowds().examples(Split.TEST, 0, 1);
  }

  private static Batch ratings() {
    return new MadeRatings(10, 10, 2).examples(Split.TEST, 0, 1);
  }

  static Stream<Row<?>> owners() {
    return rows().filter(row -> !row.result());
  }

  @Test
  void everyPublicTypeHasARow() throws Exception {
    Set<String> covered = new HashSet<>();
    rows().forEach(row -> covered.add(row.type().getName()));
    Set<String> missing = new TreeSet<>(PublicTypes.thatReachLibTorch());
    assertTrue(missing.containsAll(covered), () -> "rows of no public type: " + covered);
    missing.removeAll(covered);
    assertEquals(Set.of(), missing, "give each a row in LifetimeTest.rows()");
  }

  @ParameterizedTest
  @MethodSource("owners")
  void surviveTheScopeTheyWereMadeIn(Row<?> row) {
    Object object;
    try (PointerScope ending = new PointerScope()) {
      object = row.make();
    }
    assertTrue(row.use(object).length > 0);
  }

  @ParameterizedTest
  @MethodSource("rows")
  void surviveTheCollector(Row<?> row) {
    Object object = row.make();
    double[] before = row.use(object);
    Collector.run();
    assertArrayEquals(before, row.use(object));
  }

  @ParameterizedTest
  @MethodSource("rows")
  void workInsideAScopeOfCertainClasses(Row<?> row) {
    try (PointerScope caller = new PointerScope();
        PointerScope certain = scopeOfCertainClasses()) {
      assertTrue(row.use(row.make()).length > 0);
    }
  }

  @ParameterizedTest
  @MethodSource("rows")
  void leaveLibTorchAsItWas(Row<?> row) {
    for (boolean gradients : new boolean[] {true, false}) {
      torch.manual_seed(77);
      torch.randn(3); // the generator stands between two seeds and keeps half a pair of normals
      GradMode.set_enabled(gradients);
      try (PointerScope scope = new PointerScope()) {
        List<Object> before = stateOfLibTorch();
        Object object = row.make();
        assertEquals(before, stateOfLibTorch(), "after it was made");
        if (gradients) {
          row.use(object);
          assertEquals(before, stateOfLibTorch(), "after it was used");
        }
      } finally {
        GradMode.set_enabled(true);
      }
    }
  }

  @Test
  void tensorsGoToTheInnermostScopeThatTakesThem() {
    try (PointerScope outer = new PointerScope()) {
      Tensor loss;
      try (PointerScope inner = new PointerScope();
          PointerScope certain = scopeOfCertainClasses()) {
        loss = PairwiseLoss.cirkd().forward(map(1), map(2));
        certain.close();
        assertTrue(!loss.isNull());
      }
      assertTrue(loss.isNull());
    }
  }

  @Test
  void aLayerStaysAliveInTheModuleThatHasIt() {
    Module owner = new ModuleDictImpl();
    try (Projector projector = new Projector(4, 3, 5)) {
      owner.register_module("projector", projector.module());
    }
    Collector.run();
    try (PointerScope scope = new PointerScope()) {
      assertEquals(4, owner.parameters().size());
      assertEquals("projector.norm.weight", owner.named_parameters().get(1).key().getString());
      assertEquals(3, owner.parameters().get(1).sum().item_double());
    }
    owner.close();
  }

  @Test
  void whatIsClosedSaysSo() throws IOException {
    try (PointerScope scope = new PointerScope()) {
      SegmentationNet net = net();
      net.close();
      net.close();
      Projector projector = new Projector(4, 3, 5);
      projector.close();
      ScriptedNetwork scripted = scripted();
      scripted.close();
      Tensor images = images();
      Tensor map = map(1);
      assertClosed(() -> net.infer(images));
      assertClosed(() -> net.forward(images));
      assertClosed(net::module);
      assertClosed(() -> projector.forward(map));
      assertClosed(() -> scripted.infer(images));
    }
  }

  private static void assertClosed(Runnable use) {
    IllegalStateException error = assertThrows(IllegalStateException.class, use::run);
    assertTrue(error.getMessage().contains("has been closed"), error.getMessage());
  }

  private static List<Object> stateOfLibTorch() {
    try (PointerScope scope = new PointerScope()) {
      Tensor generator = torch.getDefaultCPUGenerator().get_state();
      return List.of(
          Arrays.hashCode(Tensors.values(generator)),
          torch.get_num_threads(),
          GradMode.is_enabled());
    }
  }

  @SuppressWarnings("unchecked") // a generic varargs array
  private static PointerScope scopeOfCertainClasses() {
    return new PointerScope(TensorOptions.class, LongPointer.class);
  }

  /** A loss in the first of its presets. */
  private static Loss first(Losses.Entry entry) {
    return entry.create(entry.presets().iterator().next());
  }

  private static double[] gradient(Losses.Entry entry, Loss loss) {
    LossUnderTest called = LossUnderTest.of(entry, loss);
    return Tensors.values(called.outcome(called.inputs()).gradients().firstEntry().getValue());
  }

  private static Tensor map(long seed) {
    return Tensors.gaussian(seed, 2, 4, 4, 4).to(ScalarType.Float);
  }

  private static Tensor images() {
    return Tensors.gaussian(1, 2, 1, 16, 16).to(ScalarType.Float);
  }

  private static SegmentationNet net() {
    return new SegmentationNet(new SegmentationNet.Config(1, 2, FashionScenes.CLASSES), 3);
  }

  private static ScriptedNetwork scripted() throws IOException {
    Path file = ScriptFile.write(folder.resolve("identity.pt"), "Tensor", "images");
    return ScriptedNetwork.load(file, images());
  }

  private static SegmentationNet quantized() {
    SegmentationNet net = net();
    try (PointerScope temporaries = new PointerScope();
        QuantizedLayers layers = new QuantizedLayers(new Quantization.Int8(), net)) {
      layers.addRanges();
      layers.before(0);
      net.forward(images());
    }
    return net;
  }

  private static double[] outputs(SegmentationNet net) {
    return Tensors.values(net.infer(images()).get("logits"));
  }

  private static double[] outputsOfFile(TensorFile file) throws IOException {
    try (SegmentationNet net = SegmentationNet.of(file)) {
      return outputs(net);
    }
  }

  private static GlobalStructuralLoss globalStructural() {
    return GlobalStructuralLoss.standard().withSampling(Sampling.random(4));
  }

  private static Objective objective() {
    return Objective.of(
        new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "map")));
  }

  private static Objective supervised() {
    return Objective.of(
        new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "upsampled")));
  }

  private static StepInputs inputs() {
    return new StepInputs(
        Map.of("map", Tensors.leaf(map(1), ScalarType.Float)), Map.of("map", map(2)), labels(), 0);
  }

  private static LossInputs lossInputs() {
    return Term.of(globalStructural(), "map").inputs(inputs(), null);
  }

  private static Tensor labels() {
    return torch.zeros(2, 4, 4).to(ScalarType.Long);
  }

  private static SceneBatches two() {
    return SceneBatches.of(FashionScenes.bundled(), 2);
  }

  private static Batch prepared(BatchSource source) {
    try {
      return source.prepare(0).tensors();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }
}
