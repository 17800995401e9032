package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.structkd.data.PackagedData;

/** What data lists, and what it does not know. */
class DataCommandTest {
  @Test
  void allAreListedWithLicenceAndSize() {
    Cli cli = Cli.run("data");
    assertEquals(0, cli.status(), cli.err());
    for (PackagedData data : PackagedData.all()) {
      assertTrue(cli.out().contains(data.name() + ": " + data.summary()), cli.out());
      assertTrue(cli.out().contains("licence: " + data.licence()), cli.out());
      assertTrue(cli.out().contains("from " + data.source().title() + ", " + data.size()));
    }
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    Cli.run("data", "photo").refused("there is no data set \"photo\"", "did you mean \"photos\"?");
    Cli.run("data", "--from", "here").refused("--from goes with the name of a data set");
  }
}
