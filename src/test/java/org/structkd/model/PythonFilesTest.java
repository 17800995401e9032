package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.testing.InScope;
import org.structkd.testing.Python;

/**
 * Files that go to Python's safetensors package and come from it. The interpreter is that of the
 * variable PYTHON, else python3.
 */
@InScope
class PythonFilesTest {
  @TempDir private Path folder;

  @BeforeAll
  static void requirePackages() throws InterruptedException {
    assumeTrue(
        Python.has("f('safetensors') and (f('torch') or f('numpy'))"),
        Python.INTERPRETER
            + " has no safetensors with numpy or PyTorch; PYTHON names another interpreter");
  }

  /** The lines that the script prints. */
  private static List<String> python(String command, Path file) throws Exception {
    return Python.lines("safetensors_files.py", command, file.toString());
  }

  /** 0, 1, 2 and so on as [3, 4]. */
  private static Tensor counting(ElementType type) {
    long[] numbers = new long[12];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = i;
    }
    return torch.tensor(numbers).reshape(3, 4).to(type.scalar);
  }

  private Path written(TensorFile file) throws IOException {
    Path path = folder.resolve("from-java.safetensors");
    try (OutputStream out = Files.newOutputStream(path)) {
      file.write(out);
    }
    return path;
  }

  @Test
  void pythonReadsEachTypeAsItWasWritten() throws Exception {
    List<String> types = python("write", folder.resolve("types")); // those that Python has here
    TensorFile.Builder file = TensorFile.builder().property("note", "from \"Java\"");
    for (String type : types.get(0).split(" ")) {
      file.tensor(type, counting(ElementType.valueOf(type)));
    }
    assertEquals(types, python("check", written(file.build("it"))));
    assertTrue(types.get(0).contains("F64 F32 F16"), types.get(0));
  }

  @Test
  void whatPythonWritesIsRead() throws Exception {
    Path path = folder.resolve("from-python.safetensors");
    String[] types = python("write", path).get(0).split(" ");
    try (TensorFile file = TensorFile.open(path)) {
      assertEquals(Map.of("note", "from Python"), file.properties());
      for (String type : types) {
        Tensor expected = counting(ElementType.valueOf(type));
        assertArrayEquals(bytes(expected), bytes(file.tensor(type)), type);
      }
    }
  }

  private static byte[] bytes(Tensor tensor) {
    return TensorFile.builder().tensor("t", tensor).build("it").toBytes();
  }

  @Test
  void pythonOpensAStudentUnderTheNamesOfItsStateDict() throws Exception {
    SegmentationNet student = new SegmentationNet(new SegmentationNet.Config(1, 2, 3), 1);
    List<String> lines = python("names", written(student.toFile(Map.of())));
    assertEquals(38, lines.size());
    List<String> some = new ArrayList<>(lines);
    some.removeIf(line -> !line.matches("(head|half_norm)\\..*"));
    assertEquals(
        List.of(
            "half_norm.bias float32 [2]",
            "half_norm.num_batches_tracked int64 []",
            "half_norm.running_mean float32 [2]",
            "half_norm.running_var float32 [2]",
            "half_norm.weight float32 [2]",
            "head.bias float32 [3]",
            "head.weight float32 [3, 4, 1, 1]"),
        some);
  }
}
