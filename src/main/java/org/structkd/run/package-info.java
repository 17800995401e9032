/** Runs of recipes in folders of their own: trainings, comparisons, reports. Not API. */
@NullMarked
package org.structkd.run;

import org.jspecify.annotations.NullMarked;
