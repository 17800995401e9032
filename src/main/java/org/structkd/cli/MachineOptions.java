package org.structkd.cli;

import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.NativeLoader;
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
    Ranges.require("--threads", threads, 1, MAX_THREADS);
    NativeLoader.require();
    torch.set_num_threads(threads);
    try {
      return Devices.named(device);
    } catch (IllegalArgumentException e) {
      throw new CommandFailure(CommandFailure.BAD_INPUT, "--device: " + e.getMessage());
    }
  }

  /** A run that continues does so with its own number of threads, unless one was given. */
  void useThreadsOf(int stored, CommandSpec spec) {
    if (!spec.commandLine().getParseResult().hasMatchedOption("--threads")) {
      Ranges.require("threads", stored, 1, MAX_THREADS);
      torch.set_num_threads(stored);
    }
  }

  /** The CPU with one thread, for commands that leave no choice. */
  static Device oneThread() {
    NativeLoader.require();
    torch.set_num_threads(1);
    return Devices.named("cpu");
  }

  int threads() {
    return threads;
  }
}
