package org.structkd.testing;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Each test of the class has a PointerScope of its own, which its set-up and end are in, too. */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(InScope.Extension.class)
public @interface InScope {
  /** Threads that LibTorch computes with; 0: as many as before. */
  int threads() default 0;

  /** Opens and closes the scope. */
  final class Extension implements BeforeEachCallback, AfterEachCallback {
    private static final ExtensionContext.Namespace HERE =
        ExtensionContext.Namespace.create(InScope.class);

    @Override
    public void beforeEach(ExtensionContext test) {
      test.getStore(HERE).put("scope", new PointerScope());
      int threads = test.getRequiredTestClass().getAnnotation(InScope.class).threads();
      if (threads > 0) {
        torch.set_num_threads(threads);
      }
    }

    @Override
    public void afterEach(ExtensionContext test) {
      test.getStore(HERE).remove("scope", PointerScope.class).close();
    }
  }
}
