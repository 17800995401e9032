package org.structkd.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Peak of this process's resident memory, as Linux counts it. */
final class PeakMemory {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final Path CLEAR = Path.of("/proc/self/clear_refs");

  private PeakMemory() {}

  /** Bytes by which memory grew at most during a call; NaN where the system cannot say. */
  static double growthDuring(Runnable call) {
    try {
      Files.writeString(CLEAR, "5"); // sets the peak back to what is resident now
      long before = peak();
      call.run();
      return peak() - before;
    } catch (IOException e) {
      call.run();
      return Double.NaN;
    }
  }

  private static long peak() throws IOException {
    for (String line : Files.readAllLines(STATUS)) {
      if (line.startsWith("VmHWM:")) {
        return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
      }
    }
    throw new IOException("no VmHWM in " + STATUS);
  }
}
