/**
 * Trainings described by YAML files: what they are read into, and what is made of them. {@link
 * org.structkd.recipe.Recipes} finds and reads them, {@link org.structkd.recipe.Experiment} makes
 * networks, data and objectives of one. docs/recipes.md describes the format.
 */
@NullMarked
package org.structkd.recipe;

import org.jspecify.annotations.NullMarked;
