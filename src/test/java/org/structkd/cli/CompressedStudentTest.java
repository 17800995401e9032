package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.FashionScenes;
import org.structkd.data.Split;
import org.structkd.model.ConvolutionLayer;
import org.structkd.model.SegmentationNet;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;
import org.structkd.testing.Evaluations;
import org.structkd.testing.InScope;
import org.structkd.train.MetricsCsv;

/**
 * A recipe that distils a student, prunes it and quantises it, and what commands make of its file.
 */
@InScope
class CompressedStudentTest {
  private static final String STAGED =
      """
      name: compressed
      summary: from floats to sparse numbers of 8 bits
      data: {kind: fashion_scenes, batch: 2, labelled: 16, validation: 5, test: 5}
      teacher: {kind: bundled}
      student: {kind: segmentation_net, width: 2}
      losses:
        supervised: {loss: cross_entropy, on: upsampled, weight: 1}
        pixelwise: {loss: pixelwise, preset: kd, on: logits, weight: 5}
      train: {steps: 10, optimizer: {kind: adam, rate: 0.01}, evaluate_every: 10}
      metric: {kind: segmentation, on: upsampled}
      stages:
        - {name: distil}
        - name: prune
          train: {pruning: {kind: magnitude, target: 0.5, begin: 0, end: 8}}
        - name: quantize
          train: {pruning: {kind: kept}, quantization: {kind: int8}}
      """;

  @TempDir private Path temp;
  private Path recipe;
  private Path folder;
  private Path file;

  @BeforeEach
  void train() throws IOException {
    recipe = Files.writeString(temp.resolve("compressed.yaml"), STAGED);
    folder = temp.resolve("run");
    Cli run = Cli.run("distill", "--recipe", recipe, "--seeds", 1, "--threads", 1, "--out", folder);
    assertEquals(0, run.status(), run.err());
    file = folder.resolve("distilled-1.safetensors");
  }

  private static double score(SegmentationNet student) {
    return Evaluations.of(FashionScenes.bundled(), Split.VALIDATION, 5, SegmentationNet.UPSAMPLED)
        .of(student, new Device("cpu"))
        .leading()
        .value();
  }

  private double logged() throws IOException {
    return MetricsCsv.read(folder.resolve("metrics.csv")).stream()
        .filter(row -> row.training().equals("distilled-quantize-1"))
        .mapToDouble(MetricsCsv.Row::validation)
        .filter(Double::isFinite)
        .reduce((first, second) -> second)
        .orElseThrow();
  }

  private String evaluated(Object... more) {
    Cli cli = Cli.run("evaluate", "--recipe", recipe, "--split", "validation", more[0], more[1]);
    assertEquals(0, cli.status(), cli.err());
    return cli.out();
  }

  @Test
  void itIsSparseAndScoresAsInItsTraining() throws IOException {
    try (TensorFile weights = TensorFile.open(file);
        SegmentationNet student = SegmentationNet.of(weights);
        SegmentationNet floats = new SegmentationNet(student.config(), 1)) {
      for (ConvolutionLayer layer : student.convolutions()) {
        Tensor codes = layer.quantized().weight();
        long zeros = codes.eq(new Scalar(0)).sum().item_long();
        assertTrue(zeros >= Math.round(0.5 * codes.numel()), layer.name());
      }
      double score = score(student);
      assertEquals(logged(), score, 1e-6);
      StateDict.restore(floats.module(), weights);
      String shown = "%.4f".formatted(score);
      assertFalse("%.4f".formatted(score(floats)).equals(shown), "rounding is seen in the score");
      assertTrue(evaluated("--weights", file).contains(" " + shown), shown);
      String teacher = evaluated("--set", "teacher={kind: file, file: " + file + "}");
      assertTrue(teacher.contains(" " + shown), teacher);
    }
  }
}
