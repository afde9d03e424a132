/* Threads that answer: they sleep most of the time, and when they wake somebody waits for them. */
#pragma once

#include <stdbool.h>

/* Asks the kernel to run the calling thread soon after it wakes, before threads that compute for long, in exchange for shorter turns.
 * Needs no privilege and changes no priority: over time each thread gets the same share. False when the kernel does not know that
 * (before Linux 6.12 it may say yes and do nothing), which is no error. Threads that it makes from then on inherit it. */
bool prompt_ask(void);
