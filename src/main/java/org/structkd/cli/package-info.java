/** The command line. Not API. */
@NullMarked
package org.structkd.cli;

import org.jspecify.annotations.NullMarked;
