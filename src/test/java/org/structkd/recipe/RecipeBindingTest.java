package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Any records are bound, by their components alone. */
class RecipeBindingTest {
  enum Colour {
    DARK_RED,
    BLUE
  }

  sealed interface Shape permits CircleSettings, Square {}

  record CircleSettings(double radius) implements Shape {}

  record Square(double side, Colour fillColour, @Nullable String label) implements Shape {
    public Square(double side) {
      this(side, Colour.DARK_RED, null);
    }
  }

  record Drawing(List<Shape> shapes, Map<String, Long> layers, boolean isOpen) {}

  private static Drawing read(String yaml) {
    return RecipeBinding.bind(new RecipeTree("it", yaml), Drawing.class);
  }

  private static String refused(String yaml) {
    return assertThrows(RecipeException.class, () -> read(yaml)).getMessage();
  }

  @Test
  void componentsAreKeysAndSealedInterfacesAreChoices() {
    assertEquals(
        new Drawing(
            List.of(new CircleSettings(2), new Square(1, Colour.BLUE, null)),
            Map.of("top", 3L),
            true),
        read(
            """
            shapes: [{kind: circle, radius: 2}, {kind: square, side: 1, fill_colour: blue}]
            layers: {top: 3}
            is_open: true
            """));
  }

  @Test
  void whatShorterConstructorsLeaveOutNeedNotBeGiven() {
    assertEquals(
        new Drawing(List.of(new Square(1)), Map.of(), false),
        read("{shapes: [{kind: square, side: 1}], is_open: false}"));
  }

  @Test
  void whatIsPrintedIsReadAgain() {
    Drawing drawing =
        new Drawing(
            List.of(
                new Square(1e-9, Colour.DARK_RED, "it's: \"a\", #b"), new CircleSettings(1e300)),
            Map.of("on", 1L, "a b", Long.MIN_VALUE),
            false);
    assertEquals(drawing, read(YamlText.block(RecipeBinding.tree(drawing))));
    for (String label :
        List.of("", "true", "5", "null", " x ", "- a", "[a", "a: b", "ä\n\tb", "~")) {
      Drawing labelled = new Drawing(List.of(new Square(1, Colour.BLUE, label)), Map.of(), false);
      assertEquals(labelled, read(YamlText.block(RecipeBinding.tree(labelled))), label);
    }
  }

  @Test
  void errorsSayWhere() {
    assertEquals("it:2: is_open is 5, expected true or false", refused("\nis_open: 5"));
    assertEquals("it: is_open is missing, expected true or false", refused("shapes: []"));
    assertEquals(
        "it:2: shapes.1.kind is \"cicle\", expected one of circle, square; did you mean \"circle\"?",
        refused("is_open: true\nshapes: [{kind: square, side: 1}, {kind: cicle}]"));
    assertEquals(
        "it:1: shapes.0.fill_colour is \"dark_blue\", expected one of blue, dark_red",
        refused("shapes: [{kind: square, side: 1, fill_colour: dark_blue}]\nis_open: true"));
    assertEquals(
        "it:1: shapes.0.size is given, expected one of fill_colour, label, side; did you mean"
            + " \"side\"?",
        refused("shapes: [{kind: square, size: 1}]\nis_open: true"));
    assertEquals(
        "it:1: layers.top is \"x\", expected a whole number",
        refused("{layers: {top: x}, is_open: true}"));
    assertEquals("it:1: shapes is 5, expected a list", refused("{shapes: 5, is_open: true}"));
    assertEquals(
        "it:1: shapes.0 is \"circle\", expected a map with the kind circle, square",
        refused("{shapes: [circle], is_open: true}"));
    assertEquals(
        "it:1: is_open is \"a\\nb\", expected true or false", refused("is_open: \"a\\nb\""));
  }

  @Test
  void noNumberIsInfinite() {
    for (String number : List.of(".nan", "-.inf", "1e999", "1e999999999")) {
      assertEquals(
          "it:1: layers.top is " + number + ", expected a finite number",
          refused("{layers: {top: " + number + "}, is_open: true}"));
    }
  }

  @Test
  void whatIsEmptyIsNotGiven() {
    assertEquals(
        new Drawing(List.of(), Map.of(), true), read("shapes:\nlayers: {top: }\nis_open: true"));
    assertEquals("it:1: is_open is missing, expected true or false", refused("{is_open: }"));
  }
}
