package com.example.serve;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;

/** Measures exported students: Serve STUDENT [--teacher TEACHER] [--onnx FILE]. */
public final class Serve {
  /** In which the JVM compiles, and LibTorch chooses how it executes the graph. */
  private static final int WARM_UP = 20;

  private static final int RUNS = 200;

  /** Largest difference from structkd's outputs, by the largest of them or 1. */
  private static final double TOLERANCE = 1e-6;

  /** ONNX Runtime sums in another order than LibTorch. */
  private static final double ONNX_TOLERANCE = 1e-4;

  private static final String USAGE =
      """
      Usage: serve STUDENT [--teacher TEACHER] [--onnx FILE]

        STUDENT, TEACHER   folders that ./structkd export wrote
        FILE               the student in ONNX, see examples/python/export_onnx.py

      Prints latency and memory of each, and ends with status 1 where outputs differ.""";

  /** Makes a network. */
  private interface Maker {
    Network make() throws Exception;
  }

  private Serve() {}

  public static void main(String[] arguments) throws Exception {
    Path student = null;
    Path teacher = null;
    Path onnx = null;
    for (int i = 0; i < arguments.length; i++) {
      boolean hasValue = i + 1 < arguments.length;
      if (arguments[i].equals("--teacher") && hasValue) {
        teacher = Path.of(arguments[++i]);
      } else if (arguments[i].equals("--onnx") && hasValue) {
        onnx = Path.of(arguments[++i]);
      } else if (student == null && !arguments[i].startsWith("-")) {
        student = Path.of(arguments[i]);
      } else {
        refuse("unknown argument " + arguments[i]);
      }
    }
    if (student == null) {
      refuse("which student?");
    }
    Loader.load(torch.class); // its memory is no network's
    System.out.printf(
        "%-24s %10s %10s %12s %14s%n", "", "median ms", "p95 ms", "resident MB", "from structkd");
    Exported exported = read(student);
    boolean equal = measure("student", exported, () -> new TorchScriptNetwork(exported), TOLERANCE);
    if (onnx != null) {
      Path file = onnx;
      equal &=
          measure("student, ONNX", exported, () -> new OnnxNetwork(file, exported), ONNX_TOLERANCE);
    }
    if (teacher != null) {
      Exported big = read(teacher);
      equal &= measure("teacher", big, () -> new TorchScriptNetwork(big), TOLERANCE);
    }
    if (!equal) {
      System.err.println("serve: outputs differ from structkd's by more than they may");
    }
    System.exit(equal ? 0 : 1);
  }

  private static void refuse(String why) {
    System.err.println(USAGE);
    System.err.println("\nserve: " + why);
    System.exit(2);
  }

  private static Exported read(Path folder) {
    try {
      return Exported.read(folder);
    } catch (IOException e) {
      System.err.println("serve: " + folder + " is no exported student: " + e.getMessage());
      System.exit(2);
      throw new AssertionError(e);
    }
  }

  private static boolean measure(String name, Exported exported, Maker maker, double tolerance)
      throws Exception {
    long before = resident();
    try (Network network = maker.make()) {
      double apart = apart(exported, network.run());
      for (int i = 0; i < WARM_UP; i++) {
        network.run();
      }
      double[] millis = new double[RUNS];
      for (int i = 0; i < RUNS; i++) {
        long start = System.nanoTime();
        network.run();
        millis[i] = (System.nanoTime() - start) / 1e6;
      }
      Arrays.sort(millis);
      System.out.printf(
          Locale.ROOT,
          "%-24s %10.3f %10.3f %12.1f %14.1e%n",
          name,
          millis[RUNS / 2],
          millis[RUNS * 95 / 100],
          (resident() - before) / 1e6,
          apart);
      return apart <= tolerance;
    }
  }

  /** The largest difference of an output; NaN where one is missing or has another length. */
  private static double apart(Exported exported, Map<String, FloatBuffer> outputs) {
    double apart = outputs.isEmpty() ? Double.NaN : 0;
    for (Map.Entry<String, FloatBuffer> output : outputs.entrySet()) {
      FloatBuffer found = output.getValue();
      FloatBuffer expected = exported.outputs().get(output.getKey()).bytes().asFloatBuffer();
      double largest = 1;
      double difference = expected.remaining() == found.remaining() ? 0 : Double.NaN;
      for (int i = 0; i < Math.min(expected.remaining(), found.remaining()); i++) {
        largest = Math.max(largest, Math.abs(expected.get(i)));
        difference = Math.max(difference, Math.abs((double) expected.get(i) - found.get(i)));
      }
      apart = Math.max(apart, difference / largest);
    }
    return apart;
  }

  /** Bytes of this process in memory: what a network adds is told from what the JVM has. */
  private static long resident() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) {
        return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
      }
    }
    throw new IOException("/proc/self/status has no VmRSS");
  }
}
