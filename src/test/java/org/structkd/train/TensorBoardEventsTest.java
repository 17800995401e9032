package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.structkd.testing.SmallTrainings.atStep;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.FashionScenes;
import org.structkd.objective.Objective;
import org.structkd.testing.Objectives;
import org.structkd.testing.Python;
import org.structkd.testing.SmallTrainings;

class TensorBoardEventsTest {
  private static final Objective OBJECTIVE = Objectives.supervised();
  private static final FashionScenes SCENES = FashionScenes.bundled();

  /** Bytes around a message: its length with a CRC, and its own CRC. */
  private static final int AROUND = 16;

  @TempDir private Path folder;

  private Path file(String name) {
    return folder.resolve("runs").resolve(name).resolve("events.out.tfevents.structkd");
  }

  /** Trains 30 steps of 2 scenes, with both logs, and other listeners. */
  private void train(String name, TrainingListener... listeners) throws IOException {
    List<TrainingListener> all =
        new ArrayList<>(
            List.of(
                MetricsCsv.open(folder.resolve(name + ".csv"), "miou", OBJECTIVE).listener(name),
                TensorBoardEvents.in(folder.resolve("runs").resolve(name))));
    all.addAll(List.of(listeners));
    SmallTrainings.train(SCENES, OBJECTIVE, folder.resolve(name + ".checkpoint"), all);
  }

  /** Messages without their times: field 1, nine bytes. */
  private static List<String> messages(byte[] file) {
    List<String> messages = new ArrayList<>();
    ByteBuffer in = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    while (in.hasRemaining()) {
      byte[] message = new byte[(int) in.getLong()];
      in.getInt();
      in.get(message);
      in.getInt();
      messages.add(HexFormat.of().formatHex(message, 9, message.length));
    }
    return messages;
  }

  /** The header that all files of TensorFlow begin with: 24 bytes and their masked CRC. */
  @Test
  void theFirstRecordIsThatOfTensorFlow() {
    byte[] record = EventFile.first(1.5);
    assertEquals(24 + AROUND, record.length);
    HexFormat hex = HexFormat.of();
    assertEquals("1800000000000000" + "a37f4b22", hex.formatHex(record, 0, 12));
    assertEquals("09" + "000000000000f83f", hex.formatHex(record, 12, 21), "wall_time 1.5");
    String version = "1a0d" + hex.formatHex("brain.Event:2".getBytes(StandardCharsets.US_ASCII));
    assertEquals(version, hex.formatHex(record, 21, 36));
  }

  /** The message by hand: step 300 = 0xac 0x02, a summary of one value, 0.5 = 0x3f000000. */
  @Test
  void aScalarIsAnEventWithASummary() {
    byte[] record = EventFile.scalars(0, 300, Map.of("a/b", 0.5f));
    assertEquals("10ac02" + "2a0c" + "0a0a" + "0a03612f62" + "150000003f", messages(record).get(0));
  }

  @Test
  void laterStepsAndTornRecordsAreCutOff() {
    List<byte[]> records = new ArrayList<>(List.of(EventFile.first(0)));
    for (long step : new long[] {10, 20, 15, 1L << 40}) {
      records.add(EventFile.scalars(step, step, Map.of("loss", 1f)));
    }
    byte[] all = joined(records);
    assertArrayEquals(all, EventFile.until(all, Long.MAX_VALUE));
    byte[] early = joined(List.of(records.get(0), records.get(1), records.get(3)));
    assertArrayEquals(early, EventFile.until(all, 15));
    byte[] whole = joined(records.subList(0, 4));
    for (int length = whole.length; length < all.length; length++) {
      assertArrayEquals(whole, EventFile.until(Arrays.copyOf(all, length), Long.MAX_VALUE));
    }
    // A bit that tipped over ends what can be read.
    for (int at = whole.length; at < all.length; at++) {
      byte[] damaged = all.clone();
      damaged[at] ^= 4;
      assertArrayEquals(whole, EventFile.until(damaged, Long.MAX_VALUE));
    }
    assertEquals(0, EventFile.until(new byte[0], 5).length);
    // Events of others may be short, or have no step.
    for (int length = 0; length < 12; length++) {
      byte[] foreign = EventFile.record(Arrays.copyOf(new byte[] {9}, length));
      assertArrayEquals(foreign, EventFile.until(foreign, 5));
    }
  }

  private static byte[] joined(List<byte[]> records) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    records.forEach(all::writeBytes);
    return all.toByteArray();
  }

  @Test
  void anInterruptedTrainingEndsWithTheSameEvents() throws IOException {
    train("whole");
    List<String> whole = messages(Files.readAllBytes(file("whole")));
    assertEquals(1 + 3 + 2, whole.size());
    TrainingListener failing =
        atStep(
            21,
            () -> {
              throw new AssertionError("this step is saved, and its events, too");
            });
    assertThrows(AssertionError.class, () -> train("failed", failing));
    // As a process leaves it that was killed after its last checkpoint.
    ByteArrayOutputStream more = new ByteArrayOutputStream();
    more.writeBytes(Files.readAllBytes(file("failed")));
    more.writeBytes(EventFile.scalars(0, 30, Map.of("loss/total", 9f)));
    more.write(EventFile.scalars(0, 30, Map.of("loss/total", 9f)), 0, 11);
    Files.write(file("failed"), more.toByteArray());
    train("failed");
    assertEquals(whole, messages(Files.readAllBytes(file("failed"))));
  }

  /** TensorBoard itself reads the numbers of metrics.csv, of every run, each step once. */
  @Test
  void tensorBoardReadsWhatTheLogSays() throws Exception {
    assumeTrue(
        Python.has("f('tensorboard')"),
        Python.INTERPRETER + " has no package tensorboard; the variable PYTHON may name another");
    train("one");
    train("two");
    Map<String, List<String>> read = new LinkedHashMap<>();
    for (String line : Python.lines("tensorboard_scalars.py", folder.resolve("runs").toString())) {
      String[] words = line.split(" ");
      if (words.length == 4) { // warnings of packages that are not there
        read.computeIfAbsent(words[0] + " " + words[1], tag -> new ArrayList<>())
            .add(words[2] + " " + Float.parseFloat(words[3]));
      }
    }
    for (String run : List.of("one", "two")) {
      List<String> totals = new ArrayList<>();
      List<String> rates = new ArrayList<>();
      List<String> scores = new ArrayList<>();
      for (String line : Files.readAllLines(folder.resolve(run + ".csv"))) {
        String[] cells = line.split(",", -1);
        if (!cells[0].equals(run)) {
          continue;
        }
        if (cells[3].isEmpty()) {
          scores.add(cells[1] + " " + Float.parseFloat(cells[cells.length - 1]));
        } else {
          rates.add(cells[1] + " " + Float.parseFloat(cells[2]));
          totals.add(cells[1] + " " + Float.parseFloat(cells[3]));
        }
      }
      assertEquals(totals, read.get(run + " loss/total"));
      assertEquals(rates, read.get(run + " learning_rate"));
      assertEquals(scores, read.get(run + " validation/miou"));
      assertEquals(totals, read.get(run + " loss/supervised"), "the only term");
      assertTrue(read.containsKey(run + " validation/pixel_accuracy"), read.keySet().toString());
    }
  }

  @Test
  void aPlaceThatCannotBeAFolderIsNamed() throws IOException {
    Path taken = Files.writeString(folder.resolve("taken"), "");
    IOException error =
        assertThrows(IOException.class, () -> TensorBoardEvents.in(taken.resolve("run")));
    assertTrue(error.getMessage().startsWith(taken.resolve("run") + " cannot be made"));
  }
}
