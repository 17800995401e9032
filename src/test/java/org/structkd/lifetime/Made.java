package org.structkd.lifetime;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.data.Batch;
import org.structkd.data.BatchSource;
import org.structkd.data.CrowdDataset;
import org.structkd.data.FashionScenes;
import org.structkd.data.MadeRatings;
import org.structkd.data.PictureSource;
import org.structkd.data.SceneBatches;
import org.structkd.data.Split;
import org.structkd.data.StereoDataset;
import org.structkd.data.StereoSource;
import org.structkd.data.SuperResolutionDataset;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.Objective;
import org.structkd.objective.StepInputs;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.testing.Tensors;

/** Small objects that several lifetimes are made of. */
final class Made {
  private Made() {}

  static Tensor map(long seed) {
    return Tensors.gaussian(seed, 2, 4, 4, 4).to(ScalarType.Float);
  }

  static Tensor images() {
    return Tensors.gaussian(1, 2, 1, 16, 16).to(ScalarType.Float);
  }

  static SegmentationNet net() {
    return new SegmentationNet(new SegmentationNet.Config(1, 2, FashionScenes.CLASSES), 3);
  }

  static double[] outputs(SegmentationNet net) {
    return Tensors.values(net.infer(images()).get("logits"));
  }

  static Objective objective() {
    return Objective.of(
        new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "map")));
  }

  static StepInputs inputs() {
    return new StepInputs(
        Map.of("map", Tensors.leaf(map(1), ScalarType.Float)), Map.of("map", map(2)), labels(), 0);
  }

  static Tensor labels() {
    return torch.zeros(2, 4, 4).to(ScalarType.Long);
  }

  static SceneBatches two() {
    return SceneBatches.of(FashionScenes.bundled(), 2);
  }

  static Batch prepared(BatchSource source) {
    try {
      return source.prepare(0).tensors();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  static SuperResolutionDataset pictures() throws IOException {
    return SuperResolutionDataset.of(
        PictureSource.GARMENTS, new SuperResolutionDataset.Config(2, 28, true, 1, 1));
  }

  static StereoDataset pairs() throws IOException {
    return StereoDataset.of(StereoSource.MADE, new StereoDataset.Config(2, 0, true, 1, 1));
  }

  static Batch garments() {
    try {
      return pictures().examples(Split.TEST, 0, 1);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Batch stereo() throws IOException {
    return pairs().examples(Split.TEST, 0, 1);
  }

  static CrowdDataset crowds() {
    return CrowdDataset.made(
        new CrowdDataset.Config(2, 1, 0.4, 1, true), new CrowdDataset.Scenes(1, 1, 1), null);
  }

  static Batch crowd() {
    return crowds().examples(Split.TEST, 0, 1);
  }

  static Batch ratings() {
    return new MadeRatings(10, 10, 2).examples(Split.TEST, 0, 1);
  }
}
