package com.example.app;

import java.io.File;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * A program with two plugins that use the library, each in a class loader of its own; args: what
 * the plugins share, what each of them has.
 */
public final class Plugins {
  private Plugins() {}

  public static void main(String[] args) throws IOException, ReflectiveOperationException {
    try (URLClassLoader shared = loader(args[0], ClassLoader.getPlatformClassLoader());
        URLClassLoader first = loader(args[1], shared);
        URLClassLoader second = loader(args[1], shared)) {
      for (ClassLoader plugin : List.of(first, second, first)) {
        Class<?> caller = plugin.loadClass("com.example.app.Caller");
        System.out.println(((Supplier<?>) caller.getConstructor().newInstance()).get());
      }
    }
  }

  private static URLClassLoader loader(String classPath, ClassLoader parent)
      throws MalformedURLException {
    List<URL> urls = new ArrayList<>();
    for (String entry : classPath.split(File.pathSeparator)) {
      if (!entry.isEmpty()) {
        urls.add(Path.of(entry).toUri().toURL());
      }
    }
    return new URLClassLoader(urls.toArray(new URL[0]), parent);
  }
}
