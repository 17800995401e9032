/**
 * Structural knowledge distillation for LibTorch: losses, their objective, networks, data, and
 * trainings as recipes.
 *
 * <p>Natives are modules of their own that nobody requires: docs/packaging.md says which the start
 * asks for.
 */
@SuppressWarnings("requires-automatic")
module org.structkd {
  requires transitive java.desktop;
  requires transitive org.bytedeco.javacpp;
  requires transitive org.bytedeco.pytorch;
  requires transitive org.jspecify; // recipes read which keys may be missing
  requires java.management;
  requires com.fasterxml.jackson.databind;
  requires com.fasterxml.jackson.dataformat.yaml;
  requires org.bytedeco.openblas;
  requires org.slf4j;

  // For the command line alone, which is started from the class path. XChart has an automatic name.
  requires static info.picocli;
  requires static me.tongfei.progressbar;
  requires static org.knowm.xchart;

  exports org.structkd;
  exports org.structkd.compress;
  exports org.structkd.data;
  exports org.structkd.distributed;
  exports org.structkd.loss;
  exports org.structkd.metric;
  exports org.structkd.model;
  exports org.structkd.objective;
  exports org.structkd.optim;
  exports org.structkd.recipe;
  exports org.structkd.train;

  // Recipes are bound to its records, which are not public.
  opens org.structkd.recipe to
      com.fasterxml.jackson.databind;
}
