package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.testing.Tensors;

/** Splits, batches by user, and files of ratings that make no sense. */
class RatedItemsTest {
  private static final RatedItems.Config CONFIG = new RatedItems.Config(2, 3);

  @TempDir private Path temp;

  private RatedItems of(String text) throws IOException {
    return RatedItems.of(Files.writeString(temp.resolve("mine.csv"), text), CONFIG);
  }

  /** User u rates items 0 to 9 + u. */
  private static String ratings(int users) {
    StringBuilder text = new StringBuilder("user,item,rating\n");
    for (int user = 0; user < users; user++) {
      for (int item = 0; item < 10 + user; item++) {
        text.append("u%d,i%d,%d\n".formatted(user, item, 1 + (user + item) % 5));
      }
    }
    return text.toString();
  }

  private static Set<Long> pairs(RatedItems data, Batch batch) {
    double[] users = Tensors.values(batch.input("users"));
    double[] items = Tensors.values(batch.input("items"));
    double[] stars = Tensors.values(batch.target("ratings"));
    int n = items.length / users.length;
    Set<Long> pairs = new HashSet<>();
    for (int i = 0; i < items.length; i++) {
      if (!Double.isNaN(stars[i])) {
        assertEquals(1 + ((int) users[i / n] + (int) items[i]) % 5, stars[i]);
        pairs.add((long) users[i / n] * data.items() + (long) items[i]);
      }
    }
    return pairs;
  }

  @Test
  void aTenthOfEachUserIsForTheTestAndAsMuchForValidation() throws IOException {
    RatedItems data = of(ratings(30));
    try (PointerScope scope = new PointerScope()) {
      assertEquals(30, data.users());
      assertEquals(39, data.items());
      Set<Long> test = pairs(data, data.examples(Split.TEST, 0, data.size(Split.TEST)));
      Set<Long> validation =
          pairs(data, data.examples(Split.VALIDATION, 0, data.size(Split.VALIDATION)));
      int held = 0;
      for (int user = 0; user < 30; user++) {
        held += Math.round((10 + user) / 10f);
      }
      assertEquals(held, test.size());
      assertEquals(held, validation.size());
      assertTrue(test.stream().noneMatch(validation::contains));
      double[] rated = Tensors.values(data.examples(Split.TEST, 0, 30).target("rated"));
      for (long pair : test) {
        assertEquals(0, rated[(int) pair], "a held-out rating counts as one to train on");
      }
      int trained = 0;
      for (double one : rated) {
        trained += (int) one;
      }
      assertEquals(30 * 10 + 29 * 30 / 2 - 2 * held, trained);
      assertEquals(test, pairs(data, of(ratings(30)).examples(Split.TEST, 0, 30)));
    }
  }

  @Test
  void aBatchHasDifferentUsersWithRatedAndUnratedItems() throws Exception {
    RatedItems data = of(ratings(30));
    BatchSource source = data.training(7);
    try (PointerScope scope = new PointerScope()) {
      Set<Long> test = pairs(data, data.examples(Split.TEST, 0, 30));
      Set<Long> seen = new HashSet<>();
      for (long step = 0; step < 200; step++) {
        Batch batch = source.prepare(step).tensors();
        double[] users = Tensors.values(batch.input("users"));
        assertEquals(7, Arrays.stream(users).distinct().count());
        assertArrayEquals(new long[] {7, 5}, batch.input("items").shape());
        double[] stars = Tensors.values(batch.target("ratings"));
        double[] items = Tensors.values(batch.input("items"));
        double[] rated = Tensors.values(batch.target("rated"));
        for (int i = 0; i < stars.length; i++) {
          assertEquals(i % 5 >= 2, Double.isNaN(stars[i]));
          assertEquals(i % 5 < 2 ? 1 : 0, rated[i / 5 * data.items() + (int) items[i]]);
        }
        seen.addAll(pairs(data, batch));
      }
      assertTrue(test.stream().noneMatch(seen::contains));
      double[] one = Tensors.values(source.prepare(5).tensors().input("items"));
      assertArrayEquals(one, Tensors.values(source.prepare(5).tensors().input("items")));
      BatchSource other = data.withSeed(1).training(7);
      assertFalse(Arrays.equals(one, Tensors.values(other.prepare(5).tensors().input("items"))));
    }
  }

  /** Spreadsheets write a mark in front of the header that nobody sees, and carriage returns. */
  @Test
  void aFileOfASpreadsheetIsRead() throws IOException {
    String rows = "a,%d,1\n".repeat(10).formatted(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    RatedItems data = of(("\uFEFFuser,item,rating\n" + rows).replace("\n", "\r\n"));
    assertEquals(10, data.items());
    assertEquals(1, data.highest(Split.TRAIN));
  }

  @Test
  void theLastOfSeveralRatingsHoldsAndTimesAreAllowed() throws IOException {
    String text = "user,item,rating,timestamp\n";
    for (int item = 0; item < 10; item++) {
      text += "a,%d,1,7\na,%d,5,9\n".formatted(item, item);
    }
    RatedItems data = of(text);
    assertEquals(5, data.highest(Split.TEST));
    assertEquals(5, data.highest(Split.TRAIN));
    assertArrayEquals(
        new double[] {5}, Tensors.values(data.examples(Split.TEST, 0, 1).target("ratings")));
    assertThrows(IllegalArgumentException.class, () -> data.training(2));
    assertThrows(IllegalArgumentException.class, () -> new RatedItems.Config(0, 1));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          ''                          | mine.csv:1: expected the header user,item,rating or user,item,rating,timestamp, found an empty file
          user,movie,rating           | mine.csv:1: expected the header user,item,rating or user,item,rating,timestamp, found "user,movie,rating"
          user,item,rating            | mine.csv:1: expected ratings behind the header, found none
          user,item,rating~a,b        | mine.csv:2: expected 3 fields between commas, found 2: "a,b"
          user,item,rating~a,b,1~a,b,x | mine.csv:3: expected a rating, a finite number, found "x"
          user,item,rating~a,b,NaN    | mine.csv:2: expected a rating, a finite number, found "NaN"
          user,item,rating~a,b,-1e11  | mine.csv:2: expected a rating of at most 1e10 in size, found "-1e11"
          user,item,rating~a,b,       | mine.csv:2: expected a rating, a finite number, found ""
          user,item,rating~,b,1       | mine.csv:2: expected the name of the user, found nothing
          user,item,rating~a,b,1      | mine.csv: expected a user with 5 ratings or more, of which one is for the test, found 1 ratings by 1 users
          user,item,rating,timestamp~a,b,1,y | mine.csv:2: expected a timestamp, a finite number, found "y"
          """)
  void aFileThatMakesNoSenseIsASentence(String text, String sentence) {
    DataFileException e = assertThrows(DataFileException.class, () -> of(text.replace('~', '\n')));
    assertTrue(e.getMessage().endsWith(sentence.strip()), e.getMessage());
  }

  @Test
  void aFileThatIsMissingIsNamed() {
    DataFileException e =
        assertThrows(
            DataFileException.class, () -> RatedItems.of(temp.resolve("none.csv"), CONFIG));
    assertTrue(e.getMessage().endsWith("none.csv: expected a file of ratings, found nothing"));
  }
}
