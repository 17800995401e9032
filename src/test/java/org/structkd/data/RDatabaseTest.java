package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is read of R's data bases, and what damaged and hostile ones are answered. */
class RDatabaseTest {
  @TempDir private Path folder;

  private static DataFileException refused(Path base) {
    return assertThrows(DataFileException.class, () -> RDatabase.frame(base, "it"));
  }

  @Test
  void aFrameHasFactorsWholeNumbersAndNumbers() throws IOException {
    Map<String, RValue> frame =
        RDatabase.frame(RBytes.database(folder, "it", RBytes.frame()), "it");
    assertEquals(List.of("who", "what", "stars"), List.copyOf(frame.keySet()));
    assertEquals(List.of("bob", "ann", "bob"), frame.get("who").names());
    assertEquals(List.of("7", "7", "9"), frame.get("what").names());
    assertArrayEquals(new double[] {4.5, 1, 3}, frame.get("stars").numbers());
  }

  @Test
  void ratingsBecomeTheFileThatIsRead() throws IOException {
    Path base = RBytes.database(folder, "it", RBytes.frame());
    PackagedRatings.convert(base, "it", List.of("who", "what", "stars"), folder);
    assertEquals(
        "user,item,rating\nbob,7,4.5\nann,7,1.0\nbob,9,3.0\n",
        Files.readString(folder.resolve(PackagedRatings.FILE)));
    DataFileException e =
        assertThrows(
            DataFileException.class,
            () -> PackagedRatings.convert(base, "it", List.of("who", "whom", "stars"), folder));
    assertTrue(e.getMessage().contains("expected a column \"whom\""), e.getMessage());
    e =
        assertThrows(
            DataFileException.class,
            () -> PackagedRatings.convert(base, "it", List.of("who", "what", "who"), folder));
    assertTrue(e.getMessage().contains("expected \"who\" to be numbers"), e.getMessage());
  }

  @Test
  void whatIsNotThereIsNamed() throws IOException {
    Path base = RBytes.database(folder, "other", RBytes.frame());
    assertTrue(refused(base).getMessage().endsWith("expected an entry of \"it\", found none"));
    assertTrue(refused(folder.resolve("no")).getMessage().contains("no.rdx: expected an index"));
    Files.write(Path.of(base + ".rdx"), new byte[] {1, 2, 3});
    assertTrue(refused(base).getMessage().contains("expected gzip"));
  }

  /** Every cut, and any other number in the place of each, ends in a sentence or in a value. */
  @Test
  void noCutAndNoOtherNumberEndsOtherwise() throws IOException {
    byte[] whole = RBytes.frame();
    for (int end = 0; end < whole.length - 4; end++) {
      byte[] cut = Arrays.copyOf(whole, end);
      assertThrows(DataFileException.class, () -> RSerialization.read(cut, "it"));
    }
    for (int at = 0; at + 4 <= whole.length; at++) {
      for (int value : new int[] {Integer.MIN_VALUE, -2, -1, 0, 3, 238, 255, Integer.MAX_VALUE}) {
        byte[] changed = whole.clone();
        ByteBuffer.wrap(changed).putInt(at, value);
        try {
          RSerialization.read(changed, "it");
        } catch (DataFileException e) {
          assertTrue(e.getMessage().contains("expected"), e.getMessage());
        }
      }
    }
  }

  @Test
  void aLengthBeyondTheBytesIsRefusedBeforeMemoryIsTaken() {
    byte[] long1 = new RBytes().ints(13, Integer.MAX_VALUE).toBytes();
    DataFileException e =
        assertThrows(DataFileException.class, () -> RSerialization.read(long1, "it"));
    assertEquals(
        "it: expected at most 0 elements, as many bytes are left, found a length of 2147483647 at"
            + " byte "
            + long1.length,
        e.getMessage());
    byte[] code = new RBytes().ints(3).toBytes();
    e = assertThrows(DataFileException.class, () -> RSerialization.read(code, "it"));
    assertTrue(e.getMessage().contains("R's type 3"), e.getMessage());
    RBytes deep = new RBytes();
    for (int i = 0; i < 100; i++) {
      deep.ints(19, 1);
    }
    byte[] nested = deep.end().toBytes();
    e = assertThrows(DataFileException.class, () -> RSerialization.read(nested, "it"));
    assertTrue(e.getMessage().contains("at most 32 lists in each other"), e.getMessage());
  }

  @Test
  void placesAndSizesMustBeTrue() throws IOException {
    byte[] packed = RBytes.packed(RBytes.frame());
    byte[] chunk = ByteBuffer.allocate(4 + packed.length).putInt(1 << 30).put(packed).array();
    String said = refused(RBytes.database(folder, "it", chunk, 3, chunk.length)).getMessage();
    assertTrue(said.contains("bytes out of " + chunk.length), said);
    for (int[] place : new int[][] {{-1, 9}, {3, 3}, {3, chunk.length + 1}, {1 << 30, 9}}) {
      said = refused(RBytes.database(folder, "it", chunk, place[0], place[1])).getMessage();
      assertTrue(said.contains("expected an object within its"), said);
    }
    ByteBuffer.wrap(chunk).putInt(0, RBytes.frame().length + 1);
    said = refused(RBytes.database(folder, "it", chunk, 3, chunk.length)).getMessage();
    assertTrue(said.contains("bytes in zlib, found"), said);
    byte[] noise = {0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7};
    assertTrue(
        refused(RBytes.database(folder, "it", noise, 3, noise.length))
            .getMessage()
            .contains("expected zlib"));
  }

  /** Where they were fetched: as many as their descriptions say. */
  @Test
  void fetchedRatingsAreAllThere() throws IOException {
    DataCache cache = DataCache.ofUser();
    assumeTrue(cache.has(PackagedRatings.MOVIELENS), "the data set movielens is not here");
    RatingsFile read =
        RatingsFile.read(cache.folderOf(PackagedRatings.MOVIELENS).resolve(PackagedRatings.FILE));
    assertEquals(100_004, read.table().stars().length);
    assertEquals(671, read.users().size());
    assertEquals(9_066, read.items().size());
  }
}
