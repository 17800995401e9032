package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.Split;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.testing.InScope;
import org.structkd.testing.MadeSpeech;

/** The recipes on speech, with folders of tones in its place. */
@InScope(threads = 1)
class SpeechRecipesTest {
  private static final Device CPU = new Device("cpu");

  @TempDir private Path folder;

  @BeforeEach
  void makeRecordings() throws IOException {
    MadeSpeech.write(folder.resolve("voices"), List.of("a", "b", "c", "d"), 25);
  }

  private Experiment of(String recipe, String... sets) throws IOException {
    List<String> all =
        new ArrayList<>(
            List.of(
                "data.directory=" + folder.resolve("voices"),
                "data.batch=6",
                "data.mels=8",
                "data.frames=12",
                "student.width=2",
                "train.steps=1",
                "train.checkpoint_every=0"));
    all.addAll(List.of(sets));
    return Experiment.of(Recipes.load(recipe, all, List.of()), CPU);
  }

  /** As the documentation has it: a teacher is trained, and its file is what students read. */
  @Test
  void aTeacherIsTrainedAndAStudentLearnsFromItsFile() throws IOException {
    Path file = folder.resolve("teacher.safetensors");
    try (Experiment experiment = of("speech-teacher");
        TrainableNetwork teacher = experiment.student(1);
        TensorFile weights = teacher.toFile(Map.of())) {
      Files.write(file, weights.toBytes());
    }
    try (Experiment experiment = of("arkd-audio", "teacher.file=" + file);
        TrainableNetwork student = experiment.student(1)) {
      String before = student.fingerprint();
      experiment.distiller(experiment.objective(), 1).train(student);
      assertNotEquals(before, student.fingerprint());
      assertEquals("accuracy", experiment.evaluation(Split.TEST).of(student, CPU).leading().name());
    }
  }

  @Test
  void aMissingTeacherIsASentenceWithItsFile() {
    IOException e =
        assertThrows(
            IOException.class,
            () -> of("arkd-audio", "teacher.file=" + folder.resolve("none.safetensors")));
    assertTrue(e.getMessage().contains("none.safetensors"), e.getMessage());
  }

  @Test
  void digitsAreATaskOfTheSameRecordings() throws IOException {
    try (Experiment experiment = of("speech-teacher", "data.task=digit")) {
      assertEquals(10, experiment.data().classes().orElseThrow());
    }
  }
}
