package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.FashionScenes;
import org.structkd.model.MatrixFactorization;
import org.structkd.model.NetworkFile;
import org.structkd.model.NetworkTrace;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.model.TrajectoryNet;
import org.structkd.recipe.Recipes;
import org.structkd.run.StudentExport;
import org.structkd.testing.Python;

/** What export writes, and what it refuses. */
class ExportTest {
  @TempDir private Path temp;

  /** A file as a run leaves it. */
  private Path saved(String name, TrainableNetwork student, String recipe) throws IOException {
    Path path = temp.resolve(name);
    try (student;
        OutputStream out = Files.newOutputStream(path)) {
      Map<String, String> properties =
          recipe.isEmpty()
              ? Map.of()
              : Map.of("recipe", Recipes.load(recipe).toYaml(), "seed", "1");
      student.toFile(properties).write(out);
    }
    return path;
  }

  private static SegmentationNet net(boolean deformable) {
    SegmentationNet.Config config = new SegmentationNet.Config(1, 2, FashionScenes.CLASSES);
    return new SegmentationNet(config.withDeformable(deformable), 1);
  }

  private static JsonNode described(Path folder) throws IOException {
    return new ObjectMapper().readTree(folder.resolve(StudentExport.DESCRIPTION).toFile());
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void theFolderHasNetworkWeightsDescriptionAndAnExample() throws IOException {
    Path student = saved("student.safetensors", net(false), "kd");
    Path out = temp.resolve("served");
    Cli cli = Cli.run("export", student, "--out", out);
    assertEquals(0, cli.status(), cli.err());
    assertEquals("", cli.err());
    assertTrue(cli.out().contains(student + " is exported to " + out), cli.out());
    List<String> files =
        List.of("example.safetensors", "student.json", "student.pt", "student.safetensors");
    assertEquals(files, names(out));
    JsonNode about = described(out);
    assertEquals(1, about.path("format").asInt());
    assertEquals(SegmentationNet.KIND, about.path("network").path("network").asText());
    assertEquals("[\"B\",1,\"H\",\"W\"]", about.at("/inputs/0/shape").toString());
    assertEquals("{\"H\":8,\"W\":8}", about.at("/inputs/0/multiples_of").toString());
    assertEquals("[2,11,64,64]", about.at("/outputs/2/shape_of_example").toString());
    assertEquals(FashionScenes.CLASS_NAMES.size(), about.path("classes").size());
    assertEquals(FashionScenes.CLASS_NAMES.get(3), about.at("/classes/3").asText());
    try (TensorFile before = TensorFile.open(student);
        TensorFile weights = TensorFile.open(out.resolve("student.safetensors"));
        TrainableNetwork again = NetworkFile.network(weights)) {
      assertEquals(before.properties(), weights.properties());
      assertEquals(before.names(), weights.names());
      assertEquals(about.path("fingerprint").asText(), again.fingerprint());
    }
    assertTheScriptGivesTheExample(out, about);
  }

  /** As whoever serves the network finds out that it is the right one. */
  private static void assertTheScriptGivesTheExample(Path out, JsonNode about) throws IOException {
    try (PointerScope temporaries = new PointerScope();
        TensorFile example = TensorFile.open(out.resolve("example.safetensors"))) {
      List<Tensor> inputs = new ArrayList<>();
      for (JsonNode input : about.path("inputs")) {
        inputs.add(example.tensor("input." + input.path("name").asText()));
      }
      Map<String, Tensor> outputs = NetworkTrace.run(out.resolve("student.pt"), inputs);
      for (JsonNode output : about.path("outputs")) {
        String name = output.path("name").asText();
        Tensor expected = example.tensor("output." + name);
        assertTrue(
            expected.sub(outputs.get(name)).abs().max().item_double() <= 1e-6, "output " + name);
      }
    }
  }

  @Test
  void aRunWithOneStudentNeedsNoFile() throws IOException {
    Path run = Files.createDirectory(temp.resolve("run"));
    Cli.run("export", run, "--out", temp.resolve("a")).refused(run + " has no student");
    saved("run/one.safetensors", new TrajectoryNet(new TrajectoryNet.Config(4, 5, 2, 6), 1), "");
    Path out = temp.resolve("b");
    Cli cli = Cli.run("export", run, "--out", out);
    assertEquals(0, cli.status(), cli.err());
    assertTrue(cli.err().contains("says nothing of its training"), cli.err());
    JsonNode about = described(out);
    assertEquals("[\"B\",4,2]", about.at("/inputs/0/shape").toString());
    assertEquals("[\"B\",4,4]", about.at("/inputs/1/shape").toString());
    assertTheScriptGivesTheExample(out, about);
    saved("run/two.safetensors", net(false), "");
    Cli.run("export", run, "--out", temp.resolve("c"))
        .refused("name the file of one: " + run.resolve("one.safetensors"));
  }

  @Test
  void indicesAreTold() throws IOException {
    MatrixFactorization ratings =
        new MatrixFactorization(new MatrixFactorization.Config(9, 7, 3), 1);
    Path out = temp.resolve("served");
    Cli cli = Cli.run("export", saved("ratings.safetensors", ratings, ""), "--out", out);
    assertEquals(0, cli.status(), cli.err());
    JsonNode about = described(out);
    assertEquals("int64", about.at("/inputs/1/type").asText());
    assertEquals("[\"B\",\"n\"]", about.at("/inputs/1/shape").toString());
    assertEquals(7, about.at("/inputs/1/below").asInt());
    assertTheScriptGivesTheExample(out, about);
  }

  @Test
  void aNetworkOfOneSizeNeedsToKnowWhich() throws IOException {
    Path student = saved("student.safetensors", net(true), "kd");
    Path out = temp.resolve("served");
    Cli.run("export", student, "--out", out).refused("for images of one size only", "--size HxW");
    assertEquals(List.of("student.safetensors"), names(temp));
    Cli cli = Cli.run("export", student, "--out", out, "--size", "48x24");
    assertEquals(0, cli.status(), cli.err());
    JsonNode about = described(out);
    assertEquals("[\"B\",1,48,24]", about.at("/inputs/0/shape").toString());
    assertTheScriptGivesTheExample(out, about);
  }

  @Test
  void whatMakesNoSenseIsRefusedAndLeavesNothing() throws IOException {
    Path student = saved("student.safetensors", net(false), "kd");
    Path out = temp.resolve("served");
    Cli.run("export", student, "--out", out, "--size", "48").refused("expected HxW");
    Cli.run("export", student, "--out", out, "--size", "48x20")
        .refused("--size: width is 20, expected a multiple of 8 up to 8192");
    Cli.run("export", temp.resolve("a.safetensors"), "--out", out).refused("nothing of this name");
    Cli.run("export", "fashon", "--out", out)
        .refused("fashon is no file and no folder, and no bundled teacher", "fashion");
    Cli.run("export", student, "--out", temp.resolve("none/served"))
        .refused("cannot be written: its folder is not there");
    Cli.run("export", student, "--out", temp).refused(temp + " is not empty");
    Cli.run("export", student, "--out", student).refused(student + " is a file");
    assertEquals(List.of("student.safetensors"), names(temp));
  }

  @Test
  void pythonLoadsItAndComputesTheSame() throws Exception {
    assumeTrue(
        Python.has("f('torch') and f('safetensors')"),
        Python.INTERPRETER + " has no PyTorch with safetensors; PYTHON names another one");
    Map<String, TrainableNetwork> students = new LinkedHashMap<>();
    students.put("net", net(false));
    students.put("ratings", new MatrixFactorization(new MatrixFactorization.Config(9, 7, 3), 1));
    students.put("trajectories", new TrajectoryNet(new TrajectoryNet.Config(4, 5, 2, 6), 1));
    for (Map.Entry<String, TrainableNetwork> student : students.entrySet()) {
      Path out = temp.resolve(student.getKey());
      int taps = student.getValue().taps().size();
      assertEquals(
          0,
          Cli.run("export", saved("s.safetensors", student.getValue(), ""), "--out", out).status());
      List<String> lines = Python.lines("../../../examples/python/load_student.py", out.toString());
      List<String> told = lines.stream().filter(line -> line.contains("is at most")).toList();
      assertEquals(taps, told.size(), lines.toString());
      for (String line : told) {
        double apart = Double.parseDouble(line.replaceFirst(".* at most (\\S+) from.*", "$1"));
        assertTrue(apart <= 1e-6, line);
      }
    }
  }

  @Test
  void pythonConvertsItToOnnx() throws Exception {
    assumeTrue(
        Python.has("f('torch') and f('safetensors') and f('onnx')"),
        Python.INTERPRETER + " has no PyTorch with safetensors and onnx; PYTHON names another one");
    Path out = temp.resolve("served");
    Path file = temp.resolve("student.onnx");
    assertEquals(
        0, Cli.run("export", saved("s.safetensors", net(false), ""), "--out", out).status());
    Python.lines("../../../examples/python/export_onnx.py", out.toString(), file.toString());
    List<String> lines = Python.lines("onnx_outputs.py", file.toString(), out.toString());
    assertEquals(3, lines.size(), lines.toString());
    for (String line : lines) { // another library sums in another order
      assertTrue(Double.parseDouble(line.split(" ")[1]) <= 1e-5, line);
    }
  }
}
