package org.structkd.cli;

import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import picocli.CommandLine.IVersionProvider;

/** What --version prints: the version of the libraries that are in use. */
final class Version implements IVersionProvider {
  @Override
  public String[] getVersion() {
    return new String[] {"structkd " + NativeCall.of(NativeOps::version)};
  }
}
