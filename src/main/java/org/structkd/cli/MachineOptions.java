package org.structkd.cli;

import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.NativeLoader;
import org.structkd.run.RunException;
import org.structkd.train.Devices;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** Where LibTorch computes. */
final class MachineOptions {
  private static final int MAX_THREADS = 256;

  @Option(
      names = "--threads",
      paramLabel = "N",
      defaultValue = "2",
      description =
          "Threads of LibTorch and the kernels, 1 to 256. The same number gives the same result."
              + " Default: ${DEFAULT-VALUE}.")
  private int threads;

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      defaultValue = "cpu",
      description = "cpu, cuda or cuda:N. Default: ${DEFAULT-VALUE}.")
  private String device;

  /** Loads native code and applies the options. */
  Device prepare() {
    requireThreads(threads);
    NativeLoader.require();
    torch.set_num_threads(threads);
    try {
      return Devices.named(RankOptions.device(device, System.getenv()));
    } catch (IllegalArgumentException e) {
      throw RunException.refused("--device: " + e.getMessage());
    }
  }

  /** A run that continues does so with its own number of threads, unless one was given. */
  void useThreadsOf(int stored, CommandSpec spec) {
    if (!spec.commandLine().getParseResult().hasMatchedOption("--threads")) {
      requireThreads(stored);
      torch.set_num_threads(stored);
    }
  }

  private static void requireThreads(int number) {
    if (number < 1 || number > MAX_THREADS) {
      throw RunException.refused("--threads must be 1 to " + MAX_THREADS + " but is " + number);
    }
  }

  int threads() {
    return threads;
  }
}
