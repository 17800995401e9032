package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.testing.Tensors;

/** The Python of docs/teachers.md writes files that its Java loads. */
class TeachersPageTest {
  private static final Path PAGE = Path.of("docs/teachers.md");

  /** Importing PyTorch takes seconds, on a busy machine many. */
  private static final long PATIENCE_SECONDS = 300;

  @TempDir private Path folder;

  @Test
  void whatPythonExportsJavaLoads() throws IOException, InterruptedException {
    String python = System.getenv("PYTHON");
    assumeTrue(python != null, "PYTHON names no interpreter that has PyTorch");
    assumeTrue(run(python, "import torch") == 0, "PYTHON=" + python + " has no PyTorch");
    assertEquals(0, run(python, code("python")), "the Python of " + PAGE + " failed");
    try (PointerScope scope = new PointerScope()) {
      Tensor images = Tensors.gaussian(1, 3, 1, 32, 32).to(ScalarType.Float);
      ScriptedNetwork teacher = ScriptedNetwork.load(folder.resolve("teacher.pt"), images);
      assertEquals(Set.of("logits", "features"), teacher.taps());
      Map<String, Tensor> outputs = teacher.infer(images);
      ScriptedNetwork pair =
          ScriptedNetwork.load(folder.resolve("pair.pt"), images, "logits", "features");
      // Freezing folds the batch norm into the convolution, which rounds elsewhere.
      for (Map.Entry<String, Tensor> output : pair.infer(images).entrySet()) {
        assertTrue(output.getValue().allclose(outputs.get(output.getKey()), 1e-4, 1e-5, false));
      }
    }
  }

  @Test
  void itsJavaIsWhatThisTestAndNameMapTestCall() throws IOException {
    assertEquals(
        """
        ScriptedNetwork teacher = ScriptedNetwork.load(Path.of("teacher.pt"), images);
        Map<String, Tensor> outputs = teacher.infer(images);
        ScriptedNetwork pair = ScriptedNetwork.load(Path.of("pair.pt"), images, "logits", "features");
        NameMap names = NameMap.SAME.with("module.classifier.", "head.").with("module.", "");
        try (TensorFile file = TensorFile.open(Path.of("weights.safetensors"))) {
          StateDict.Loaded loaded = StateDict.load(network.module(), file, names);
        }
        """,
        code("java"));
  }

  private int run(String python, String code) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(python, "-W", "ignore", "-c", code)
            .directory(folder.toFile())
            .inheritIO()
            .start();
    if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly();
    }
    return process.waitFor();
  }

  private static String code(String language) throws IOException {
    return Pattern.compile("^```" + language + "\\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL)
        .matcher(Files.readString(PAGE))
        .results()
        .map((MatchResult block) -> block.group(1))
        .collect(Collectors.joining());
  }
}
