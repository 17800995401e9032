package org.structkd.recipe;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.structkd.loss.Loss;
import org.structkd.loss.Losses;
import org.structkd.objective.Term;
import org.structkd.optim.Optimizer;

/**
 * One of the {@code losses}: its keys and those of its loss in one map. The loss is found by its
 * id; a preset gives what is not given beside it.
 */
final class TermBinding {
  static final String LOSS = "loss";
  static final String PRESET = "preset";
  static final String ON = "on";
  static final String WEIGHT = "weight";
  static final String IGNORE_INDEX = "ignore_index";
  static final String RESIZE_TEACHER = "resize_teacher";
  static final String OPTIMIZER = "optimizer";

  /** All keys but those of the loss. */
  static final List<String> KEYS =
      List.of(LOSS, PRESET, ON, WEIGHT, IGNORE_INDEX, RESIZE_TEACHER, OPTIMIZER);

  private TermBinding() {}

  static final class Reader extends StdDeserializer<TermSettings> {
    private static final long serialVersionUID = 1;

    Reader() {
      super(TermSettings.class);
    }

    @Override
    public TermSettings deserialize(JsonParser parser, DeserializationContext context)
        throws IOException {
      if (!(context.readTree(parser) instanceof ObjectNode map)) {
        return context.reportInputMismatch(TermSettings.class, "not a map");
      }
      return term(parser, map);
    }
  }

  private static TermSettings term(JsonParser parser, ObjectNode map) throws IOException {
    require(parser, map, LOSS, String.class);
    require(parser, map, WEIGHT, double.class);
    String id = read(map, LOSS, String.class);
    Losses.Entry entry = checked(LOSS, () -> Losses.of(id));
    List<String> ofLoss = RecipeBinding.keys(entry.type());
    Set<String> known = new LinkedHashSet<>(KEYS);
    known.addAll(ofLoss);
    RecipeBinding.requireKnown(parser, map, entry.type(), known);
    ObjectNode components = map.deepCopy();
    KEYS.stream().filter(key -> !ofLoss.contains(key)).forEach(components::remove);
    Loss loss = loss(parser, entry, preset(map, entry, ofLoss), components);

    JsonNode on = map.path(ON);
    boolean resizes = map.has(RESIZE_TEACHER) && read(map, RESIZE_TEACHER, Boolean.class);
    OptionalLong ignored =
        map.has(IGNORE_INDEX) && !ofLoss.contains(IGNORE_INDEX)
            ? OptionalLong.of(read(map, IGNORE_INDEX, Long.class))
            : OptionalLong.empty();
    Term term =
        checked(
            ON,
            () ->
                new Term(
                    loss,
                    Wiring.student(on, loss.needs()),
                    Wiring.teacher(on, loss.needs()),
                    resizes,
                    ignored));
    return new TermSettings(
        term,
        weight(parser, map.get(WEIGHT)),
        map.has(OPTIMIZER) ? read(map, OPTIMIZER, Optimizer.class) : null);
  }

  private static WeightSettings weight(JsonParser parser, JsonNode given)
      throws JsonMappingException {
    if (given.isNumber()) {
      return checked(WEIGHT, () -> new WeightSettings.Constant(given.doubleValue()));
    }
    if (!given.isObject()) {
      throw JsonMappingException.wrapWithPath(
          MismatchedInputException.from(parser, WeightSettings.class, "not a weight"),
          TermSettings.class,
          WEIGHT);
    }
    return RecipeBinding.read(given, WeightSettings.class, WEIGHT);
  }

  private static void require(JsonParser parser, ObjectNode map, String key, Class<?> type)
      throws JsonMappingException {
    if (!map.has(key)) {
      throw JsonMappingException.wrapWithPath(
          MismatchedInputException.from(parser, type, "missing"), TermSettings.class, key);
    }
  }

  /** The loss that gives what is not given; null if all is. */
  private static @Nullable Loss preset(ObjectNode map, Losses.Entry entry, List<String> ofLoss)
      throws JsonMappingException {
    Set<String> presets = entry.presets();
    boolean complete = ofLoss.stream().allMatch(map::has);
    if (map.has(PRESET)) {
      String name = read(map, PRESET, String.class);
      Loss preset = checked(PRESET, () -> entry.create(name));
      if (complete && !ofLoss.isEmpty()) {
        throw failure(
            PRESET,
            name + " has no effect, as every key of the loss is given beside it: remove it or them",
            null);
      }
      return preset;
    }
    if (complete || presets.isEmpty()) {
      return null;
    }
    if (presets.size() > 1) {
      throw failure(PRESET, "is missing, expected one of " + String.join(", ", presets), null);
    }
    return entry.create(presets.iterator().next());
  }

  private static Loss loss(
      JsonParser parser, Losses.Entry entry, @Nullable Loss preset, ObjectNode components)
      throws IOException {
    ObjectNode whole =
        preset == null ? components : RecipeTree.merged(RecipeBinding.tree(preset), components);
    return parser.getCodec().treeToValue(whole, entry.type());
  }

  private static <T> T read(ObjectNode map, String key, Class<T> type) throws JsonMappingException {
    return RecipeBinding.read(map.get(key), type, key);
  }

  private static <T> T checked(String key, Supplier<T> made) throws JsonMappingException {
    try {
      return made.get();
    } catch (IllegalArgumentException e) {
      throw failure(key, e.getMessage(), e);
    }
  }

  private static JsonMappingException failure(
      String key, String sentence, @Nullable Throwable cause) {
    return JsonMappingException.wrapWithPath(
        new JsonMappingException(null, sentence, cause), TermSettings.class, key);
  }

  static final class Writer extends StdSerializer<TermSettings> {
    private static final long serialVersionUID = 1;

    Writer() {
      super(TermSettings.class);
    }

    @Override
    public void serialize(TermSettings settings, JsonGenerator out, SerializerProvider provider)
        throws IOException {
      out.writeTree(tree(settings));
    }
  }

  private static ObjectNode tree(TermSettings settings) {
    Term term = settings.term();
    ObjectNode map = JsonNodeFactory.instance.objectNode();
    map.put(LOSS, id(term.loss()));
    map.setAll(RecipeBinding.tree(term.loss()));
    for (RecordComponent component : term.loss().getClass().getRecordComponents()) {
      String key = RecipeBinding.key(component.getName());
      if (List.class.isAssignableFrom(component.getType()) && !map.has(key)) {
        map.putArray(key); // where nothing is written, a preset would be read
      }
    }
    map.set(ON, Wiring.on(term.studentTaps(), term.teacherTaps()));
    if (settings.weight() instanceof WeightSettings.Constant constant) {
      map.put(WEIGHT, constant.weight());
    } else {
      map.set(WEIGHT, RecipeBinding.choice(settings.weight()));
    }
    term.ignoreIndex().ifPresent(label -> map.put(IGNORE_INDEX, label));
    if (term.resizesTeacher()) {
      map.put(RESIZE_TEACHER, true);
    }
    if (settings.optimizer() != null) {
      map.set(OPTIMIZER, RecipeBinding.choice(settings.optimizer()));
    }
    return map;
  }

  private static String id(Loss loss) {
    return Losses.all().stream()
        .filter(entry -> entry.type() == loss.getClass())
        .map(Losses.Entry::id)
        .findFirst()
        .orElseThrow(
            () -> new IllegalArgumentException(loss + " is no loss of Losses, so it has no id"));
  }
}
