// The runs of one session that are under way. Two threads may run one session at once, so whatever
// belongs to a run stands here and never in a node.
//
// A node is not told which run it belongs to. ONNX Runtime announces a run (OnRunStart) on the thread
// that then runs its nodes, so the thread says it. With ExecutionMode.ORT_PARALLEL nodes run on other
// threads: they get scratch of their own, and a run's flag only while it is the session's one run.
#pragma once
#include "memory.h"
#include "platform.h"

class Run : public Allocated {
 public:
  Scratch scratch;

  // Whether the caller wants no more of this run. Any thread may ask.
  bool cancelled() const {
    return (flag_ && __atomic_load_n(flag_, __ATOMIC_RELAXED)) ||
           __atomic_load_n(&stopped_, __ATOMIC_RELAXED);
  }

 private:
  friend class Runs;

  Run* next_ = nullptr;
  uintptr_t thread_ = 0;
  bool lent_ = false;              // to one node, whose thread belongs to no run
  const uint8_t* flag_ = nullptr;  // the caller's byte, or none
  bool stopped_ = false;
};

class Runs {
 public:
  Runs() = default;
  ~Runs();
  Runs(const Runs&) = delete;
  Runs& operator=(const Runs&) = delete;

  // A run starts and ends on one thread. `flag`: a byte that cancels the run once it is not 0, or
  // nullptr.
  OrtStatus* start(const uint8_t* flag);
  void end();

  // The run that a node of this thread belongs to, from `enter` to `leave`.
  OrtStatus* enter(Run** run);
  void leave(Run* run);

  // Cancels the runs of now, not those that start later.
  void stop_all();

 private:
  Run* of_this_thread() const;
  OrtStatus* activate(Run** run);
  void retire(Run* run);

  Mutex mutex_;
  Run* active_ = nullptr;  // the latest first
  Run* idle_ = nullptr;    // ended, kept for its scratch
};
