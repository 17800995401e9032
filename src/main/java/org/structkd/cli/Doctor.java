package org.structkd.cli;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import org.bytedeco.javacpp.Loader;
import org.structkd.StructkdException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Says what this installation consists of and whether it works. */
@Command(name = "doctor", description = "Print versions and backends.")
final class Doctor implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    out.println("java      " + System.getProperty("java.vm.name") + " " + Runtime.version());
    out.println("platform  " + Loader.getPlatform());
    try {
      out.println("structkd  " + NativeCall.of(NativeOps::version));
      String names = NativeCall.of(NativeOps::backendNames);
      for (String name : names.isEmpty() ? new String[0] : names.split(",")) {
        out.println(
            "backend   " + name + ": " + NativeCall.of(() -> NativeOps.backendDescription(name)));
      }
      return 0;
    } catch (StructkdException e) {
      out.println("structkd  " + e.getMessage());
      return 1;
    }
  }
}
