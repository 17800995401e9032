package org.structkd.recipe;

/** A loss with its weight and what it reads. */
public record TermSettings() {}
