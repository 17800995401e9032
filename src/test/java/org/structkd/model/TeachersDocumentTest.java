package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The export that docs/teachers.md shows, run by the PyTorch of $PYTHON. */
class TeachersDocumentTest {
  private static final String PYTHON = System.getenv().getOrDefault("PYTHON", "python3");

  @TempDir private Path folder;

  @Test
  void theExportGivesATeacher() throws IOException, InterruptedException {
    assumeTrue(run("import torch") == 0, PYTHON + " has no PyTorch; PYTHON names another one");
    Matcher block =
        Pattern.compile("```python\n(.*?)```", Pattern.DOTALL)
            .matcher(Files.readString(Path.of("docs/teachers.md")));
    assertTrue(block.find());
    assertEquals(0, run(block.group(1)), () -> "Python said: " + said());
    try (PointerScope scope = new PointerScope()) {
      Tensor images = torch.zeros(1, 3, 64, 64);
      Map<String, Tensor> taps =
          ScriptedNetwork.load(folder.resolve("teacher.pt"), images, "logits", "features")
              .infer(images);
      assertArrayEquals(new long[] {1, 19, 64, 64}, taps.get("logits").shape());
      assertArrayEquals(new long[] {1, 8, 64, 64}, taps.get("features").shape());
    }
  }

  private int run(String code) throws IOException, InterruptedException {
    try {
      return new ProcessBuilder(PYTHON, "-c", code)
          .directory(folder.toFile())
          .redirectErrorStream(true)
          .redirectOutput(output())
          .start()
          .waitFor();
    } catch (IOException noSuchProgram) {
      return -1;
    }
  }

  private File output() {
    return folder.resolve("output").toFile();
  }

  private String said() {
    try {
      return Files.readString(output().toPath());
    } catch (IOException e) {
      return e.toString();
    }
  }
}
