package org.structkd.lifetime;

import static org.structkd.lifetime.Lifetime.owner;
import static org.structkd.lifetime.Lifetime.result;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.data.Augmentation;
import org.structkd.data.Batch;
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
import org.structkd.data.PrivilegedScenes;
import org.structkd.data.RatedItems;
import org.structkd.data.RatingSource;
import org.structkd.data.SceneBatches;
import org.structkd.data.SceneTensors;
import org.structkd.data.SpeechDataset;
import org.structkd.data.SpeechTask;
import org.structkd.data.Split;
import org.structkd.data.StereoDataset;
import org.structkd.data.SuperResolutionDataset;
import org.structkd.metric.ClassificationMetric;
import org.structkd.metric.DatasetEvaluation;
import org.structkd.metric.DepthMetric;
import org.structkd.metric.Metric;
import org.structkd.metric.Pixels;
import org.structkd.metric.RatingMetric;
import org.structkd.metric.RecommendationMetric;
import org.structkd.metric.SegmentationMetric;
import org.structkd.metric.SegmentationScore;
import org.structkd.metric.SuperResolutionMetric;
import org.structkd.metric.TrajectoryMetric;
import org.structkd.testing.Evaluations;
import org.structkd.testing.MadeSpeech;
import org.structkd.testing.Tensors;

/** Lifetimes of data, batches and metrics. */
final class DataLifetimes {
  private DataLifetimes() {}

  static Stream<Lifetime<?>> rows(Path folder) {
    return Stream.of(
        owner(
            DatasetEvaluation.class,
            () -> Evaluations.of(FashionScenes.bundled(), Split.TEST, 4, "upsampled"),
            evaluation ->
                new double[] {evaluation.of(Made.net(), new Device("cpu")).leading().value()}),
        owner(
            SceneBatches.class,
            Made::two,
            source -> Tensors.values(Made.prepared(source).input("images"))),
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
            MadeRatings.class,
            () -> new MadeRatings(10, 10, 2),
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).target("ratings"))),
        owner(
            RatedItems.class,
            DataLifetimes::ratedItems,
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
            () -> imageFiles(folder),
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
            SpeechDataset.class,
            () -> speech(folder),
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).input("images"))),
        owner(
            ClassificationMetric.class,
            () -> new ClassificationMetric("logits", List.of("a", "b")),
            metric -> {
              Metric.Count count = metric.count();
              Tensor scores = torch.ones(2, 2);
              count.add(
                  Map.of("logits", scores),
                  Batch.of(Made.images(), Tensor.create(new long[] {0, 1})));
              return new double[] {count.score().leading().value()};
            }),
        owner(
            RatingMetric.class,
            () -> new RatingMetric("rating"),
            metric -> {
              Metric.Count count = metric.count();
              count.add(Map.of("rating", torch.ones(1)), Made.ratings());
              return new double[] {count.score().leading().value()};
            }),
        owner(
            SuperResolutionDataset.class,
            Made::pictures,
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).input("images"))),
        owner(
            SuperResolutionMetric.class,
            () -> new SuperResolutionMetric("image", 2),
            metric -> {
              Metric.Count count = metric.count();
              count.add(Map.of("image", torch.ones(1, 1, 28, 28)), Made.garments());
              return new double[] {count.score().leading().value()};
            }),
        owner(
            StereoDataset.class,
            Made::pairs,
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).input("sources.0"))),
        owner(
            DepthMetric.class,
            () -> new DepthMetric("depth", DepthMetric.Scaling.MEDIAN, 80),
            metric -> {
              Metric.Count count = metric.count();
              count.add(Map.of("depth", torch.ones(1, 1, 64, 96)), Made.stereo());
              return new double[] {count.score().leading().value()};
            }),
        owner(
            CrowdDataset.class,
            Made::crowds,
            data -> Tensors.values(data.examples(Split.TEST, 0, 1).input("observed"))),
        owner(
            TrajectoryMetric.class,
            () -> new TrajectoryMetric("positions"),
            metric -> {
              Metric.Count count = metric.count();
              count.add(Map.of("positions", torch.ones(1, 1, 2)), Made.crowd());
              return new double[] {count.score().leading().value()};
            }),
        result(
            Pixels.class, () -> Pixels.levels(Made.garments().input("images")), levels -> levels),
        owner(
            SegmentationMetric.class,
            () -> new SegmentationMetric("map", List.of("a", "b", "c", "d")),
            metric -> {
              Metric.Count count = metric.count();
              Tensor labels = torch.zeros(2, 4, 4).to(ScalarType.Long);
              count.add(Map.of("map", Made.map(1)), Batch.of(Made.map(2), labels));
              return new double[] {count.score().leading().value()};
            }),
        result(
            Batch.class,
            () -> Made.prepared(Made.two()),
            batch -> Tensors.values(batch.input("images"))),
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

  private static ImageFiles imageFiles(Path folder) throws IOException {
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

  private static RatedItems ratedItems() {
    try {
      return RatedItems.of(RatingSource.MADE, new RatedItems.Config(1, 1));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static SpeechDataset speech(Path folder) throws IOException {
    Path voices = folder.resolve("voices");
    MadeSpeech.write(voices, List.of("a", "b", "c"), 0);
    return SpeechDataset.fromDirectory(voices, new SpeechDataset.Config(SpeechTask.DIGIT, 8, 8));
  }
}
