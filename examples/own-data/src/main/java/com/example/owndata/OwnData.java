package com.example.owndata;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import javax.imageio.ImageIO;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.*;
import org.structkd.loss.*;
import org.structkd.metric.*;
import org.structkd.model.*;
import org.structkd.objective.*;
import org.structkd.train.*;

/** The training of landscapes.yaml, without the recipe. */
public final class OwnData {
  public static void main(String[] arguments) throws IOException {
    long steps = arguments.length > 0 ? Long.parseLong(arguments[0]) : 300;
    Path out = Path.of("target");
    List<String> names = List.of("sky", "hills", "meadow", "water", "trees");
    Map<String, Integer> labels =
        Map.of("0", LabelTable.NONE, "1", 0, "2", 1, "3", 2, "4", 3, "5", 4);
    ImageFiles.Config config =
        new ImageFiles.Config(
            new LabelTable(names, labels, false),
            new Augmentation(new Augmentation.Size(64, 64), 0.75, 1.5, true, 0.2, 0.2, 0),
            new Augmentation.Size(96, 128));
    ImageFiles photographs = ImageFiles.of(out.resolve("photos"), ImageLayout.FOLDER, config);
    Objective objective =
        Objective.of(
            new WeightedTerm("supervised", 1, Term.of(CrossEntropyLoss.standard(), "upsampled")),
            new WeightedTerm("pixelwise", 1, Term.of(PixelwiseLoss.kd(), "logits")),
            new WeightedTerm("pairwise", 0.15625, Term.of(PairwiseLoss.skdCvpr19(), "features")));
    SegmentationMetric metric =
        new SegmentationMetric("upsampled", names, OptionalLong.of(LabelTable.IGNORED));
    try (PointerScope temporaries = new PointerScope();
        SegmentationNet student = new SegmentationNet(new SegmentationNet.Config(3, 4, 5), 1)) {
      Tensor sample = photographs.examples(Split.VALIDATION, 0, 1).input(Batch.IMAGES);
      ScriptedNetwork teacher = ScriptedNetwork.load(Path.of("teacher.pt"), sample);
      new Distiller(TrainingConfig.of(steps, 0.01), objective, photographs.training(8))
          .withTeacher(teacher)
          .train(student);
      Score score =
          new DatasetEvaluation(photographs, Split.TEST, metric).of(student, new Device("cpu"));
      System.out.printf("after %d steps: mIoU %.4f%n", steps, score.value("miou"));
      AtomicFile.write(out.resolve("student.safetensors"), student.toFile(Map.of())::write);

      Batch photograph = photographs.examples(Split.TEST, 0, 1);
      BufferedImage mask = metric.picture(student.infer(photograph.inputs()), photograph);
      ImageIO.write(mask, "png", out.resolve("mask.png").toFile());
    }
  }
}
