/** The list of what is measured. */
package org.structkd.bench.cases;
