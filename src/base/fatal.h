/* The end of the process, for what no caller could answer: refused memory of a chosen size, a kernel without randomness.
 * The store is crash-safe, so ending is always allowed; going on without is not. */
#pragma once

/* Writes "pail: <message>" to standard error and aborts. */
_Noreturn void fatal(const char *message);
