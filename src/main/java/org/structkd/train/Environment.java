package org.structkd.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;

/** What the last bits of a training depend on, beside its settings. */
public final class Environment {
  private Environment() {}

  /** {@return name and value of each, of this process and the calling thread} */
  public static Map<String, String> current() {
    Map<String, String> environment = new LinkedHashMap<>();
    environment.put("threads", Integer.toString(torch.get_num_threads()));
    environment.put("processor", processor());
    environment.put("LibTorch", libTorch());
    environment.put("structkd", NativeCall.of(NativeOps::version));
    return environment;
  }

  /** {@return the model of the processor, as Linux names it} */
  public static String processor() {
    try {
      return Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse("unknown processor");
    } catch (IOException e) {
      return "unknown processor"; // another operating system
    }
  }

  private static String libTorch() {
    try {
      return String.valueOf(Loader.getVersion("org.bytedeco", "pytorch"));
    } catch (IOException e) {
      return "unknown version";
    }
  }
}
