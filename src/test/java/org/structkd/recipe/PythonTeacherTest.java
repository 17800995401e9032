package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.ImageFolder;
import org.structkd.data.Split;
import org.structkd.model.TrainableNetwork;
import org.structkd.testing.Python;

/** A teacher that Python's PyTorch wrote teaches photographs of one's own, by a recipe. */
class PythonTeacherTest {
  private static final Device CPU = new Device("cpu");

  @TempDir private Path folder;

  @Test
  void aStudentLearnsFromItAloneWhatNobodyLabelled() throws Exception {
    assumeTrue(
        Python.has("f('torch')"),
        Python.INTERPRETER + " has no PyTorch; PYTHON names another interpreter");
    Path teacher = folder.resolve("teacher.pt");
    Python.lines("torchscript_teacher.py", teacher.toString());
    List<String> names = IntStream.range(0, 12).mapToObj(i -> "p" + i).toList();
    Path data = ImageFolder.pairs(folder.resolve("data"), 24, 32, names);
    Path recipe =
        Files.writeString(
            folder.resolve("mine.yaml"),
            """
            data:
              kind: image_files
              directory: %s
              layout: folder
              classes: [dark, bright]
              batch: 4
              augmentation: {crop: {height: 16, width: 24}, smallest: 1, largest: 1}
              evaluated: {height: 24, width: 32}
            teacher: {kind: torchscript, file: %s, taps: {logits: "0", features: "1"}}
            student: {kind: segmentation_net, width: 2}
            losses:
              pixelwise: {loss: pixelwise, preset: kd, on: logits, weight: 5}
              pairwise: {loss: pairwise, preset: cirkd, on: features, weight: 1}
            train:
              steps: 60
              optimizer: {kind: adam, rate: 0.02}
              evaluate_every: 0
              checkpoint_every: 0
            metric: {kind: segmentation, on: upsampled}
            """
                .formatted(data, teacher));
    try (Experiment experiment = Experiment.of(Recipes.load(recipe.toString()), CPU);
        TrainableNetwork student = experiment.student(1)) {
      double before = experiment.evaluation(Split.TEST).of(student, CPU).value("miou");
      experiment.distiller(experiment.objective(), 1).train(student);
      double after = experiment.evaluation(Split.TEST).of(student, CPU).value("miou");
      assertTrue(before < 0.6 && after > 0.8, before + " before, " + after + " after");
    }
  }
}
