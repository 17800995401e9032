package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.SmallTrainings.bytes;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.data.DataFileException;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TensorFile;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

@InScope
class CheckpointTest {
  private static final Map<String, String> SETTINGS = Map.of("training seed", "1");
  private static final Checkpoint.Check ANY = (progress, stored) -> {};

  @TempDir private Path folder;
  private Path path;

  @BeforeEach
  void open() {
    path = folder.resolve("c");
  }

  private static SegmentationNet net(int width, long seed) {
    return new SegmentationNet(new SegmentationNet.Config(1, width, 3), seed);
  }

  /** One step of training. */
  private static void step(Players players) {
    Tensor images = Tensors.gaussian(1, 1, 1, 16, 16).to(torch.ScalarType.Float);
    players.zeroGrad();
    players.student().forward(images).get(SegmentationNet.LOGITS).square().mean().backward();
    players.step(1);
  }

  private static Players players(SegmentationNet net) {
    return new Players(net, Map.of(), TrainingConfig.of(10, 0.01), Map.of(), Map.of());
  }

  private static void save(Path path, Players players, long stepsDone) throws IOException {
    try (FileClaim claim = FileClaim.of(path, Duration.ZERO)) {
      Checkpoint.save(claim, SETTINGS, players, new Checkpoint(stepsDone, 1, 7, true, 0.5, 2));
    }
  }

  @Test
  void stateComesBackAndGoesOnWithTheSameBits() throws IOException {
    SegmentationNet net = net(2, 1);
    Players players = players(net);
    step(players);
    step(players);
    save(path, players, 2);
    SegmentationNet other = net(2, 9);
    Players itsPlayers = players(other);
    step(itsPlayers); // what it had is replaced
    assertEquals(
        new Checkpoint(2, 1, 7, true, 0.5, 2), Checkpoint.restore(path, ANY, itsPlayers, false));
    assertArrayEquals(bytes(net), bytes(other));
    step(players);
    step(itsPlayers);
    assertArrayEquals(bytes(net), bytes(other));
  }

  @Test
  void aParameterThatNeverLearnedHasNoState() throws IOException {
    SegmentationNet net = net(2, 1);
    net.module().named_parameters().get("half_conv.weight").set_requires_grad(false);
    Players players = players(net);
    step(players);
    save(path, players, 1);
    try (TensorFile file = TensorFile.open(path)) {
      assertTrue(file.names().contains("student.half_conv.weight"));
      assertFalse(file.names().contains("optimizer.half_conv.weight.step"));
      assertEquals(
          "[optimizer.head.bias.exp_avg, optimizer.head.bias.exp_avg_sq,"
              + " optimizer.head.bias.step]",
          new TreeSet<>(file.names()).subSet("optimizer.head.bias", "optimizer.head.c").toString());
      assertEquals(1, file.tensor("optimizer.head.bias.step").item_long());
    }
    SegmentationNet other = net(2, 9);
    Players itsPlayers = players(other);
    Checkpoint.restore(path, ANY, itsPlayers, false);
    assertArrayEquals(bytes(net), bytes(other));
  }

  @ParameterizedTest
  @CsvSource({"head.weight, true", "half_norm.running_var, false"})
  void valuesThatAreNotFiniteAreNotSaved(String name, boolean parameter) throws IOException {
    SegmentationNet net = net(2, 1);
    Players players = players(net);
    save(path, players, 3);
    byte[] good = Files.readAllBytes(path);
    var all = parameter ? net.module().named_parameters() : net.module().named_buffers();
    all.get(name).detach().flatten().select(0, 0).fill_(new Scalar(Float.NaN));
    IOException error = assertThrows(IOException.class, () -> save(path, players, 4));
    assertTrue(
        error
            .getMessage()
            .startsWith(
                path + " is not written: after step 4 \"" + name + "\" has 1 NaN or infinite"),
        error.getMessage());
    assertArrayEquals(good, Files.readAllBytes(path));
  }

  @Test
  void aCheckpointThatIsRefusedChangesNothing() throws IOException {
    SegmentationNet net = net(2, 1);
    save(path, players(net), 3);
    SegmentationNet other = net(2, 5);
    byte[] before = bytes(other);
    Players players = players(other);
    Checkpoint.Check refusing =
        (progress, stored) -> {
          assertEquals(3, progress.stepsDone());
          assertEquals("1", stored.get("training seed"));
          throw new DataFileException("file", "another", "this one");
        };
    assertThrows(DataFileException.class, () -> Checkpoint.restore(path, refusing, players, false));
    assertArrayEquals(before, bytes(other));
  }

  /** Saves and restores 74 MB of state, much more than the heap it gets. */
  static final class SmallHeap {
    private SmallHeap() {}

    public static void main(String[] args) throws Exception {
      try (PointerScope scope = new PointerScope()) {
        Path path = Path.of(args[0]);
        SegmentationNet net = net(128, 1);
        Players players = players(net);
        step(players);
        save(path, players, 1);
        SegmentationNet other = net(128, 2);
        Players itsPlayers = players(other);
        Checkpoint.restore(path, ANY, itsPlayers, false);
        Tensor weight = net.module().named_parameters().get("head.weight");
        boolean equal = weight.equal(other.module().named_parameters().get("head.weight"));
        System.out.println("restored " + Files.size(path) / 1_000_000 + " MB: " + equal);
      }
    }
  }

  @Test
  void theHeapDoesNotBoundACheckpoint() throws Exception {
    Path output = folder.resolve("output");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx16m",
                "-Dorg.bytedeco.javacpp.maxbytes=0",
                "-Dorg.bytedeco.javacpp.maxphysicalbytes=0",
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                SmallHeap.class.getName(),
                path.toString())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    assertTrue(process.waitFor(240, TimeUnit.SECONDS));
    assertEquals(
        "restored 74 MB: true\nstatus 0",
        Files.readString(output) + "status " + process.exitValue());
  }
}
