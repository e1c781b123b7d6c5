// What a claimed node, or a group of them, becomes.
#pragma once
#include <memory>

#include "graph.h"
#include "runs.h"

// What a node is given while it runs.
struct Call {
  OrtKernelContext* context;
  int threads;
  Run& run;
};

// Made once, when the session is created, and run by several threads at once: `run` changes nothing in it
// and takes its memory from `call.run.scratch`.
struct Node : Allocated {
  virtual ~Node() = default;
  virtual OrtStatus* run(const Call& call) const = 0;
};

OrtStatus* cancelled_error();

// Into how many parts `parallel` divides `count` pieces of work.
inline int64_t parts_of(const Call& call, int64_t count, int64_t parts_a_thread = 1) {
  int64_t parts = call.threads > 1 ? call.threads * parts_a_thread : 1;
  return parts < count ? parts : count;
}

// Runs work(i), or work(i, part), for every i below `count`, on ONNX Runtime's threads and this one.
// `part` is below `parts_of(call, count, parts_a_thread)`; one part is done by one thread at a time, so
// each may have scratch of its own. More parts than threads even out pieces of unequal length, and cost a
// little each. Ends early, with an error, where the run is cancelled.
template <class Work>
OrtStatus* parallel(const Call& call, int64_t count, const Work& work, int64_t parts_a_thread = 1) {
  struct Job {
    const Run& run;
    const Work& work;
    int64_t count, parts;
  };
  auto do_part = [](void* given, size_t place) {
    const Job& job = *static_cast<const Job*>(given);
    int64_t part = (int64_t)place, last = job.count * (part + 1) / job.parts;
    for (int64_t i = job.count * part / job.parts; i < last && !job.run.cancelled(); ++i) {
      if constexpr (std::is_invocable_v<const Work&, int64_t, int64_t>) {
        job.work(i, part);
      } else {
        job.work(i);
      }
    }
  };
  Job job{call.run, work, count, parts_of(call, count, parts_a_thread)};
  if (job.parts == 1) do_part(&job, 0);
  if (job.parts > 1)
    TRY(ort->KernelContext_ParallelFor(call.context, do_part, (size_t)job.parts, 0, &job));
  return call.run.cancelled() ? cancelled_error() : nullptr;
}
