// Errors are ONNX Runtime's own: a function that can fail returns an OrtStatus*, nullptr where all is
// well.
#pragma once
#include <stdarg.h>
#include <stdio.h>

#include "abi.h"

// Set when the library is registered, before anything else runs.
extern const OrtApi* ort;
extern const OrtEpApi* ort_ep;

// Ends the function with the error, if there is one.
#define TRY(expression)                                                \
  do {                                                                 \
    if (OrtStatus* status_of_try = (expression)) return status_of_try; \
  } while (false)

[[gnu::format(printf, 1, 2)]] inline OrtStatus* fail(const char* format, ...) {
  char message[512];
  int named = snprintf(message, sizeof message, "satchel: ");
  va_list values;
  va_start(values, format);
  vsnprintf(message + named, sizeof message - named, format, values);
  va_end(values);
  return ort->CreateStatus(ORT_FAIL, message);
}

inline OrtStatus* no_memory() { return fail("out of memory"); }
