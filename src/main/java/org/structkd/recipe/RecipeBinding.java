package org.structkd.recipe;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.BeanDescription;
import com.fasterxml.jackson.databind.DeserializationConfig;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.cfg.MutableConfigOverride;
import com.fasterxml.jackson.databind.deser.BeanDeserializerBase;
import com.fasterxml.jackson.databind.deser.BeanDeserializerModifier;
import com.fasterxml.jackson.databind.deser.std.DelegatingDeserializer;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Words;

/**
 * Makes records of values and values of records, whatever the records are: the components of a
 * record are the keys, in snake_case.
 *
 * <ul>
 *   <li><b>Kinds:</b> a sealed interface is a choice; its records are the kinds, by the key {@code
 *       kind}.
 *   <li><b>Defaults:</b> what a shorter constructor of a record leaves out need not be given:
 *       {@code new Adam(0.01)} says what the betas are. Nor need lists, maps and what may be null.
 *   <li><b>Checks:</b> those of the records, and that nothing is left over.
 * </ul>
 */
final class RecipeBinding {
  /** The key that tells which kind a choice is. */
  static final String KIND = "kind";

  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .annotationIntrospector(new RecordIntrospector())
          .addModule(
              new SimpleModule()
                  .setDeserializerModifier(new Modifier())
                  .addDeserializer(TermSettings.class, new TermBinding.Reader())
                  .addSerializer(TermSettings.class, new TermBinding.Writer())
                  .addDeserializer(Path.class, new PathBinding.Reader())
                  .addSerializer(Path.class, new PathBinding.Writer()))
          .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
          .disable(MapperFeature.AUTO_DETECT_IS_GETTERS)
          .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
          .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .withConfigOverride(Map.class, RecipeBinding::emptyWhereAbsent)
          .withConfigOverride(List.class, RecipeBinding::emptyWhereAbsent)
          .defaultPropertyInclusion(
              JsonInclude.Value.construct(
                  JsonInclude.Include.NON_NULL, JsonInclude.Include.NON_NULL))
          .build();

  private RecipeBinding() {}

  private static void emptyWhereAbsent(MutableConfigOverride collection) {
    collection.setSetterInfo(JsonSetter.Value.forValueNulls(Nulls.AS_EMPTY));
    collection.setInclude(
        JsonInclude.Value.construct(JsonInclude.Include.NON_EMPTY, JsonInclude.Include.NON_NULL));
  }

  /**
   * Makes a record of the values.
   *
   * @throws RecipeException if they are not what the record and all within it need; says where
   */
  static <T> T bind(RecipeTree tree, Class<T> type) {
    try {
      return MAPPER.treeToValue(tree.root(), type);
    } catch (JsonProcessingException e) {
      throw BindingError.explained(tree, e);
    }
  }

  /** All values of a record. */
  static ObjectNode tree(Object value) {
    return MAPPER.valueToTree(value);
  }

  /** All values of a record that is a choice, and its kind. */
  static ObjectNode choice(Object value) {
    ObjectNode tree = MAPPER.createObjectNode();
    tree.put(KIND, RecordIntrospector.kind(value.getClass()));
    return tree.setAll(tree(value));
  }

  /** The value of a component, within the reading of its record. */
  static <T> T read(JsonNode value, Type type, String key) throws JsonMappingException {
    try {
      return MAPPER.treeToValue(value, MAPPER.constructType(type));
    } catch (JsonProcessingException e) {
      throw JsonMappingException.wrapWithPath(e, type, key);
    }
  }

  /** Lets records have the defaults of their shorter constructors. */
  private static final class Modifier extends BeanDeserializerModifier {
    private static final long serialVersionUID = 1;

    @Override
    public JsonDeserializer<?> modifyDeserializer(
        DeserializationConfig config, BeanDescription bean, JsonDeserializer<?> deserializer) {
      return bean.getBeanClass().isRecord() && deserializer instanceof BeanDeserializerBase
          ? new Completing(deserializer)
          : deserializer; // TermBinding's does so itself
    }
  }

  private static final class Completing extends DelegatingDeserializer {
    private static final long serialVersionUID = 1;

    Completing(JsonDeserializer<?> plain) {
      super(plain);
    }

    @Override
    protected JsonDeserializer<?> newDelegatingInstance(JsonDeserializer<?> plain) {
      return new Completing(plain);
    }

    @Override
    public Object deserialize(JsonParser parser, DeserializationContext context)
        throws IOException {
      JsonNode given = context.readTree(parser);
      if (!(given instanceof ObjectNode map)) {
        return context.reportInputMismatch(handledType(), "not a map");
      }
      requireKnown(parser, map, handledType(), keys(handledType()));
      JsonParser whole = completed(handledType(), map).traverse(parser.getCodec());
      whole.nextToken();
      return super.deserialize(whole, context);
    }
  }

  /**
   * Checks that nothing is given which nobody reads: a slip of the pen leaves a default standing.
   */
  static void requireKnown(
      JsonParser parser, ObjectNode given, Class<?> type, Collection<String> known)
      throws JsonMappingException {
    for (Map.Entry<String, JsonNode> entry : given.properties()) {
      if (!known.contains(entry.getKey())) {
        throw UnrecognizedPropertyException.from(
            parser, type, entry.getKey(), new ArrayList<>(known));
      }
    }
  }

  /** What is given, with what the shortest constructor that can be called adds to it. */
  static ObjectNode completed(Class<?> type, ObjectNode given) throws JsonMappingException {
    Object base = defaults(type, given);
    return base == null ? given : RecipeTree.merged(tree(base), given);
  }

  private static @Nullable Object defaults(Class<?> type, ObjectNode given)
      throws JsonMappingException {
    RecordComponent[] components = type.getRecordComponents();
    Class<?>[] all =
        Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
    List<Constructor<?>> shorter = new ArrayList<>(List.of(type.getConstructors()));
    shorter.removeIf(
        constructor ->
            constructor.getParameterCount() >= all.length
                || !Arrays.equals(
                    constructor.getParameterTypes(),
                    Arrays.copyOf(all, constructor.getParameterCount())));
    shorter.sort(Comparator.comparingInt(Constructor::getParameterCount));
    for (Constructor<?> constructor : shorter) {
      if (allGiven(components, constructor.getParameterCount(), given)) {
        Object[] arguments = new Object[constructor.getParameterCount()];
        for (int i = 0; i < arguments.length; i++) {
          String key = key(components[i].getName());
          arguments[i] = read(given.get(key), components[i].getGenericType(), key);
        }
        return made(constructor, arguments);
      }
    }
    return null;
  }

  private static boolean allGiven(RecordComponent[] components, int count, ObjectNode given) {
    return Arrays.stream(components, 0, count)
        .allMatch(component -> given.has(key(component.getName())));
  }

  private static Object made(Constructor<?> constructor, Object[] arguments)
      throws JsonMappingException {
    try {
      return constructor.newInstance(arguments);
    } catch (InvocationTargetException e) {
      throw new JsonMappingException(null, e.getCause().getMessage(), e.getCause());
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(constructor + " is public", e);
    }
  }

  /** The keys that a record's components have. */
  static List<String> keys(Class<?> type) {
    return Arrays.stream(type.getRecordComponents())
        .map(component -> key(component.getName()))
        .toList();
  }

  /** The key of a component, or the kind of a record: camel case in snake_case. */
  static String key(String camelCase) {
    return Words.snakeCase(camelCase);
  }
}
