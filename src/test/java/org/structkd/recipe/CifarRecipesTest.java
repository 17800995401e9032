package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.Batch;
import org.structkd.data.CifarFolder;
import org.structkd.data.CifarTask;
import org.structkd.data.Split;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.testing.InScope;

/** The two recipes of docs/recipes.md on CIFAR, with made files in its place. */
@InScope(threads = 1)
class CifarRecipesTest {
  private static final Device CPU = new Device("cpu");

  @TempDir private Path folder;

  private Experiment of(String name, String... sets) throws IOException {
    String yaml =
        RecipeDocsTest.examples().stream()
            .filter(text -> text.startsWith("name: " + name + "\n"))
            .findFirst()
            .orElseThrow();
    List<String> all =
        new ArrayList<>(
            List.of(
                "data.directory=" + folder.resolve("cifar"),
                "data.batch=3",
                "data.validation=1",
                "student.depth=10",
                "student.widening=1",
                "train.steps=1",
                "train.schedule=null",
                "train.evaluate_every=0",
                "train.checkpoint_every=0"));
    all.addAll(List.of(sets));
    Path file = Files.writeString(folder.resolve(name + ".yaml"), yaml);
    return Experiment.of(Recipes.load(file.toString(), all, List.of()), CPU);
  }

  @Test
  void aTeacherIsTrainedAndAStudentLearnsFromItsFile() throws IOException {
    CifarFolder.write(folder.resolve("cifar"), CifarTask.CIFAR100);
    Path file = folder.resolve("teacher.safetensors");
    try (Experiment experiment = of("cifar-teacher");
        TrainableNetwork teacher = experiment.student(1)) {
      experiment.distiller(experiment.objective(), 1).train(teacher);
      try (TensorFile weights = teacher.toFile(Map.of())) {
        Files.write(file, weights.toBytes());
      }
    }
    try (Experiment experiment = of("cifar-kd", "teacher.file=" + file);
        TrainableNetwork student = experiment.student(2)) {
      String before = student.fingerprint();
      experiment.distiller(experiment.objective(), 1).train(student);
      assertNotEquals(before, student.fingerprint());
      Batch batch = experiment.data().examples(Split.TEST, 0, 2);
      assertArrayEquals(new long[] {2, 100}, student.infer(batch.inputs()).get("logits").shape());
      assertEquals("accuracy", experiment.evaluation(Split.TEST).of(student, CPU).leading().name());
    }
  }

  @Test
  void missingFilesAreASentence() {
    IOException e = assertThrows(IOException.class, () -> of("cifar-teacher"));
    assertEquals(
        folder.resolve("cifar")
            + ": expected a directory with train.bin and test.bin, found nothing of this name",
        e.getMessage());
  }
}
