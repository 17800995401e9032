package org.structkd.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/** What Linux tells about the processor, the graphics card, and what this process has loaded. */
final class Machine {
  /** What cpu/dispatch.cpp asks for, in the words of /proc/cpuinfo. */
  private static final List<String> FEATURES =
      List.of("avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl");

  private static final String LIBRARIES =
      "lib(jni)?(structkd\\w*|torch\\w*|c10|openblas\\w*|gomp|stdc\\+\\+|javacpp)\\b.*\\.so.*";

  private Machine() {}

  /** The vector instructions that matter to us and that the processor has. */
  static List<String> features() {
    String flags =
        lines("/proc/cpuinfo").filter(line -> line.startsWith("flags")).findFirst().orElse("");
    List<String> all = List.of(flags.split("\\s+"));
    return FEATURES.stream().filter(all::contains).toList();
  }

  /** Whether a driver of NVIDIA is loaded. */
  static boolean hasNvidiaDriver() {
    return Files.exists(Path.of("/proc/driver/nvidia/version"));
  }

  /** The files of LibTorch, of structkd and of their run time that are mapped into this process. */
  static List<String> loadedLibraries() {
    Set<String> files = new TreeSet<>();
    lines("/proc/self/maps")
        .filter(line -> line.indexOf('/') > 0)
        .map(line -> line.substring(line.indexOf('/')))
        .filter(file -> file.substring(file.lastIndexOf('/') + 1).matches(LIBRARIES))
        .forEach(files::add);
    return new ArrayList<>(files);
  }

  private static Stream<String> lines(String file) {
    try {
      return Files.readAllLines(Path.of(file)).stream();
    } catch (IOException e) {
      return Stream.empty(); // another operating system
    }
  }
}
