// Checks of memory.h and runs.h without ONNX Runtime. Prints what fails; test_parts.py runs it.
#include <pthread.h>

#include "runs.h"

const OrtApi* ort;
const OrtEpApi* ort_ep;

static int failures = 0;

#define CHECK(condition)                             \
  do {                                               \
    if (!(condition)) {                              \
      printf("line %d: %s\n", __LINE__, #condition); \
      ++failures;                                    \
    }                                                \
  } while (false)

// In place of ONNX Runtime: an error is its text.
static char message[512];
static OrtStatus* make_error(OrtErrorCode, const char* text) {
  snprintf(message, sizeof message, "%s", text);
  return reinterpret_cast<OrtStatus*>(message);
}

static bool is_no_memory(OrtStatus* status) {
  return status && strcmp(reinterpret_cast<char*>(status), "satchel: out of memory") == 0;
}

static void check_array() {
  Array<int> array;
  for (int i = 0; i < 100; ++i)
    CHECK(!array.add(i));
  CHECK(array.size() == 100 && array[0] == 0 && array[99] == 99);
  CHECK(!array.resize(10) && !array.resize(20));
  CHECK(array[9] == 9 && array[10] == 0 && array[19] == 0);
  CHECK(is_no_memory(array.resize(SIZE_MAX / 2)));
  CHECK(is_no_memory(array.resize(SIZE_MAX / 8)));
  CHECK(array.size() == 20 && array[9] == 9);
  array.clear();
  CHECK(array.size() == 0 && array.begin() == array.end());
}

static void check_scratch() {
  Scratch scratch;
  scratch.start();
  float *a, *b, *again;
  CHECK(!scratch.take(3, &a));
  a[0] = a[2] = 5;
  CHECK(!scratch.take(100000, &b));  // does not fit beside it
  b[0] = b[99999] = 7;
  CHECK(a[0] == 5 && a[2] == 5);
  CHECK((uintptr_t)a % 64 == 0 && (uintptr_t)b % 64 == 0);

  scratch.start();
  CHECK(!scratch.take(3, &a) && !scratch.take(100000, &b));
  CHECK(b == a + 16);  // from now on in one block
  scratch.start();
  CHECK(!scratch.take(100000, &again) && again == a);
  CHECK(!scratch.take(0, &again));

  CHECK(is_no_memory(scratch.take(-1, &a)));
  CHECK(is_no_memory(scratch.take(INT64_MAX, &a)));
  CHECK(is_no_memory(scratch.take(INT64_MAX / 16, &a)));
  CHECK(!scratch.take(5, &a));
}

// What a node sees that runs on a thread of no run.
struct Elsewhere {
  Runs* runs;
  bool cancelled, stays;
  Run* run;
};

static void* enter_elsewhere(void* given) {
  Elsewhere* there = static_cast<Elsewhere*>(given);
  CHECK(!there->runs->enter(&there->run));
  there->cancelled = there->run->cancelled();
  if (!there->stays) there->runs->leave(there->run);
  return nullptr;
}

static Elsewhere elsewhere(Runs& runs, bool stays = false) {
  Elsewhere there{&runs, false, stays, nullptr};
  pthread_t thread;
  CHECK(pthread_create(&thread, nullptr, enter_elsewhere, &there) == 0);
  pthread_join(thread, nullptr);
  return there;
}

static void check_runs() {
  Runs runs;
  uint8_t flag = 0, other = 1;
  Run *run, *same;

  CHECK(!runs.start(&flag));
  CHECK(!runs.enter(&run) && !run->cancelled());
  runs.leave(run);
  CHECK(!runs.enter(&same) && same == run);
  flag = 1;
  CHECK(run->cancelled());
  Elsewhere there = elsewhere(runs);
  CHECK(there.run != run && there.cancelled);  // it is the session's one run, so it is its own

  CHECK(!runs.start(&other));  // the second on this thread, within the first
  CHECK(!runs.enter(&same) && same != run && same->cancelled());
  CHECK(!elsewhere(runs).cancelled);  // of which of the two nobody knows
  runs.end();
  CHECK(!runs.enter(&same) && same == run);
  runs.end();
  runs.end();  // one too many does nothing

  CHECK(!runs.start(nullptr));
  CHECK(!runs.enter(&run) && !run->cancelled());
  there = elsewhere(runs, true);
  CHECK(!there.cancelled);
  runs.stop_all();
  CHECK(run->cancelled() && there.run->cancelled() && elsewhere(runs).cancelled);
  runs.leave(there.run);
  runs.end();
  CHECK(!runs.start(nullptr));
  CHECK(!runs.enter(&run) && !run->cancelled());  // one that started later
}

int main() {
  static OrtApi api;
  api.slots[OrtApi::CreateStatus_slot] = reinterpret_cast<void (*)()>(make_error);
  ort = &api;
  check_array();
  check_scratch();
  check_runs();
  return failures;
}
